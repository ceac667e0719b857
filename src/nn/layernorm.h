/**
 * @file layernorm.h
 * Layer normalisation over the last axis, forward and backward.
 *
 *   y = gamma * (x - mean) * rstd + beta,   rstd = 1 / sqrt(var + eps)
 *
 * Source   Ba et al. 2016, arXiv:1607.06450. MAE uses eps = 1e-6
 *          (facebookresearch/mae models_mae.py), not the 1e-5 default.
 * Shapes   R rows, D width; row-major, contiguous; y as operands, the rest f32.
 * Memory   Never allocates. Pointers in the cache belong to the arena.
 * Errors   Cannot fail; broken preconditions assert.
 * Threads  Reentrant. Concurrent calls need distinct outputs and row sums.
 */
#ifndef MAE_NN_LAYERNORM_H
#define MAE_NN_LAYERNORM_H

#include <stddef.h>

#include "base/operand.h"
#include "base/param.h"

#define MAE_LAYERNORM_EPS 1e-6f

/** Immutable once defined; offsets index weights, gradients and moments alike. */
typedef struct MaeLayerNorm {
    MaeParam gamma; /* [D] */
    MaeParam beta;  /* [D] */
    size_t width;   /* D */
} MaeLayerNorm;

/** Written by forward, read by backward. */
typedef struct MaeLayerNormCache {
    float *mean; /* [R] */
    float *rstd; /* [R] */
} MaeLayerNormCache;

/** Register gamma and beta (both without weight decay) as "<scope>.weight|bias". */
void mae_layernorm_define(MaeLayerNorm *ln, MaeParamTable *table, const char *scope,
                          size_t width);

/** Carve the cache for up to @p rows; on a measuring arena only counts bytes. */
void mae_layernorm_reserve(MaeLayerNormCache *cache, MaeArena *arena, size_t rows);

/** gamma = 1, beta = 0. */
void mae_layernorm_init(const MaeLayerNorm *ln, float *w);

/**
 * @param[out] y [R,D], may not alias @p x.  @param x [R,D].
 * @param row0 first row of this tile in the cache.
 */
void mae_layernorm_forward(const MaeLayerNorm *ln, MaeOperand y,
                           const MaeLayerNormCache *cache, const float *x, MaeWeights w,
                           size_t row0, size_t rows);

/**
 * dx = dres + gradient through the norm; also recomputes the output, so that forward need
 * not store it.
 * @param[out]    dx [R,D], overwritten; may alias @p dy or @p dres.
 * @param[out]    y [R,D] the output again, overwritten; data NULL if not needed.
 * @param[in,out] sums row sums of this tile (MaeParam.sum), accumulated (+=).
 * @param dy [R,D].  @param dres [R,D] gradient that bypasses the norm, or NULL.
 * @param x [R,D] as given to forward.
 */
void mae_layernorm_backward(const MaeLayerNorm *ln, float *dx, MaeOperand y, float *sums,
                            const float *dy, const float *dres, const float *x,
                            const MaeLayerNormCache *cache, MaeWeights w, size_t row0,
                            size_t rows);

#endif /* MAE_NN_LAYERNORM_H */
