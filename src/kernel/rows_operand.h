/**
 * @file rows_operand.h
 * How the row kernels read and write operands: loops compute in f32. Operands that are
 * f32 are used where they lie; bf16 ones pass through a buffer of ROWS_CHUNK numbers that
 * stays in the level-1 cache.
 *
 *   xs = rows_widened(buffer, x, at, n);  ys = rows_room(buffer, y, at);
 *   ys[i] = f(xs[i]) for i < n;           rows_narrow(y, at, ys, n);
 *
 * Private to rows_impl.c, which is compiled once per instruction set.
 *
 * Shapes   n numbers from element at on; n <= ROWS_CHUNK where a buffer is in use.
 * Memory   Never allocates; buffers are the caller's.
 * Errors   Cannot fail.
 * Threads  Reentrant.
 */
#ifndef MAE_KERNEL_ROWS_OPERAND_H
#define MAE_KERNEL_ROWS_OPERAND_H

#include <stddef.h>
#include <stdint.h>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include "base/operand.h"
#include "base/size.h"

/** Numbers in a buffer: 2 KiB. */
#define ROWS_CHUNK 512

/** @p n numbers of @p x as f32: where they lie, or copied to @p buffer. */
static inline const float *rows_widened(float *buffer, MaeOperand x, size_t at, size_t n)
{
    const uint16_t *from = (const uint16_t *)x.data + at;

    if (x.type == MAE_F32)
        return (const float *)x.data + at;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        buffer[i] = mae_bf16_f32(from[i]);
    return buffer;
}

/** Where to put the f32 numbers that rows_narrow then makes elements @p at and on. */
static inline float *rows_room(float *buffer, MaeOperand y, size_t at)
{
    return y.type == MAE_F32 ? (float *)y.data + at : buffer;
}

/** Round @p x to nearest, ties to even, into @p y; nothing if @p y is f32. */
static inline void rows_narrow(MaeOperand y, size_t at, const float *x, size_t n)
{
    uint16_t *to = (uint16_t *)y.data + at;
    size_t i = 0;

    if (y.type == MAE_F32)
        return;
#ifdef __AVX512BF16__
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(to + i),
                            (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + i)));
#endif
#pragma omp simd
    for (size_t j = i; j < n; j++)
        to[j] = mae_bf16(x[j]);
}

#endif /* MAE_KERNEL_ROWS_OPERAND_H */
