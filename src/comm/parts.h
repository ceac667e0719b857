/**
 * @file parts.h
 * What the files of this folder share; private to src/comm.
 */
#ifndef MAE_COMM_PARTS_H
#define MAE_COMM_PARTS_H

#include "base/arena.h"
#include "comm/driver.h"

#define MAE_COMM_BUCKETS 8  /* under way at a time */
#define MAE_COMM_DOUBLES 64 /* added up at a time */

typedef enum MaeBucketPhase {
    MAE_BUCKET_EXCHANGED, /* parts are on the way to their owners */
    MAE_BUCKET_COLLECTED, /* sums are on the way to everybody */
    MAE_BUCKET_DONE,
} MaeBucketPhase;

/** A piece of a vector that is being summed. */
typedef struct MaeBucket {
    float *x;
    size_t n;
    bool scatter; /* ends with the exchange */
    bool whole;   /* is collected as it is, without an exchange and without rounding */
    MaeBucketPhase phase;
    MaeCommParts parts;
    uint16_t *sent; /* [bucket] x on a bf16 wire; else NULL */
    void *received; /* [world][own part] of the wire's type; none from this rank */
    MaeCommRequest request;
} MaeBucket;

struct MaeComm {
    const MaeCommDriver *driver; /* NULL: alone */
    void *state;
    size_t rank, world, local, neighbours;
    MaeCommOptions options;
    bool broken;
    double waited;
    MaeArena arena;
    unsigned char *shared;              /* [world][MAE_COMM_DOUBLES] doubles */
    MaeBucket bucket[MAE_COMM_BUCKETS]; /* a ring */
    size_t oldest, under_way;
};

/** Carve a bucket for every one that can be under way. */
void mae_comm_reserve_buckets(MaeComm *comm, MaeArena *arena);

/** Forward a driver's outcome; a failure breaks the comm. */
MaeStatus mae_comm_outcome(MaeComm *comm, MaeStatus status);

/** COMM if the comm is broken. */
MaeStatus mae_comm_usable(const MaeComm *comm, MaeError *err);

/**
 * Let others run for a moment.
 * @param since clock when something came last.
 * @return COMM, and the comm is broken, if that is longer ago than the time limit.
 */
MaeStatus mae_comm_pause(MaeComm *comm, double since, MaeError *err);

/** comm->shared [world][bytes] = what every rank has; waits. */
MaeStatus mae_comm_share(MaeComm *comm, const void *mine, size_t bytes, MaeError *err);

/** FNV-1a of @p n bytes, going on from @p hash; begin with MAE_COMM_HASH. */
uint64_t mae_comm_hash(uint64_t hash, const void *data, size_t n);
#define MAE_COMM_HASH 0xcbf29ce484222325u

/** Find out comm->local and neighbours. */
MaeStatus mae_comm_meet(MaeComm *comm, MaeError *err);

/** A driver's broadcast, send or receive. */
typedef MaeStatus (*MaeCommMoveFn)(void *state, void *data, int bytes, int other,
                                   MaeCommRequest *request, MaeError *err);

/** Run one of them to its end, for data of any length. */
MaeStatus mae_comm_move(MaeComm *comm, MaeCommMoveFn fn, void *data, size_t bytes,
                        size_t other, MaeError *err);

#endif /* MAE_COMM_PARTS_H */
