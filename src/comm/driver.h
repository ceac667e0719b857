/**
 * @file driver.h
 * What carries bytes between ranks; private to src/comm. One rank alone needs none.
 *
 * Every function but open, close and abort begins something and returns; test says when
 * it is done. Pointers are borrowed until then.
 *
 * Errors   COMM, with the library's own words.
 * Threads  The one that opened it.
 */
#ifndef MAE_COMM_DRIVER_H
#define MAE_COMM_DRIVER_H

#include "comm/comm.h"

/** Something under way; holds the library's own handle. */
typedef struct MaeCommRequest {
    uintptr_t handle;
} MaeCommRequest;

/** A vector in parts, one for each rank; and how parts of one lie behind each other. */
typedef struct MaeCommParts {
    int *count, *at;   /* [world] elements, first element of part r */
    int *given;        /* [world] as count, 0 of this rank's own */
    int *taken, *into; /* [world] elements of this rank's part, 0 from itself; where */
} MaeCommParts;

typedef struct MaeCommDriver {
    const char *name;

    MaeStatus (*open)(void **state, size_t *rank, size_t *world, MaeError *err);
    void (*close)(void *state, bool broken);
    void (*abort)(void *state, int code);

    /** Part r of @p from goes to rank r; @p to [world][own part] gets what came, nothing
     * in the place of this rank. */
    MaeStatus (*exchange)(void *state, const MaeCommParts *parts, MaeDtype type,
                          const void *from, void *to, MaeCommRequest *request,
                          MaeError *err);

    /** Everybody's own part of @p x goes to everybody. May be under way beside exchanges;
     * in the same order on all ranks among themselves. */
    MaeStatus (*collect)(void *state, const MaeCommParts *parts, MaeDtype type, void *x,
                         MaeCommRequest *request, MaeError *err);

    /** @param[out] all [world][bytes]. */
    MaeStatus (*share)(void *state, void *all, const void *mine, int bytes,
                       MaeCommRequest *request, MaeError *err);

    MaeStatus (*broadcast)(void *state, void *data, int bytes, int root,
                           MaeCommRequest *request, MaeError *err);
    MaeStatus (*send)(void *state, void *data, int bytes, int to, MaeCommRequest *request,
                      MaeError *err); /* only reads data */
    MaeStatus (*receive)(void *state, void *data, int bytes, int from,
                         MaeCommRequest *request, MaeError *err);
    MaeStatus (*test)(void *state, MaeCommRequest *request, bool *done, MaeError *err);
} MaeCommDriver;

extern const MaeCommDriver mae_comm_mpi; /* only where MAE_MPI is defined */

#endif /* MAE_COMM_DRIVER_H */
