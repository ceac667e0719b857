/**
 * @file rows_softmax.h
 * Softmax of scores, its gradient, and cross-entropy, as kernel/rows.h documents them.
 *
 * Private to rows_impl.c, which is compiled once per instruction set.
 *
 * Errors   Cannot fail; broken preconditions assert. NaN gives NaN.
 * Threads  Reentrant.
 */
#ifndef MAE_KERNEL_ROWS_SOFTMAX_H
#define MAE_KERNEL_ROWS_SOFTMAX_H

#include <assert.h>
#include <math.h>
#include <stddef.h>

#include "kernel/rows_math.h"
#include "kernel/rows_operand.h"
#include "kernel/rows_wide.h"

/** Largest of @p x. A NaN may be passed over here; it reappears in the exponentials. */
static inline float rows_max(const float *x, size_t n)
{
    float max = -INFINITY;

#pragma omp simd reduction(max : max)
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/** mae_rows_softmax. Works over the padding too: whole vectors, no remainder loop. */
static inline void rows_softmax(MaeOperand p, float *lse, float *s, size_t rows,
                                size_t width, size_t ld, float scale)
{
    assert(ld >= width && scale > 0.0f);
#ifdef __AVX512BF16__
    if (p.type == MAE_BF16) {
        wide_softmax(p, lse, s, rows, width, ld, scale);
        return;
    }
#endif
    for (size_t r = 0; r < rows; r++, s += ld) {
        float max, norm, sum = 0.0f, *ps = rows_room(s, p, r * ld);

        for (size_t i = width; i < ld; i++)
            s[i] = -INFINITY;
        max = rows_max(s, ld);
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < ld; i++) {
            s[i] = rows_exp((s[i] - max) * scale);
            sum += s[i];
        }
        norm = 1.0f / sum;
#pragma omp simd
        for (size_t i = 0; i < ld; i++)
            ps[i] = norm * s[i];
        rows_narrow(p, r * ld, ps, ld);
        if (lse != NULL)
            lse[r] = scale * max + logf(sum);
    }
}

/** mae_rows_softmax_grad. */
static inline void rows_softmax_grad(MaeOperand p, MaeOperand ds, float *s, float *dp,
                                     const float *lse, size_t rows, size_t width,
                                     size_t ld, float scale)
{
    assert(ld >= width);
#ifdef __AVX512BF16__
    if (p.type == MAE_BF16 && ds.type == MAE_BF16) {
        wide_softmax_grad(p, ds, s, dp, lse, rows, width, ld, scale);
        return;
    }
#endif
    for (size_t r = 0; r < rows; r++, s += ld, dp += ld) {
        const float row_lse = lse[r];
        float *ps = rows_room(s, p, r * ld), *dss = rows_room(dp, ds, r * ld);
        float mean = 0.0f;

        for (size_t i = width; i < ld; i++) {
            s[i] = -INFINITY;
            dp[i] = 0.0f;
        }
#pragma omp simd reduction(+ : mean)
        for (size_t i = 0; i < ld; i++) {
            ps[i] = rows_exp(scale * s[i] - row_lse);
            mean += ps[i] * dp[i];
        }
#pragma omp simd
        for (size_t i = 0; i < ld; i++)
            dss[i] = scale * ps[i] * (dp[i] - mean);
        rows_narrow(p, r * ld, ps, ld);
        rows_narrow(ds, r * ld, dss, ld);
    }
}

/** exp(x - max) to @p e, which may be @p x or NULL; the sum in double. */
static inline double rows_exp_sum(float *e, const float *x, float max, size_t n)
{
    double sum = 0.0;

    if (e == NULL) {
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++)
            sum += (double)rows_exp(x[i] - max);
    } else {
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++) {
            e[i] = rows_exp(x[i] - max);
            sum += (double)e[i];
        }
    }
    return sum;
}

/** mae_rows_cross_entropy. */
static inline void rows_cross_entropy(double *loss, float *dlogits, const float *logits,
                                      const float *targets, float grad_scale, size_t rows,
                                      size_t classes)
{
    for (size_t r = 0; r < rows; r++, logits += classes, targets += classes) {
        const float max = rows_max(logits, classes);
        double below = 0.0, sum;

#pragma omp simd reduction(+ : below)
        for (size_t i = 0; i < classes; i++)
            below += (double)targets[i] * ((double)max - (double)logits[i]);
        sum = rows_exp_sum(dlogits, logits, max, classes);
        loss[r] = below + log(sum);
        if (dlogits != NULL) {
            const float norm = (float)(1.0 / sum);

#pragma omp simd
            for (size_t i = 0; i < classes; i++)
                dlogits[i] = grad_scale * (norm * dlogits[i] - targets[i]);
            dlogits += classes;
        }
    }
}

#endif /* MAE_KERNEL_ROWS_SOFTMAX_H */
