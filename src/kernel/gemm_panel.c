/* Compiled for AVX-512 BF16; see kernel/meson.build. */
#include "kernel/gemm_panel.h"

#include <assert.h>
#include <immintrin.h>
#include <string.h>

/* Floats of a vector, which is as many pairs of bf16. */
#define LANES 16
#define ROWS 6
#define VECTORS (MAE_PANEL_COLUMNS / LANES)

static inline __mmask16 lanes(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

static inline __mmask32 numbers(size_t n)
{
    return n >= 2 * LANES ? 0xffffffffu : (1u << n) - 1u;
}

/* --- packing ---------------------------------------------------------------------- */

/* Numbers @p first to first + 15 of two vectors, in turns. */
static inline __m512i turns(int first)
{
    const __m512i count =
        _mm512_set_epi16(15, 15, 14, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 7, 7,
                         6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512i other = _mm512_set1_epi32(32 << 16);

    return _mm512_add_epi16(_mm512_add_epi16(count, other),
                            _mm512_set1_epi16((short)first));
}

void mae_panel_pack(uint16_t *to, const uint16_t *x, size_t ld, size_t k, size_t n)
{
    const size_t up = (n + LANES - 1) / LANES * LANES;
    const __m512i low = turns(0), high = turns(LANES);

    for (size_t j = 0; j < n; j += 2 * LANES) {
        const __mmask32 mask = numbers(n - j);
        const uint16_t *a = x + j;
        uint16_t *pair = to + 2 * j;

        for (size_t p = 0; p < k; p += 2, a += 2 * ld, pair += 2 * up) {
            const __m512i even = _mm512_maskz_loadu_epi16(mask, a);
            const __m512i odd =
                _mm512_maskz_loadu_epi16(p + 1 < k ? mask : 0, p + 1 < k ? a + ld : a);

            _mm512_store_si512(pair, _mm512_permutex2var_epi16(even, low, odd));
            if (j + LANES < n)
                _mm512_store_si512(pair + 2 * LANES,
                                   _mm512_permutex2var_epi16(even, high, odd));
        }
    }
}

/* Transpose 16 x 16 pairs. */
static inline void turn(__m512i r[LANES])
{
    __m512i t[LANES];

    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

void mae_panel_pack_turned(uint16_t *to, const uint16_t *x, size_t ld, size_t k, size_t n)
{
    const size_t up = (n + LANES - 1) / LANES * LANES, pairs = (k + 1) / 2;

    for (size_t p = 0; p < pairs; p += LANES) {
        const __mmask32 mask = numbers(k - 2 * p);

        for (size_t j = 0; j < n; j += LANES) {
            __m512i r[LANES];

            for (size_t i = 0; i < LANES; i++)
                r[i] = j + i < n
                           ? _mm512_maskz_loadu_epi16(mask, x + (j + i) * ld + 2 * p)
                           : _mm512_setzero_si512();
            turn(r);
            for (size_t i = 0; i < LANES && p + i < pairs; i++)
                _mm512_store_si512(to + ((p + i) * up + j) * 2, r[i]);
        }
    }
}

/* --- multiplying ------------------------------------------------------------------ */

/* The pair at @p a, or the single number before a zero, in all lanes. */
static inline __m512bh spread(const uint16_t *a, int single)
{
    uint32_t pair = *a;

    if (!single)
        memcpy(&pair, a, sizeof pair);
    return (__m512bh)_mm512_set1_epi32((int)pair);
}

static inline void add_pair(__m512 sum[ROWS][VECTORS], const MaePanel *p,
                            const uint16_t *a, const uint16_t *b, int single, int rows,
                            int vectors)
{
    __m512bh columns[VECTORS];

#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++)
        columns[j] = (__m512bh)_mm512_load_si512(b + 2 * LANES * j);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        const __m512bh row = spread(a + (size_t)i * p->a_row, single);

#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[i][j] = _mm512_dpbf16_ps(sum[i][j], row, columns[j]);
    }
}

static inline void store(const MaePanel *p, size_t row, size_t column, __mmask16 mask,
                         __m512 sum)
{
    const size_t at = row * p->ldc + column;

    if (p->bias != NULL)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, p->bias + column));
    if (p->res != NULL)
        sum = _mm512_add_ps(
            sum, _mm512_maskz_loadu_ps(mask, p->res + row * p->ldres + column));
    if (p->stream)
        _mm512_stream_ps((float *)p->c.data + at, sum);
    else if (p->c.type == MAE_F32)
        _mm512_mask_storeu_ps((float *)p->c.data + at, mask, sum);
    else
        _mm256_mask_storeu_epi16((uint16_t *)p->c.data + at, mask,
                                 (__m256i)_mm512_cvtneps_pbh(sum));
}

/*
 * What the sums will meet in memory is on its way while they are taken. Always inlined:
 * gcc drops calls of functions that do nothing but prefetch.
 */
static inline __attribute__((always_inline)) void fetch_res(const MaePanel *p, size_t row,
                                                            int rows, int vectors)
{
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < vectors; j++)
            _mm_prefetch(
                (const char *)(p->res + (row + (size_t)i) * p->ldres + LANES * j),
                _MM_HINT_T0);
    }
}

/* The share of what will be packed next that is due when rows up to @p row are. */
static inline __attribute__((always_inline)) void fetch_next(const MaePanel *p,
                                                             size_t row, size_t rows)
{
    const size_t end = p->next_rows * (row + rows) / p->m;

    for (size_t r = p->next_rows * row / p->m; r < end; r++) {
        const uint16_t *x = p->next + r * p->next_ld;

        for (size_t i = 0; i < p->next_columns; i += 2 * LANES)
            _mm_prefetch((const char *)(x + i), _MM_HINT_T1);
    }
}

/* Rows from @p row on; @p rows and @p vectors are constants wherever this is inlined. */
static inline __attribute__((always_inline)) void
multiply_rows(const MaePanel *p, size_t row, int rows, int vectors)
{
    const size_t step = 2 * LANES * (size_t)vectors;
    const uint16_t *a = p->a + row * p->a_row, *b = p->b;
    __m512 sum[ROWS][VECTORS];

    if (p->next != NULL)
        fetch_next(p, row, (size_t)rows);
    if (p->res != NULL)
        fetch_res(p, row, rows, vectors);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[i][j] = _mm512_setzero_ps();
    }
    for (size_t pair = 0; pair < p->k / 2; pair++, a += p->a_pair, b += step)
        add_pair(sum, p, a, b, 0, rows, vectors);
    if (p->k % 2 != 0)
        add_pair(sum, p, a, b, 1, rows, vectors);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            store(p, row + (size_t)i, (size_t)(LANES * j),
                  j + 1 < vectors ? 0xffff : lanes(p->n - (size_t)(LANES * j)),
                  sum[i][j]);
    }
}

static inline __attribute__((always_inline)) void multiply_all(const MaePanel *p,
                                                               int vectors)
{
    size_t row = 0;

    for (; row + ROWS <= p->m; row += ROWS)
        multiply_rows(p, row, ROWS, vectors);
    switch (p->m - row) {
    case 5:
        multiply_rows(p, row, 5, vectors);
        break;
    case 4:
        multiply_rows(p, row, 4, vectors);
        break;
    case 3:
        multiply_rows(p, row, 3, vectors);
        break;
    case 2:
        multiply_rows(p, row, 2, vectors);
        break;
    case 1:
        multiply_rows(p, row, 1, vectors);
        break;
    default:
        break;
    }
}

void mae_panel_multiply(const MaePanel *panel)
{
    assert(panel->n > 0 && panel->n <= MAE_PANEL_COLUMNS);
    switch ((panel->n + LANES - 1) / LANES) {
    case 4:
        multiply_all(panel, 4);
        break;
    case 3:
        multiply_all(panel, 3);
        break;
    case 2:
        multiply_all(panel, 2);
        break;
    default:
        multiply_all(panel, 1);
        break;
    }
}
