#include "image/axis.h"

#include <math.h>

#include "image/resize_table.h"

static double bicubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double support_of(const MaeAxis *axis, MaeFilter filter)
{
    return (filter == MAE_BICUBIC ? 2.0 : 1.0) *
           fmax(axis->span / (double)axis->out, 1.0);
}

/* Copied, so that zero weights do not touch infinities. */
static bool keeps_size(const MaeAxis *axis)
{
    return axis->span == (double)axis->out && axis->from == 0.0;
}

static double center_of(const MaeAxis *axis, size_t at)
{
    return axis->from + ((double)at + 0.5) * (axis->span / (double)axis->out);
}

/* First input, behind base, and number of inputs of output @p at. */
static size_t window(size_t *used, const MaeAxis *axis, size_t at, double support)
{
    const double center = center_of(axis, at);
    const double low = center - support + 0.5, high = center + support + 0.5;
    const size_t start = low > 0.0 ? (size_t)low : 0;
    const size_t end = high < (double)axis->in ? (size_t)high : axis->in;

    *used = keeps_size(axis) ? 1 : end - start;
    return keeps_size(axis) ? at : start;
}

static MaeAxis axis_of(size_t start, size_t length, unsigned shrink, size_t out,
                       size_t first, size_t count, MaeFilter filter)
{
    const size_t base = start / shrink, end = (start + length + shrink - 1) / shrink;
    MaeAxis axis = {
        .base = base,
        .in = end - base,
        .from = (double)start / shrink - (double)base,
        .span = (double)length / shrink,
        .out = out,
        .first = first,
        .count = count,
        .taps = 1,
    };
    const double support = support_of(&axis, filter);
    size_t used;

    if (!keeps_size(&axis))
        axis.taps = 2 * (size_t)ceil(support) + 1;
    axis.low = base + window(&used, &axis, first, support);
    axis.high = base + window(&used, &axis, first + count - 1, support);
    axis.high += used;
    return axis;
}

void mae_axes(MaeAxis *x, MaeAxis *y, const MaeFrame *frame, unsigned shrink,
              MaeFilter filter)
{
    const MaeBox box = frame->box, keep = frame->keep;

    *x =
        axis_of(box.left, box.width, shrink, frame->width, keep.left, keep.width, filter);
    *y = axis_of(box.top, box.height, shrink, frame->height, keep.top, keep.height,
                 filter);
}

void mae_axis_reserve(MaeAxis *axis, MaeArena *arena, MaePixel type)
{
    axis->start = mae_arena_bytes(arena, axis->count, sizeof *axis->start);
    axis->used = mae_arena_bytes(arena, axis->count, sizeof *axis->used);
    if (axis->taps > SIZE_MAX / axis->count)
        arena->failed = true;
    else if (type == MAE_PIXEL_U8)
        axis->fixed = mae_arena_bytes(arena, axis->count * axis->taps, sizeof(int32_t));
    else
        axis->real = mae_arena_floats(arena, axis->count * axis->taps);
}

/* Weights of one output, which sum to 1. @return first input behind base. */
static size_t weigh(double *weights, size_t *used, const MaeAxis *axis, size_t at,
                    MaeFilter filter, double support)
{
    const double inverse = 1.0 / fmax(axis->span / (double)axis->out, 1.0);
    const double center = center_of(axis, at);
    const size_t start = window(used, axis, at, support);
    double sum = 0.0;

    for (size_t t = 0; t < *used; t++) {
        const double x = ((double)(t + start) - center + 0.5) * inverse;

        weights[t] = filter == MAE_BICUBIC ? bicubic(x) : bilinear(x);
        sum += weights[t];
    }
    for (size_t t = 0; t < *used && sum != 0.0; t++)
        weights[t] /= sum;
    return start;
}

void mae_axis_fill(MaeAxis *axis, MaeFilter filter, bool mirror, double *scratch)
{
    const double support = support_of(axis, filter);

    for (size_t i = 0; i < axis->count; i++) {
        const size_t to = mirror ? axis->count - 1 - i : i;

        axis->start[to] =
            axis->base - axis->low +
            weigh(scratch, &axis->used[to], axis, axis->first + i, filter, support);
        for (size_t t = 0; t < axis->used[to]; t++) {
            const double w = scratch[t];

            if (axis->fixed != NULL)
                axis->fixed[to * axis->taps + t] =
                    (int32_t)((w < 0.0 ? -0.5 : 0.5) + w * (1 << MAE_RESIZE_BITS));
            else
                axis->real[to * axis->taps + t] = (float)w;
        }
    }
}
