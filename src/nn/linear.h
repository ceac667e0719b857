/**
 * @file linear.h
 * Linear layer over rows, forward and backward.
 *
 *   y = x W^T + b        dx = dy W        dW += dy^T x        db += sum of the rows of dy
 *
 * Bias and residual are added as the product leaves the registers. The bias gradient is a
 * verb of its own because most producers of dy sum its rows on the way. The weight
 * gradient crosses images and is a job of its own, see nn/weight_grad.h.
 *
 * Source   Initial weights: Xavier uniform, U(-a, a), a = sqrt(6 / (in + out)); Glorot
 *          and Bengio 2010; as facebookresearch/mae models_mae.py uses it, bias 0.
 * Shapes   R rows; x [R,in], y [R,out], W [out,in], b [out]; row-major, contiguous.
 * Memory   Never allocates.
 * Errors   Cannot fail; broken preconditions assert.
 * Threads  Reentrant. Concurrent calls need distinct outputs and row sums.
 */
#ifndef MAE_NN_LINEAR_H
#define MAE_NN_LINEAR_H

#include <stddef.h>

#include "base/param.h"
#include "base/rng.h"
#include "kernel/gemm.h"

/** Immutable once defined. */
typedef struct MaeLinear {
    MaeParam weight; /* [out,in] */
    MaeParam bias;   /* [out] */
    size_t in, out;
} MaeLinear;

/** Register "<scope>.weight" [out,in] and "<scope>.bias" [out] (without weight decay). */
void mae_linear_define(MaeLinear *lin, MaeParamTable *table, const char *scope, size_t in,
                       size_t out);

/** Xavier-uniform weight from @p rng, bias 0. @param w all weights. */
void mae_linear_init(const MaeLinear *lin, float *w, MaeRng *rng);

/**
 * y = x W^T + b + res.
 * @param[out] y [R,out], may not alias @p x; f32 or an operand.
 * @param x [R,in] operands.  @param res [R,out] added, needs an f32 y; NULL: 0.
 */
void mae_linear_forward(const MaeLinear *lin, const MaeGemm *gemm, MaeOperand y,
                        const void *x, MaeWeights w, const float *res, size_t rows);

/**
 * @param[out] dx [R,in] = dy W, overwritten; may not alias @p dy; f32 or an operand.
 * @param dy [R,out] operands.
 */
void mae_linear_backward_input(const MaeLinear *lin, const MaeGemm *gemm, MaeOperand dx,
                               const void *dy, MaeWeights w, size_t rows);

/**
 * @param[in,out] sums row sums of this tile (MaeParam.sum), accumulated (+=).
 * @param dy [R,out].
 */
void mae_linear_backward_bias(const MaeLinear *lin, float *sums, MaeOperand dy,
                              size_t rows);

#endif /* MAE_NN_LINEAR_H */
