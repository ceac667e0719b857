/**
 * @file adamw.h
 * One fused pass of AdamW over a range of parameters.
 *
 *   g' = grad_scale * g
 *   w *= 1 - lr * weight_decay
 *   m = beta1 * m + (1 - beta1) * g',   v = beta2 * v + (1 - beta2) * g'^2
 *   w -= lr / bias1 * m / (sqrt(v) / sqrt(bias2) + eps),   bias_i = 1 - beta_i^t
 *
 * Source   Loshchilov & Hutter 2019, arXiv:1711.05101; the order of operations is that of
 *          torch.optim.AdamW. Factors are derived in double and rounded once.
 * Memory   Never allocates.
 * Errors   Cannot fail; broken preconditions assert.
 * Threads  Reentrant on distinct ranges; element-wise, so any split gives the same bits.
 */
#ifndef MAE_KERNEL_ADAMW_H
#define MAE_KERNEL_ADAMW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/operand.h"

/** The numbers of one step; mae_adamw_step fills the bias corrections. */
typedef struct MaeAdamWStep {
    double lr;
    double beta1, beta2; /* in [0, 1) */
    double eps;          /* > 0 */
    double weight_decay; /* >= 0 */
    double bias1, bias2; /* 1 - beta^t */
    double grad_scale;   /* 1, or less where the gradient is clipped */
} MaeAdamWStep;

/** Complete @p step for step number @p t, counted from 1: sets bias1 and bias2. */
void mae_adamw_step(MaeAdamWStep *step, uint64_t t);

/**
 * @param[in,out] w [n] weights.  @param[out] copy [n] of the updated weights as operands;
 * in an f32 run w itself.  @param[in,out] m [n] first moment, 0 before step 1.
 * @param[in,out] v [n] second moment, 0 before step 1.
 * @param g [n] gradient, not changed. No two of the buffers may overlap else.
 * @return false if a weight or moment is not finite now.
 */
bool mae_adamw_update(float *w, MaeOperand copy, float *m, float *v, const float *g,
                      size_t n, const MaeAdamWStep *step);

#endif /* MAE_KERNEL_ADAMW_H */
