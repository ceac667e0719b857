/**
 * @file rows.h
 * Element-wise and row-wise kernels: everything between two matrix products.
 *
 * The same C source is compiled for a plain processor, AVX2 and AVX-512; the best table
 * that the processor can run is chosen once (rows_table.h), never from the environment.
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

/** The table in use: "portable", "avx2" or "avx512"; static storage. */
const char *mae_rows_isa(void);

/**
 * y = gamma * (x - mean) * rstd + beta,  rstd = 1 / sqrt(var + eps); the variance is
 * biased and taken around the mean in a second pass (Ba et al. 2016, arXiv:1607.06450).
 * @param[out] y [R,D], may be @p x.
 * @param[out] mean [R] @param[out] rstd [R]; both may be NULL.
 */
void mae_rows_layernorm(float *y, float *mean, float *rstd, const float *x,
                        const float *gamma, const float *beta, size_t rows, size_t width,
                        float eps);

/**
 * Gradient of mae_rows_layernorm. With xhat = (x - mean) * rstd and g = gamma * dy:
 *   dx = dres + rstd * (g - mean(g) - xhat * mean(g * xhat))
 *   dgamma += sum over rows of dy * xhat,   dbeta += sum over rows of dy
 * @param[out] dx [R,D], overwritten; may be @p dy or @p dres.
 * @param[out] y [R,D] the layer's output computed again, or NULL.
 * @param[in,out] dgamma [D] @param[in,out] dbeta [D] accumulated.
 * @param dres [R,D] gradient that reaches x past the layer (the residual path); NULL is
 *        zero.
 */
void mae_rows_layernorm_grad(float *dx, float *y, float *dgamma, float *dbeta,
                             const float *dres, const float *dy, const float *x,
                             const float *mean, const float *rstd, const float *gamma,
                             const float *beta, size_t rows, size_t width);

/** x[r,:] += bias. @param[in,out] x [R,D]. @param bias [D]. */
void mae_rows_bias(float *x, const float *bias, size_t rows, size_t width);

/**
 * out = res + s * (x + bias).
 * @param[out] out [R,D], may be @p res or @p x.
 * @param scale s of row r is scale[r / group] (stochastic depth: one per image); NULL: 1.
 * @param group rows that share one factor, at least 1; ignored without @p scale.
 */
void mae_rows_bias_residual(float *out, const float *res, const float *x,
                            const float *bias, const float *scale, size_t group,
                            size_t rows, size_t width);

/**
 * y = x * Phi(x), the exact (erf) GELU (Hendrycks & Gimpel 2016, arXiv:1606.08415).
 * @param[out] y [n], may be @p x.
 */
void mae_rows_gelu(float *y, const float *x, size_t n);

/**
 * pre += bias; y = gelu(pre): the epilogue of a product.
 * @param[out] y [R,D]; may be @p pre, which then holds y.
 * @param[in,out] pre [R,D], kept for the gradient.
 */
void mae_rows_bias_gelu(float *y, float *pre, const float *bias, size_t rows,
                        size_t width);

/**
 * dx *= Phi(x) + x * phi(x).
 * @param[in,out] dx [n] in: gradient of the output, out: of the input.
 * @param[out] y [n] gelu(x) computed again, or NULL. May be @p x.
 */
void mae_rows_gelu_grad(float *dx, float *y, const float *x, size_t n);

/** sum[d] += x[0,d] + x[1,d] + ... in that order. @param ld distance between rows. */
void mae_rows_colsum(float *sum, const float *x, size_t rows, size_t width, size_t ld);

/** y += x. @param[in,out] y [n]. */
void mae_rows_add(float *y, const float *x, size_t n);

/** x *= a. @param[in,out] x [n]. */
void mae_rows_scale(float *x, float a, size_t n);

/** y += a * x. @param[in,out] y [n]. */
void mae_rows_axpy(float *y, float a, const float *x, size_t n);

/** out[r] = sum of a[r,:] * b[r,:]. @param[out] out [R]. @param lda,ldb between rows. */
void mae_rows_dot(float *out, const float *a, size_t lda, const float *b, size_t ldb,
                  size_t rows, size_t width);

/**
 * p[r,:] = softmax(scale * p[r,:]) in place; lse[r] = log sum exp(scale * p[r,:]).
 * @param[in,out] p [R,D], rows @p ld apart; the ld - width floats behind a row are
 *        overwritten (with zeros).
 * @param[out] lse [R] or NULL.
 */
void mae_rows_softmax(float *p, float *lse, size_t rows, size_t width, size_t ld,
                      float scale);

/**
 * Back through the softmax of attention, from raw scores s and the saved log-sum-exp:
 *   p = exp(scale * s - lse),   ds = scale * p * (dp - delta),  delta = sum of p * dp
 * @param[in,out] s [R,D] in: scores, out: p.  @param[in,out] dp [R,D] in: dp, out: ds.
 * @param ld of both; the ld - width floats behind a row are overwritten.
 */
void mae_rows_softmax_grad(float *s, float *dp, const float *lse, const float *delta,
                           size_t rows, size_t width, size_t ld, float scale);

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
