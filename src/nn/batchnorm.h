/**
 * @file batchnorm.h
 * Batch normalisation of features without affine parameters, forward and backward.
 *
 *   training    y = (x - mean) / sqrt(var + eps)     mean and biased var over the rows
 *   evaluation  the same with the running statistics
 *   tracking    running += 0.1 * (batch - running)   with the unbiased variance
 *
 * Running statistics are parameters that are saved but have no gradient
 * (MAE_PARAM_TRACKED): their place in the gradients holds by how much a step changes
 * them. Where gradients of several batches are added up, each batch changes them in turn,
 * as PyTorch does it.
 *
 * Where peers have parts of a batch, the statistics are those of the whole batch.
 *
 * Source   Ioffe and Szegedy 2015, arXiv:1502.03167; torch.nn.BatchNorm1d(affine=False,
 *          eps=1e-6) as in facebookresearch/mae main_linprobe.py. The count of batches,
 *          int64 there, is a float: from 2^24 batches on it stays.
 * Shapes   R rows, D width; f32, row-major, contiguous. Sums are taken in double.
 * Memory   Never allocates. Pointers in the cache belong to the arena.
 * Errors   Cannot fail; broken preconditions assert.
 * Threads  Reentrant; one call sees all rows of a batch.
 */
#ifndef MAE_NN_BATCHNORM_H
#define MAE_NN_BATCHNORM_H

#include <stddef.h>

#include "base/arena.h"
#include "base/param.h"
#include "nn/compute.h"

#define MAE_BATCHNORM_EPS 1e-6
#define MAE_BATCHNORM_MOMENTUM 0.1

/** Immutable once defined. */
typedef struct MaeBatchNorm {
    MaeParam mean, var; /* [D] running statistics */
    MaeParam batches;   /* [1] how many have been tracked */
    size_t width;       /* D */
} MaeBatchNorm;

/** Statistics of a batch: written by forward, read by backward and track. */
typedef struct MaeBatchNormCache {
    double *mean; /* [D] */
    double *var;  /* [D] biased */
    double *sums; /* [2,D] working memory */
    double rows;  /* of the batch, those of peers included */
} MaeBatchNormCache;

/** Register "<scope>.running_mean", ".running_var" and ".num_batches_tracked". */
void mae_batchnorm_define(MaeBatchNorm *bn, MaeParamTable *table, const char *scope,
                          size_t width);

/** Carve the cache; on a measuring arena only counts bytes. */
void mae_batchnorm_reserve(MaeBatchNormCache *cache, MaeArena *arena, size_t width);

/** Running mean 0, running variance 1, no batches. */
void mae_batchnorm_init(const MaeBatchNorm *bn, float *w);

/**
 * By the batch's own statistics.
 * @param[out] y [R,D], may be @p x.  @param x [R,D].
 * @param peers each has @p rows of the batch; NULL: there are no others.
 */
void mae_batchnorm_forward(const MaeBatchNorm *bn, float *y, MaeBatchNormCache *cache,
                           const float *x, size_t rows, const MaePeers *peers);

/** By the running statistics in @p w. @param[out] y [R,D], may be @p x. */
void mae_batchnorm_eval(const MaeBatchNorm *bn, float *y, const float *x, const float *w,
                        size_t rows);

/**
 * After forward.
 * @param[out] dx [R,D], may be @p dy.  @param dy [R,D].  @param y [R,D] of forward.
 * @param peers of forward.
 */
void mae_batchnorm_backward(const MaeBatchNorm *bn, float *dx, MaeBatchNormCache *cache,
                            const float *dy, const float *y, size_t rows,
                            const MaePeers *peers);

/**
 * After forward of a batch of at least 2 rows: what it changes in the running statistics,
 * the same for all peers.
 * @param[in,out] dw changes so far (ADD) or nothing yet (SET).  @param w as they are.
 */
void mae_batchnorm_track(const MaeBatchNorm *bn, float *dw, MaeGradUse use,
                         const MaeBatchNormCache *cache, const float *w);

#endif /* MAE_NN_BATCHNORM_H */
