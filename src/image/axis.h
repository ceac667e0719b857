/**
 * @file axis.h
 * One axis of a resampling: which inputs each output takes, and their weights; internal
 * to image/. The formula is in resize.h.
 *
 * A box of a scaled-down image may begin and end within a pixel: it then takes all of
 * these pixels, but the outputs lie where the box has them.
 *
 * Units    Inputs are pixels of the image, which is at 1/shrink of its picture.
 * Errors   Cannot fail; the arena has its own flag.
 */
#ifndef MAE_IMAGE_AXIS_H
#define MAE_IMAGE_AXIS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "image/resize.h"

/** Output first + i sums used[i] weighted inputs from low + start[i]. */
typedef struct MaeAxis {
    size_t base, in;      /* the inputs that may be taken: first, count */
    double from, span;    /* the box: its start behind base and its length */
    size_t out;           /* what the box is scaled to */
    size_t first, count;  /* the outputs that are wanted */
    size_t low, high;     /* the inputs that these take: first, end */
    size_t taps;          /* room for weights of an output */
    size_t *start, *used; /* [count] */
    int32_t *fixed;       /* [count,taps] weights of U8 in 2^-22 */
    float *real;          /* [count,taps] weights of U16 and F32 */
} MaeAxis;

/** Both axes of @p frame over an image at 1/shrink. */
void mae_axes(MaeAxis *x, MaeAxis *y, const MaeFrame *frame, unsigned shrink,
              MaeFilter filter);

/** Carve the tables; on a measuring arena only counts bytes. */
void mae_axis_reserve(MaeAxis *axis, MaeArena *arena, MaePixel type);

/** Fill the tables. @param mirror the last output comes first.  @param scratch [taps]. */
void mae_axis_fill(MaeAxis *axis, MaeFilter filter, bool mirror, double *scratch);

#endif /* MAE_IMAGE_AXIS_H */
