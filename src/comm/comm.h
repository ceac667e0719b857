/**
 * @file comm.h
 * Processes ("ranks") that compute one thing together: sums, broadcast, rows gathered,
 * one outcome for all. MPI where it was built and the program was started as several
 * ranks; otherwise there is one rank, nothing is exchanged and every function is trivial.
 *
 * Sums of gradients go in buckets. Of each, rank r owns the r-th part (parts begin at
 * multiples of 16 elements, so the last ones may be smaller): every rank sends
 * every part to its owner, the owner adds them in the order of ranks, in f32 also where
 * bf16 is on the wire, and sends the sum to everybody. So a number of ranks gives the
 * same bits on every rank and in every run, whatever the library beneath; and a bucket
 * takes two rounds, which few polls bring forward.
 *
 *   bytes a rank sends = 2 (world - 1) / world * n * size of the wire's type
 *
 * Order    Every rank calls the same functions with the same sizes in the same order;
 *          only poll is free.
 * Memory   Planned at open; afterwards only gather allocates, on rank 0.
 * Errors   COMM: the library reported a fault, or nothing came for options.timeout
 *          seconds (a rank or the network hangs). The comm is broken then, every later
 *          call fails, memory handed to unfinished sums may still be written, and the
 *          process ends through mae_comm_abort, which ends all ranks.
 * Threads  The one that opened it, also for polling; it is the main thread if MPI is to
 *          be used.
 */
#ifndef MAE_COMM_COMM_H
#define MAE_COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/operand.h"
#include "base/status.h"

/** Zero-initialised: f32, no time limit, buckets of a size that does. */
typedef struct MaeCommOptions {
    MaeDtype wire;           /* of gradients between ranks */
    double timeout;          /* seconds; 0: wait forever */
    const char *timeout_key; /* what a user sets it by, for the message; may be NULL */
    size_t bucket;           /* elements, at most 2^30; 0: 2^18, of many ranks
                                2^12 for each */
} MaeCommOptions;

typedef struct MaeComm MaeComm;

/** How many ranks the program was started as by mpirun or srun; 1 without them. */
size_t mae_comm_launched(void);

/**
 * Join the other ranks. MPI is initialised only if the program was launched as several.
 * @param[out] comm untouched on failure; close it.
 * Errors: ARG if there are several ranks and this build has no MPI, or one that does not
 * find the others; COMM; NOMEM.
 */
MaeStatus mae_comm_open(MaeComm **comm, const MaeCommOptions *options, MaeError *err);

/**
 * Leave; all ranks do, and wait for each other. A broken one leaves at once. Accepts
 * NULL.
 * MPI cannot be opened again in the same process.
 */
void mae_comm_close(MaeComm *comm);

/** End all ranks with an exit code; does not return if there are several. */
void mae_comm_abort(MaeComm *comm, int code);

/** Which rank this is, 0 to world - 1; 0 for NULL. */
size_t mae_comm_rank(const MaeComm *comm);

/** How many there are; 1 for NULL. */
size_t mae_comm_world(const MaeComm *comm);

/** Ranks on the machine of this one, itself included, which share its memory; 1 for
 * NULL. */
size_t mae_comm_local(const MaeComm *comm);

/**
 * Ranks that may use the same processors as this one, itself included: those on its
 * machine with the same affinity mask. 1 for NULL.
 */
size_t mae_comm_neighbours(const MaeComm *comm);

/** @param asked threads, or 0: this rank's share of the processors. 0: all of them. */
size_t mae_comm_threads(const MaeComm *comm, size_t asked);

/** A call has failed: memory that others were to write into must not be freed. */
bool mae_comm_broken(const MaeComm *comm);

/** Seconds spent waiting for other ranks so far. */
double mae_comm_waited(const MaeComm *comm);

/**
 * Begin x [n] = sum over ranks of x, and return; waits only if too much is under way.
 * @param[in,out] x neither read nor written by the caller until mae_comm_wait.
 */
MaeStatus mae_comm_post(MaeComm *comm, float *x, size_t n, MaeError *err);

/**
 * Begin only half of that: x of this rank's part, see mae_comm_part, becomes the sum;
 * what lies in the others' stays as it is. One bucket at most.
 */
MaeStatus mae_comm_post_scatter(MaeComm *comm, float *x, size_t n, MaeError *err);

/**
 * Begin the other half, not rounded: everybody gets every part of x from its owner. Not
 * while sums are under way.
 */
MaeStatus mae_comm_post_collect(MaeComm *comm, float *x, size_t n, MaeError *err);

/** Elements *at .. *at + *count - 1 of a bucket of @p n are this rank's. */
void mae_comm_part(const MaeComm *comm, size_t n, size_t *at, size_t *count);

/** Elements that one post takes at once; more go in several buckets. */
size_t mae_comm_bucket(const MaeComm *comm);

/** Buckets that can be posted now without waiting. */
size_t mae_comm_room(const MaeComm *comm);

/** Bring what was posted forward, without waiting; to be called now and then. */
MaeStatus mae_comm_poll(MaeComm *comm, MaeError *err);

/** All that was posted is there. */
MaeStatus mae_comm_wait(MaeComm *comm, MaeError *err);

/** x [n] = sum over ranks: post and wait. */
MaeStatus mae_comm_sum(MaeComm *comm, float *x, size_t n, MaeError *err);

/** The same for a few doubles, which are not rounded: losses, counts, statistics. */
MaeStatus mae_comm_sum_doubles(MaeComm *comm, double *x, size_t n, MaeError *err);

/** The same for whole numbers; x [n]. */
MaeStatus mae_comm_sum_counts(MaeComm *comm, uint64_t *x, size_t n, MaeError *err);

/** @param[out] rank the lowest of those whose @p key is smallest; the same everywhere. */
MaeStatus mae_comm_first(MaeComm *comm, uint64_t key, size_t *rank, MaeError *err);

/** Everybody gets rank @p root's @p bytes. */
MaeStatus mae_comm_broadcast(MaeComm *comm, void *data, size_t bytes, size_t root,
                             MaeError *err);

/**
 * Rank 0 gets the rows of all ranks, each once.
 * @param[out] all [total] rows of @p row_bytes; rank 0 only, NULL elsewhere.
 * @param total the same on every rank.
 * @param rows [count] rows of this rank.  @param indices [count] their places in @p all.
 * @param row_bytes above 0.
 * Errors, on every rank: ARG if a row is missing, came twice or is not below @p total.
 */
MaeStatus mae_comm_gather(MaeComm *comm, void *all, size_t total, const void *rows,
                          const uint64_t *indices, size_t count, size_t row_bytes,
                          MaeError *err);

/** Every rank has come here. */
MaeStatus mae_comm_barrier(MaeComm *comm, MaeError *err);

/**
 * One outcome for all: OK if it is everywhere; otherwise the failure of the lowest rank
 * that failed, as "rank N: message". INTERRUPTED is what it is if nothing worse happened.
 * @param status how it went on this rank.
 * @param[in,out] err its message, then that of all. NULL: the status's name is the
 *        message.
 */
MaeStatus mae_comm_agree(MaeComm *comm, MaeStatus status, MaeError *err);

/**
 * ARG on every rank, naming one that differs, unless @p text is the same everywhere.
 * @param what is compared, e.g. "the configuration".
 */
MaeStatus mae_comm_same(MaeComm *comm, const char *what, const char *text, MaeError *err);

#endif /* MAE_COMM_COMM_H */
