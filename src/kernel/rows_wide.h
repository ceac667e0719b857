/**
 * @file rows_wide.h
 * GELU and softmax where results are bf16 and the processor rounds to bf16 itself
 * (AVX-512 BF16). A bf16 has 8 bits, so exp and the normal distribution function get by
 * with fewer terms than rows_math.h and with an estimated reciprocal: errors of 3e-6 and
 * 1e-4 against 2e-3 of the rounding. That halves the time of what is most of an
 * encoder's work beside its products.
 *
 * Private to rows_impl.c; empty for other instruction sets. Functions are documented in
 * kernel/rows.h. Polynomials are minimax fits (Remez exchange).
 *
 * Shapes   Any sizes: the last vector of a row is masked.
 * Errors   Cannot fail; broken preconditions assert. NaN gives NaN.
 * Threads  Reentrant.
 */
#ifndef MAE_KERNEL_ROWS_WIDE_H
#define MAE_KERNEL_ROWS_WIDE_H

#ifdef __AVX512BF16__

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "base/operand.h"

/** Floats of a vector. */
#define WIDE 16

/** The numbers that are left of @p n from @p at on, at most a vector. */
static inline __mmask16 wide_mask(size_t n, size_t at)
{
    return (__mmask16)(n - at >= WIDE ? 0xffffu : (1u << (n - at)) - 1u);
}

static inline __m512 wide_load(MaeOperand x, size_t at, __mmask16 mask)
{
    const uint16_t *from = (const uint16_t *)x.data + at;

    return _mm512_castsi512_ps(_mm512_slli_epi32(
        _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from)), 16));
}

static inline void wide_store(MaeOperand y, size_t at, __mmask16 mask, __m512 x)
{
    uint16_t *to = (uint16_t *)y.data + at;

    _mm256_mask_storeu_epi16(to, mask, (__m256i)_mm512_cvtneps_pbh(x));
}

/** sum of c[i] x^i for i < n, by Horner's rule. */
static inline __m512 wide_polynomial(__m512 x, const float *c, size_t n)
{
    __m512 y = _mm512_set1_ps(c[n - 1]);

    for (size_t i = n - 1; i-- > 0;)
        y = _mm512_fmadd_ps(y, x, _mm512_set1_ps(c[i]));
    return y;
}

/** e^x = 2^n 2^f, |f| <= 1/2; relative error 2.6e-6 of 2^f. -inf gives 0. */
static inline __m512 wide_exp(__m512 x)
{
    static const float c[] = {0.99999926f, 0.69312181f, 0.24024745f, 0.05591786f,
                              0.0095701f};
    /* the maximum is its second argument if that is NaN */
    const __m512 t = _mm512_max_ps(_mm512_set1_ps(-200.0f),
                                   _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)));
    const __m512 n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT);

    return _mm512_scalef_ps(wide_polynomial(_mm512_sub_ps(t, n), c, 5), n);
}

/**
 * Distribution function of the standard normal distribution, as rows_normal has it but
 * for a polynomial of degree 5 (relative error 3.3e-5).
 * @param[out] e exp(-x^2 / 2).
 */
static inline __m512 wide_below(__m512 x, __m512 *e)
{
    static const float c[] = {0.5f,           -0.399136196f,  0.15111078f,
                              -0.0342203803f, 0.00435688911f, -0.000240855441f};
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 a = _mm512_min_ps(_mm512_set1_ps(14.0f), _mm512_abs_ps(x));
    const __m512 u =
        _mm512_mul_ps(a, _mm512_rcp14_ps(_mm512_fmadd_ps(a, _mm512_set1_ps(0.25f), one)));
    __m512 tail;

    *e = wide_exp(_mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.5f)));
    tail = _mm512_mul_ps(*e, wide_polynomial(u, c, 6));
    return _mm512_mask_sub_ps(
        tail, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ), one, tail);
}

static inline void wide_gelu(MaeOperand y, MaeOperand x, size_t count)
{
    for (size_t i = 0; i < count; i += WIDE) {
        const __mmask16 mask = wide_mask(count, i);
        const __m512 xs = wide_load(x, i, mask);
        __m512 e;

        wide_store(y, i, mask, _mm512_mul_ps(xs, wide_below(xs, &e)));
    }
}

static inline void wide_gelu_grad(MaeOperand dx, MaeOperand y, float *sum, MaeOperand x,
                                  size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < width; i += WIDE) {
            const __mmask16 mask = wide_mask(width, i);
            const size_t at = r * width + i;
            const __m512 xs = wide_load(x, at, mask), dy = wide_load(dx, at, mask);
            __m512 e, below = wide_below(xs, &e), d;

            d = _mm512_fmadd_ps(_mm512_mul_ps(xs, e), _mm512_set1_ps(0.398942280f),
                                below);
            d = _mm512_mul_ps(dy, d);
            wide_store(dx, at, mask, d);
            wide_store(y, at, mask, _mm512_mul_ps(xs, below));
            _mm512_mask_storeu_ps(sum + i, mask,
                                  _mm512_add_ps(_mm512_maskz_loadu_ps(mask, sum + i), d));
        }
    }
}

static inline float wide_max(const float *x, size_t n)
{
    __m512 max = _mm512_set1_ps(-INFINITY);

    for (size_t i = 0; i < n; i += WIDE)
        max = _mm512_mask_max_ps(max, wide_mask(n, i), max,
                                 _mm512_maskz_loadu_ps(wide_mask(n, i), x + i));
    return _mm512_reduce_max_ps(max);
}

static inline void wide_softmax(MaeOperand p, float *lse, float *s, size_t rows,
                                size_t width, size_t ld, float scale)
{
    for (size_t r = 0; r < rows; r++, s += ld) {
        const float max = wide_max(s, width);
        const __m512 factor = _mm512_set1_ps(scale);
        const __m512 shift = _mm512_set1_ps(-scale * max);
        __m512 sums = _mm512_setzero_ps(), norm;
        float sum;

        for (size_t i = 0; i < width; i += WIDE) {
            const __mmask16 mask = wide_mask(width, i);
            const __m512 e = wide_exp(
                _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, s + i), factor, shift));

            _mm512_mask_storeu_ps(s + i, mask, e);
            sums = _mm512_mask_add_ps(sums, mask, sums, e);
        }
        sum = _mm512_reduce_add_ps(sums);
        norm = _mm512_set1_ps(1.0f / sum);
        for (size_t i = 0; i < ld; i += WIDE) {
            const __mmask16 row = i < width ? wide_mask(width, i) : 0;

            wide_store(p, r * ld + i, wide_mask(ld, i),
                       _mm512_mul_ps(norm, _mm512_maskz_loadu_ps(row, s + i)));
        }
        if (lse != NULL)
            lse[r] = scale * max + logf(sum);
    }
}

static inline void wide_softmax_grad(MaeOperand p, MaeOperand ds, float *s,
                                     const float *dp, const float *lse, size_t rows,
                                     size_t width, size_t ld, float scale)
{
    const __m512 factor = _mm512_set1_ps(scale);

    for (size_t r = 0; r < rows; r++, s += ld, dp += ld) {
        const __m512 shift = _mm512_set1_ps(-lse[r]);
        __m512 sums = _mm512_setzero_ps(), mean;

        for (size_t i = 0; i < width; i += WIDE) {
            const __mmask16 mask = wide_mask(width, i);
            const __m512 e = wide_exp(
                _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, s + i), factor, shift));

            _mm512_mask_storeu_ps(s + i, mask, e);
            sums =
                _mm512_mask3_fmadd_ps(e, _mm512_maskz_loadu_ps(mask, dp + i), sums, mask);
        }
        mean = _mm512_set1_ps(_mm512_reduce_add_ps(sums));
        for (size_t i = 0; i < ld; i += WIDE) {
            const __mmask16 all = wide_mask(ld, i);
            const __mmask16 row = i < width ? wide_mask(width, i) : 0;
            const __m512 e = _mm512_maskz_loadu_ps(row, s + i);
            const __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(row, dp + i), mean);

            wide_store(p, r * ld + i, all, e);
            wide_store(ds, r * ld + i, all, _mm512_mul_ps(_mm512_mul_ps(factor, e), d));
        }
    }
}

#undef WIDE

#endif /* __AVX512BF16__ */

#endif /* MAE_KERNEL_ROWS_WIDE_H */
