/*
 * The passes of resize_table.h, compiled once per instruction set: the build defines
 * MAE_RESIZE_TABLE (the table's symbol) and MAE_RESIZE_NAME. Plain loops for the
 * vectoriser; integers only, so all sets agree.
 */
#include <string.h>

#include "image/resize_table.h"

extern const MaeResizeTable MAE_RESIZE_TABLE;

#define BAND MAE_RESIZE_BAND
#define BLOCK ((size_t)96) /* three channels of a band */

static inline uint8_t round_u8(int32_t sum)
{
    const int32_t value = sum >> MAE_RESIZE_BITS;

    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* A constant @p n, at most BLOCK, makes straight vector code of the inner loops. */
static inline void weigh_block(uint8_t *restrict out, const uint8_t *restrict in,
                               size_t step, const int32_t *restrict w, size_t taps,
                               size_t n)
{
    int32_t sum[BLOCK];

#pragma omp simd
    for (size_t i = 0; i < n; i++)
        sum[i] = 1 << (MAE_RESIZE_BITS - 1);
    for (size_t t = 0; t < taps; t++, in += step) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            sum[i] += w[t] * in[i];
    }
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        out[i] = round_u8(sum[i]);
}

static inline void weigh(uint8_t *out, const uint8_t *in, size_t step, const int32_t *w,
                         size_t taps, size_t n)
{
    size_t at = 0;

    for (; at + BLOCK <= n; at += BLOCK)
        weigh_block(out + at, in + at, step, w, taps, BLOCK);
    for (; at < n; at += BAND)
        weigh_block(out + at, in + at, step, w, taps, BAND);
}

static void down(uint8_t *out, const uint8_t *in, size_t step, const int32_t *w,
                 size_t taps, size_t n)
{
    weigh(out, in, step, w, taps, n);
}

/* Rows side by side. @param[out] turned [samples,32]. */
static void turn(uint8_t *restrict turned, const uint8_t *const restrict rows[BAND],
                 size_t samples)
{
    for (size_t i = 0; i < samples; i++) {
#pragma GCC unroll 32
        for (size_t r = 0; r < BAND; r++)
            turned[i * BAND + r] = rows[r][i];
    }
}

/* One channel of 32 pixels back into rows. @param stride bytes from row to row. */
static void turn_back(uint8_t *restrict out, size_t stride, const uint8_t *restrict sums,
                      size_t channels)
{
    uint8_t tile[BAND * BAND];

    for (size_t r = 0; r < BAND; r++) {
#pragma GCC unroll 32
        for (size_t x = 0; x < BAND; x++)
            tile[r * BAND + x] = sums[x * channels * BAND + r];
    }
    for (size_t r = 0; r < BAND; r++)
        memcpy(out + r * stride, tile + r * BAND, BAND);
}

static void across(const MaeResizeBand *band)
{
    const size_t channels = band->channels, step = channels * BAND;

    turn(band->turned, band->rows, band->pixels * channels);
    for (size_t i = 0; i < band->count; i++)
        weigh(band->sums + i * step, band->turned + band->start[i] * step, step,
              band->weights + i * band->taps, band->used[i], step);
    for (size_t c = 0; c < channels; c++) {
        for (size_t x = 0; x < band->plane; x += BAND)
            turn_back(band->out + c * band->plane + x, channels * band->plane,
                      band->sums + x * step + c * BAND, channels);
    }
}

const MaeResizeTable MAE_RESIZE_TABLE = {
    .name = MAE_RESIZE_NAME,
    .across = across,
    .down = down,
};
