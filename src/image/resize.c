#include "image/resize.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Pillow's PRECISION_BITS: 32 less 8 of a pixel and 2 of headroom. */
#define FIXED_BITS 22
#define BLOCK ((size_t)64)

/* How one axis is resampled: output i sums used[i] weighted inputs from start[i]. */
typedef struct Axis {
    size_t in, out;       /* whole sizes */
    size_t first, count;  /* the outputs that are wanted */
    size_t taps;          /* room per output in the weights */
    size_t *start, *used; /* [count] */
    int32_t *fixed;       /* [count,taps] weights of U8 */
    float *real;          /* [count,taps] weights of U16 and F32 */
} Axis;

/* Everything a call needs beside source and destination. */
typedef struct Plan {
    Axis x, y;
    size_t channels, row; /* row = x.count * channels samples */
    size_t top, height;   /* box rows that the vertical pass reads */
    double *weights;      /* one output's */
    uint8_t *middle_u8;   /* [height,row] after the horizontal pass */
    float *middle_f32;    /* the same, U16 and F32 */
    float *line;          /* one source or output row */
} Plan;

typedef struct Filter {
    double support;
    double (*weight)(double x);
} Filter;

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

static Filter filter_of(MaeFilter filter)
{
    return filter == MAE_BICUBIC ? (Filter){2.0, bicubic} : (Filter){1.0, bilinear};
}

static double filter_scale(const Axis *axis)
{
    return fmax((double)axis->in / (double)axis->out, 1.0);
}

/*
 * First input and number of inputs of output @p at: those within the filter's support. An
 * axis that keeps its size copies, so that zero weights do not touch infinities.
 */
static size_t window(size_t *used, const Axis *axis, size_t at, Filter filter)
{
    const double center = ((double)at + 0.5) * ((double)axis->in / (double)axis->out);
    const double support = filter.support * filter_scale(axis);
    const double low = center - support + 0.5, high = center + support + 0.5;
    const size_t start = low > 0.0 ? (size_t)low : 0;
    const size_t end = high < (double)axis->in ? (size_t)high : axis->in;

    *used = axis->in == axis->out ? 1 : end - start;
    return axis->in == axis->out ? at : start;
}

static void fill_axis(Axis *axis, Filter filter, double *weights)
{
    const double scale = (double)axis->in / (double)axis->out;
    const double inverse = 1.0 / filter_scale(axis);

    for (size_t i = 0; i < axis->count; i++) {
        const double center = ((double)(axis->first + i) + 0.5) * scale;
        const size_t start = window(&axis->used[i], axis, axis->first + i, filter);
        double sum = 0.0;

        axis->start[i] = start;
        for (size_t t = 0; t < axis->used[i]; t++) {
            weights[t] = filter.weight(((double)(t + start) - center + 0.5) * inverse);
            sum += weights[t];
        }
        for (size_t t = 0; t < axis->used[i]; t++) {
            const double w = sum != 0.0 ? weights[t] / sum : weights[t];

            if (axis->fixed != NULL)
                axis->fixed[i * axis->taps + t] =
                    (int32_t)((w < 0.0 ? -0.5 : 0.5) + w * (1 << FIXED_BITS));
            else
                axis->real[i * axis->taps + t] = (float)w;
        }
    }
}

static void reserve_axis(Axis *axis, MaeArena *arena, MaePixel type)
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

static void reserve(Plan *plan, MaeArena *arena, MaePixel type)
{
    const size_t taps = plan->x.taps > plan->y.taps ? plan->x.taps : plan->y.taps;

    reserve_axis(&plan->x, arena, type);
    reserve_axis(&plan->y, arena, type);
    plan->weights = mae_arena_bytes(arena, taps, sizeof *plan->weights);
    if (plan->row > SIZE_MAX / plan->height) {
        arena->failed = true;
    } else if (type == MAE_PIXEL_U8) {
        plan->middle_u8 = mae_arena_bytes(arena, plan->height * plan->row, 1);
    } else {
        plan->middle_f32 = mae_arena_floats(arena, plan->height * plan->row);
        plan->line = mae_arena_bytes(
            arena, plan->x.in > plan->x.count ? plan->x.in : plan->x.count,
            plan->channels * sizeof *plan->line);
    }
}

/* Count, grow the scratch memory if it is too small, carve. */
static MaeStatus carve(Plan *plan, MaeResizer *scratch, MaePixel type, MaeError *err)
{
    MaeArena need = mae_arena_measure();

    reserve(plan, &need, type);
    if (need.failed || need.used > scratch->arena.size) {
        mae_arena_close(&scratch->arena);
        MAE_TRY(mae_arena_open(&scratch->arena, &need, "resize", err));
    }
    mae_arena_reset(&scratch->arena, 0);
    reserve(plan, &scratch->arena, type);
    return mae_arena_check(&scratch->arena, "resize", err);
}

static uint8_t round_u8(int32_t sum)
{
    const int32_t value = sum >> FIXED_BITS;

    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One output pixel; a constant @p channels up to 4 keeps the sums in registers. */
static inline void across_pixel(uint8_t *out, const uint8_t *in, const int32_t *w,
                                size_t taps, size_t step, size_t channels)
{
    int32_t sum[4];

    for (size_t c = 0; c < channels; c++)
        sum[c] = 1 << (FIXED_BITS - 1);
    for (size_t t = 0; t < taps; t++, in += step) {
        for (size_t c = 0; c < channels; c++)
            sum[c] += w[t] * in[c];
    }
    for (size_t c = 0; c < channels; c++)
        out[c] = round_u8(sum[c]);
}

static void across_u8(uint8_t *out, const uint8_t *in, const Axis *x, size_t channels)
{
    const int32_t *w = x->fixed;

    for (size_t i = 0; i < x->count; i++, out += channels, w += x->taps) {
        const uint8_t *from = in + x->start[i] * channels;

        if (channels == 3)
            across_pixel(out, from, w, x->used[i], 3, 3);
        else
            for (size_t c = 0; c < channels; c++)
                across_pixel(out + c, from + c, w, x->used[i], channels, 1);
    }
}

/* One output row from @p taps rows of @p row samples. */
static void down_u8(uint8_t *out, const uint8_t *in, const int32_t *w, size_t taps,
                    size_t row)
{
    for (size_t at = 0; at < row; at += BLOCK) {
        const size_t n = row - at < BLOCK ? row - at : BLOCK;
        int32_t sum[BLOCK];

        for (size_t i = 0; i < n; i++)
            sum[i] = 1 << (FIXED_BITS - 1);
        for (size_t t = 0; t < taps; t++) {
            const uint8_t *from = in + t * row + at;

            for (size_t i = 0; i < n; i++)
                sum[i] += w[t] * from[i];
        }
        for (size_t i = 0; i < n; i++)
            out[at + i] = round_u8(sum[i]);
    }
}

static void across_f32(float *out, const float *in, const Axis *x, size_t channels)
{
    const float *w = x->real;

    for (size_t i = 0; i < x->count; i++, w += x->taps) {
        const float *from = in + x->start[i] * channels;

        for (size_t c = 0; c < channels; c++) {
            float sum = 0.0f;

            for (size_t t = 0; t < x->used[i]; t++)
                sum += w[t] * from[t * channels + c];
            *out++ = sum;
        }
    }
}

/* One output row, added up in its final place. */
static void down_f32(float *out, const float *in, const float *w, size_t taps, size_t row)
{
    memset(out, 0, row * sizeof *out);
    for (size_t t = 0; t < taps; t++, in += row) {
        for (size_t i = 0; i < row; i++)
            out[i] += w[t] * in[i];
    }
}

static const uint8_t *source_row(const MaeImage *src, const Plan *plan, MaeBox box,
                                 size_t row)
{
    return (const uint8_t *)src->data +
           (box.top + plan->top + row) * mae_image_row_bytes(src) +
           box.left * src->channels * mae_pixel_size(src->type);
}

static void run_u8(MaeImage *dst, const MaeImage *src, MaeBox box, const Plan *plan)
{
    const Axis *y = &plan->y;
    uint8_t *out = dst->data;

    for (size_t r = 0; r < plan->height; r++)
        across_u8(plan->middle_u8 + r * plan->row, source_row(src, plan, box, r),
                  &plan->x, plan->channels);
    for (size_t i = 0; i < y->count; i++, out += plan->row)
        down_u8(out, plan->middle_u8 + (y->start[i] - plan->top) * plan->row,
                y->fixed + i * y->taps, y->used[i], plan->row);
}

static void load_line(float *line, const void *from, size_t n, MaePixel type)
{
    const uint16_t *samples = from;

    if (type == MAE_PIXEL_F32) {
        memcpy(line, from, n * sizeof *line);
        return;
    }
    for (size_t i = 0; i < n; i++)
        line[i] = (float)samples[i];
}

static void store_line(void *to, const float *line, size_t n, MaePixel type)
{
    uint16_t *samples = to;

    if (type == MAE_PIXEL_F32) {
        memcpy(to, line, n * sizeof *line);
        return;
    }
    for (size_t i = 0; i < n; i++)
        samples[i] = (uint16_t)(fminf(fmaxf(line[i], 0.0f), 65535.0f) + 0.5f);
}

static void run_f32(MaeImage *dst, const MaeImage *src, MaeBox box, const Plan *plan)
{
    const Axis *y = &plan->y;
    const size_t row_bytes = mae_image_row_bytes(dst);
    uint8_t *out = dst->data;

    for (size_t r = 0; r < plan->height; r++) {
        load_line(plan->line, source_row(src, plan, box, r), plan->x.in * plan->channels,
                  src->type);
        across_f32(plan->middle_f32 + r * plan->row, plan->line, &plan->x,
                   plan->channels);
    }
    for (size_t i = 0; i < y->count; i++, out += row_bytes) {
        down_f32(plan->line, plan->middle_f32 + (y->start[i] - plan->top) * plan->row,
                 y->real + i * y->taps, y->used[i], plan->row);
        store_line(out, plan->line, plan->row, dst->type);
    }
}

static Axis axis_of(size_t in, size_t out, size_t first, size_t count, Filter filter)
{
    Axis axis = {.in = in, .out = out, .first = first, .count = count, .taps = 1};

    if (in != out)
        axis.taps = 2 * (size_t)ceil(filter.support * filter_scale(&axis)) + 1;
    return axis;
}

/* Resample the box to [y->out,x->out], of which the axes' windows are kept. */
static MaeStatus resample(MaeImage *dst, const MaeImage *src, MaeBox box, Axis x, Axis y,
                          Filter filter, MaeResizer *scratch, MaeError *err)
{
    Plan plan = {.x = x, .y = y, .channels = src->channels};
    MaeResizer own = {0};
    MaeResizer *use = scratch != NULL ? scratch : &own;
    size_t last;
    MaeStatus status;

    assert(dst != src);
    MAE_TRY(mae_image_reshape(dst, y.count, x.count, src->channels, src->type, err));
    plan.row = x.count * src->channels;
    plan.top = window(&last, &plan.y, y.first, filter);
    plan.height = window(&last, &plan.y, y.first + y.count - 1, filter) + last - plan.top;
    status = carve(&plan, use, src->type, err);
    if (status == MAE_OK) {
        fill_axis(&plan.x, filter, plan.weights);
        fill_axis(&plan.y, filter, plan.weights);
        if (src->type == MAE_PIXEL_U8)
            run_u8(dst, src, box, &plan);
        else
            run_f32(dst, src, box, &plan);
        dst->warnings = src->warnings;
    }
    mae_resizer_done(&own);
    return status;
}

void mae_resizer_done(MaeResizer *scratch)
{
    if (scratch != NULL)
        mae_arena_close(&scratch->arena);
}

MaeStatus mae_image_resize(MaeImage *dst, const MaeImage *src, MaeBox box, size_t out_h,
                           size_t out_w, MaeFilter filter, MaeResizer *scratch,
                           MaeError *err)
{
    const Filter use = filter_of(filter);

    if (box.height == 0 || box.width == 0 || box.top > src->height ||
        box.height > src->height - box.top || box.left > src->width ||
        box.width > src->width - box.left)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "resize: box at row %zu, column %zu of [%zu,%zu] is outside [%zu,%zu]",
                 box.top, box.left, box.height, box.width, src->height, src->width);
    if (out_h == 0 || out_w == 0)
        MAE_FAIL(err, MAE_ERR_SHAPE, "resize: cannot make an image of [%zu,%zu]", out_h,
                 out_w);
    return resample(dst, src, box, axis_of(box.width, out_w, 0, out_w, use),
                    axis_of(box.height, out_h, 0, out_h, use), use, scratch, err);
}

/* Half the excess, a half rounded to the even neighbour as Python's round() does. */
static size_t center_offset(size_t whole, size_t crop)
{
    const size_t excess = whole - crop, half = excess / 2;

    return half + (excess % 2 == 1 && half % 2 == 1 ? 1 : 0);
}

MaeStatus mae_image_center_crop_resize(MaeImage *dst, const MaeImage *src,
                                       size_t short_side, size_t crop_h, size_t crop_w,
                                       MaeFilter filter, MaeResizer *scratch,
                                       MaeError *err)
{
    const Filter use = filter_of(filter);
    const bool tall = src->height > src->width;
    const size_t narrow = tall ? src->width : src->height;
    const size_t wide = tall ? src->height : src->width;
    size_t length, out_h, out_w;

    if (narrow == 0 || short_side == 0 || wide > SIZE_MAX / short_side)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "resize: cannot scale [%zu,%zu] to a short side of %zu", src->height,
                 src->width, short_side);
    length = short_side * wide / narrow;
    out_h = tall ? length : short_side;
    out_w = tall ? short_side : length;
    if (crop_h == 0 || crop_w == 0 || crop_h > out_h || crop_w > out_w)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "resize: centre crop [%zu,%zu] does not fit into the scaled [%zu,%zu]",
                 crop_h, crop_w, out_h, out_w);
    return resample(
        dst, src, mae_image_box(src),
        axis_of(src->width, out_w, center_offset(out_w, crop_w), crop_w, use),
        axis_of(src->height, out_h, center_offset(out_h, crop_h), crop_h, use), use,
        scratch, err);
}
