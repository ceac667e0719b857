/**
 * @file rows.h
 * Element-wise and row-wise kernels: everything between two matrix products.
 *
 * The same C source is compiled for a plain processor, AVX2, AVX-512 and AVX-512 with
 * bf16; the best table that the processor can run is chosen once (rows_table.h), never
 * from the environment. What feeds or leaves a matrix product is a MaeOperand, f32 or
 * bf16; arithmetic is f32, and a bf16 result is rounded once.
 *
 * Shapes   R = rows, D = width; f32, row-major, contiguous unless a leading dimension is
 *          given. Any size, zero included; any alignment.
 * Results  A row's result depends on that row alone: not on the number of rows in the
 *          call, nor on alignment. Sums over rows (+=) add rows in index order. The last
 *          bits differ between tables.
 * Aliasing Outputs may not overlap inputs unless the function says so.
 * Errors   Cannot fail; broken preconditions assert. NaN and infinity pass through.
 * Memory   Never allocates.
 * Threads  Reentrant; concurrent calls need distinct outputs.
 */
#ifndef MAE_KERNEL_ROWS_H
#define MAE_KERNEL_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/operand.h"

/** The table in use: "portable", "avx2", "avx512" or "avx512bf16"; static storage. */
const char *mae_rows_isa(void);

/**
 * y = gamma * (x - mean) * rstd + beta,  rstd = 1 / sqrt(var + eps); the variance is
 * biased and taken around the mean in a second pass (Ba et al. 2016, arXiv:1607.06450).
 * @param[out] y [R,D], may be @p x if f32.
 * @param[out] mean [R] @param[out] rstd [R]; both may be NULL.
 */
void mae_rows_layernorm(MaeOperand y, float *mean, float *rstd, const float *x,
                        const float *gamma, const float *beta, size_t rows, size_t width,
                        float eps);

/**
 * Gradient of mae_rows_layernorm. With xhat = (x - mean) * rstd and g = gamma * dy:
 *   dx = dres + rstd * (g - mean(g) - xhat * mean(g * xhat))
 *   dgamma += sum over rows of dy * xhat,   dbeta += sum over rows of dy
 * @param[out] dx [R,D], overwritten; may be @p dy or @p dres.
 * @param[out] y [R,D] the layer's output computed again; data NULL: not wanted.
 * @param[in,out] dgamma [D] @param[in,out] dbeta [D] accumulated.
 * @param dres [R,D] gradient that reaches x past the layer (the residual path); NULL is
 *        zero.
 */
void mae_rows_layernorm_grad(float *dx, MaeOperand y, float *dgamma, float *dbeta,
                             const float *dres, const float *dy, const float *x,
                             const float *mean, const float *rstd, const float *gamma,
                             const float *beta, size_t rows, size_t width);

/**
 * out = res + s * x, the end of a branch under stochastic depth.
 * @param[out] out [R,D], may be @p res or @p x.
 * @param scale s of row r is scale[r / group], one per image.
 * @param group rows that share one factor, at least 1.
 */
void mae_rows_residual(float *out, const float *res, const float *x, const float *scale,
                       size_t group, size_t rows, size_t width);

/**
 * y = s * x as operands: where the residual stream enters a branch.
 * @param[out] y [R,D], may be @p x if f32.
 * @param[in,out] sum [D] sum[d] += s * x[0,d] + s * x[1,d] + ..., before rounding; or
 *        NULL.
 * @param scale s of row r is scale[r / group]; NULL: 1, and @p group is ignored.
 */
void mae_rows_enter(MaeOperand y, float *sum, const float *x, const float *scale,
                    size_t group, size_t rows, size_t width);

/**
 * y = x * Phi(x), the exact (erf) GELU (Hendrycks & Gimpel 2016, arXiv:1606.08415).
 * @param[out] y [n], may be @p x.
 */
void mae_rows_gelu(MaeOperand y, MaeOperand x, size_t n);

/**
 * dx *= Phi(x) + x * phi(x); y = gelu(x) computed again.
 * @param[in,out] dx [R,D] in: gradient of the output, out: of the input.
 * @param[out] y [R,D], may be @p x.
 * @param[in,out] sum [D] sum[d] += dx[0,d] + dx[1,d] + ..., before rounding.
 */
void mae_rows_gelu_grad(MaeOperand dx, MaeOperand y, float *sum, MaeOperand x,
                        size_t rows, size_t width);

/** sum[d] += x[0,d] + x[1,d] + ... in that order. @param ld distance between rows. */
void mae_rows_colsum(float *sum, MaeOperand x, size_t rows, size_t width, size_t ld);

/** y += x. @param[in,out] y [n]. */
void mae_rows_add(float *y, const float *x, size_t n);

/** x *= a. @param[in,out] x [n]. */
void mae_rows_scale(float *x, float a, size_t n);

/** y += a * x. @param[in,out] y [n]. */
void mae_rows_axpy(float *y, float a, const float *x, size_t n);

/**
 * p[r,:] = softmax(scale * s[r,:]); lse[r] = log sum exp(scale * s[r,:]).
 * @param[out] p [R,D], rows @p ld apart; may be @p s if f32. The ld - width elements
 *        behind a row become 0.
 * @param[out] lse [R] or NULL.
 * @param[in,out] s [R,D] scores, rows @p ld apart; overwritten, what is behind a row too.
 */
void mae_rows_softmax(MaeOperand p, float *lse, float *s, size_t rows, size_t width,
                      size_t ld, float scale);

/**
 * Back through the softmax of attention, from raw scores s and the saved log-sum-exp:
 *   p = exp(scale * s - lse),   ds = scale * p * (dp - sum of p * dp)
 * @param[out] p [R,D], may be @p s if f32.  @param[out] ds [R,D], may be @p dp if f32.
 * @param[in,out] s [R,D] scores.  @param[in,out] dp [R,D]; both overwritten.
 * @param ld of all four; in p and ds the ld - width elements behind a row become 0, in
 *        s and dp they are overwritten.
 */
void mae_rows_softmax_grad(MaeOperand p, MaeOperand ds, float *s, float *dp,
                           const float *lse, size_t rows, size_t width, size_t ld,
                           float scale);

/**
 * Cross-entropy of each row against soft targets (label smoothing, mixup, cutmix).
 *   loss[r] = - sum over c of target * log softmax(logits)
 *   dlogits = grad_scale * (softmax(logits) - target)
 * @param[out] loss [R], in nats.
 * @param[out] dlogits [R,C], may be @p logits; NULL: not wanted.
 * @param targets [R,C], rows summing to 1.  @param grad_scale usually 1 / batch.
 */
void mae_rows_cross_entropy(double *loss, float *dlogits, const float *logits,
                            const float *targets, float grad_scale, size_t rows,
                            size_t classes);

/** Sum of squares in double. The order of the sum depends on @p n alone. */
double mae_rows_sumsq(const float *x, size_t n);

/** True if no element is NaN or infinite. */
bool mae_rows_finite(const float *x, size_t n);

#endif /* MAE_KERNEL_ROWS_H */
