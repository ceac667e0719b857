/**
 * @file compute.h
 * Who computes: borrowed by everything that runs a model.
 *
 * Threads  The parts say; handles of products and watches are per thread of the pool.
 */
#ifndef MAE_NN_COMPUTE_H
#define MAE_NN_COMPUTE_H

#include "base/lap.h"
#include "base/pool.h"
#include "kernel/gemm.h"

/** What becomes of gradients of weights that are there already. */
typedef enum MaeGradUse {
    MAE_GRAD_ADD, /* += */
    MAE_GRAD_SET, /* =, without reading them */
} MaeGradUse;

/** Told by backward: gradients from element @p from of the flat buffer on are final. */
typedef void (*MaeReadyFn)(void *ctx, size_t from);

/** x [n] = sum over all peers, which call it in the same order. A failure is told by
 * whoever meets them next. */
typedef void (*MaePeerSumFn)(void *ctx, double *x, size_t n);

/** Others that compute the same with their own parts of a batch, all of one size. */
typedef struct MaePeers {
    size_t count; /* with this one */
    MaePeerSumFn sum;
    void *ctx;
} MaePeers;

/** Called by backward whenever it can: what is under way wants to be brought forward. */
typedef void (*MaePollFn)(void *ctx);

typedef struct MaeCompute {
    MaePool *pool; /* NULL: the calling thread alone */
    const MaeGemm *gemm;
    MaeLap *laps;     /* [threads] or NULL: times are not taken */
    MaeReadyFn ready; /* called now and then by the thread that drives the pool, the last
                         time with 0; NULL: nobody waits for gradients */
    MaePollFn poll;  /* from the same thread, more often, within a grid too; with ready */
    void *ready_ctx; /* of both */
    const MaePeers *peers; /* borrowed; NULL: a batch is here as a whole */
} MaeCompute;

/** To be called after a tile of backward by the thread that ran it. */
static inline void mae_compute_poll(const MaeCompute *compute, size_t thread)
{
    if (thread == 0 && compute->poll != NULL)
        compute->poll(compute->ready_ctx);
}

/** Watch of a thread, or NULL. */
static inline MaeLap *mae_compute_lap(const MaeCompute *compute, size_t thread)
{
    return compute->laps != NULL ? &compute->laps[thread] : NULL;
}

#endif /* MAE_NN_COMPUTE_H */
