/**
 * @file resize_table.h
 * The two passes over 8-bit samples, one table per instruction set; private to src/image
 * and its tests.
 *
 * Both passes are the same sum over taps of rows of samples that lie side by side:
 *   out[i] = clip((sum_t w[t] in[t * step + i] + 2^21) >> 22)
 * The horizontal pass turns 32 rows at a time into columns for it, and the result back.
 * resize_impl.c is compiled once per set; resize.c calls through the best table.
 *
 * Units    w: weights in 2^-22, as Pillow's. Their absolute sum is below 2, so that 32
 *          bits hold every sum.
 * Errors   Cannot fail. All tables give the same bits.
 * Threads  Reentrant; tables are constant.
 */
#ifndef MAE_IMAGE_RESIZE_TABLE_H
#define MAE_IMAGE_RESIZE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/** Pillow's PRECISION_BITS: 32 less 8 of a sample and 2 of headroom. */
#define MAE_RESIZE_BITS 22
/** Rows of a horizontal pass; lines of samples are padded to a multiple of it. */
#define MAE_RESIZE_BAND ((size_t)32)

/** The horizontal pass over one band. Output i takes used[i] pixels from start[i]. */
typedef struct MaeResizeBand {
    const uint8_t *rows[MAE_RESIZE_BAND]; /* [pixels,C] each */
    size_t pixels, channels;
    size_t count, taps;         /* outputs; weights of each */
    const size_t *start, *used; /* [count] */
    const int32_t *weights;     /* [count,taps] */
    uint8_t *turned;            /* [pixels,C,32], scratch */
    uint8_t *sums;              /* [plane,C,32], scratch; zero from [count] on */
    uint8_t *out;               /* [32,C,plane] */
    size_t plane;               /* count, padded */
} MaeResizeBand;

/** Kernels of one instruction set. */
typedef struct MaeResizeTable {
    const char *name; /* "portable", "avx2", "avx512" */
    void (*across)(const MaeResizeBand *band);
    /** The vertical pass: one row. @p n a multiple of 32. */
    void (*down)(uint8_t *out, const uint8_t *in, size_t step, const int32_t *w,
                 size_t taps, size_t n);
} MaeResizeTable;

/** The fastest table this processor can run; never NULL. Costs a load after the first. */
const MaeResizeTable *mae_resize_best(void);

/** The @p i-th table, slowest first; NULL past the last one this processor can run. */
const MaeResizeTable *mae_resize_table(size_t i);

#endif /* MAE_IMAGE_RESIZE_TABLE_H */
