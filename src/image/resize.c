#include "image/resize.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/machine.h"
#include "image/axis.h"
#include "image/resize_table.h"

#define BAND MAE_RESIZE_BAND

/* Everything a call needs beside source and destination. */
typedef struct Plan {
    MaeAxis x, y;
    size_t channels, row;  /* row = x.count * channels samples */
    size_t pixels, height; /* columns and rows of the source that are read */
    double *weights;       /* one output's */
    MaeResizeBand band;    /* U8; band.out holds the rows between the passes */
    uint8_t *line_u8;      /* [C,plane] one output row */
    float *levels;         /* [C,256] normalised */
    float *middle;         /* [height,row] the rows between the passes, U16 and F32 */
    float *line;           /* one source or output row */
} Plan;

/* Where results go: interleaved pixels, or planes for a model. */
typedef struct Output {
    MaeImage *pixels;
    float *chw;
    MaeNormal normal;
} Output;

/* Defined by resize_impl.c, one object per instruction set. */
extern const MaeResizeTable mae_resize_portable;
#ifdef MAE_RESIZE_X86
extern const MaeResizeTable mae_resize_avx2;
extern const MaeResizeTable mae_resize_avx512;
#endif

const MaeResizeTable *mae_resize_table(size_t i)
{
    if (i == 0)
        return &mae_resize_portable;
#ifdef MAE_RESIZE_X86
    if (i == 1 && mae_machine_has(MAE_ISA_AVX2))
        return &mae_resize_avx2;
    if (i == 2 && mae_machine_has(MAE_ISA_AVX512))
        return &mae_resize_avx512;
#endif
    return NULL;
}

/* The choice is the same whoever makes it, so threads may race to store it. */
const MaeResizeTable *mae_resize_best(void)
{
    static _Atomic(const MaeResizeTable *) chosen;
    const MaeResizeTable *best = atomic_load_explicit(&chosen, memory_order_relaxed);

    if (best != NULL)
        return best;
    for (size_t i = 0; mae_resize_table(i) != NULL; i++)
        best = mae_resize_table(i);
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
    return best;
}

static size_t round_up(size_t n)
{
    return (n + BAND - 1) / BAND * BAND;
}

static void reserve_u8(Plan *plan, MaeArena *arena)
{
    MaeResizeBand *band = &plan->band;
    const size_t channels = plan->channels;

    band->plane = round_up(plan->x.count);
    band->turned = mae_arena_bytes(arena, plan->pixels * channels, BAND);
    band->sums = mae_arena_bytes(arena, band->plane * channels, BAND);
    band->out = mae_arena_bytes(arena, round_up(plan->height), band->plane * channels);
    plan->line_u8 = mae_arena_bytes(arena, band->plane, channels);
    plan->levels = mae_arena_floats(arena, channels * 256);
}

static void reserve(Plan *plan, MaeArena *arena, MaePixel type)
{
    const size_t taps = plan->x.taps > plan->y.taps ? plan->x.taps : plan->y.taps;

    mae_axis_reserve(&plan->x, arena, type);
    mae_axis_reserve(&plan->y, arena, type);
    plan->weights = mae_arena_bytes(arena, taps, sizeof *plan->weights);
    if (plan->row > SIZE_MAX / plan->height) {
        arena->failed = true;
    } else if (type == MAE_PIXEL_U8) {
        reserve_u8(plan, arena);
    } else {
        plan->middle = mae_arena_floats(arena, plan->height * plan->row);
        plan->line = mae_arena_bytes(
            arena, plan->pixels > plan->x.count ? plan->pixels : plan->x.count,
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

/* Row @p row of those that are read. */
static const uint8_t *source_row(const MaeImage *src, const Plan *plan, size_t row)
{
    return (const uint8_t *)src->data +
           (plan->y.low - src->picture.top + row) * mae_image_row_bytes(src) +
           (plan->x.low - src->picture.left) * src->channels * mae_pixel_size(src->type);
}

/* (v - mean) / std of channel @p c. */
static float normal(float v, const MaeNormal *by, size_t c)
{
    return (v - (by->mean != NULL ? by->mean[c] : 0.0f)) /
           (by->std != NULL ? by->std[c] : 1.0f);
}

/* All 256 results, so that pixels cost no division. */
static void fill_levels(float *levels, const MaeNormal *by, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t v = 0; v < 256; v++)
            levels[c * 256 + v] = normal((float)v / 255.0f, by, c);
    }
}

static void put_u8(const Output *out, const Plan *plan, size_t row)
{
    const size_t channels = plan->channels, width = plan->x.count;

    for (size_t c = 0; c < channels; c++) {
        const uint8_t *line = plan->line_u8 + c * plan->band.plane;

        if (out->pixels != NULL) {
            uint8_t *to = (uint8_t *)out->pixels->data + row * plan->row + c;

            for (size_t x = 0; x < width; x++)
                to[x * channels] = line[x];
        } else {
            float *to = out->chw + (c * plan->y.count + row) * width;
            const float *levels = plan->levels + c * 256;

            assert(out->chw != NULL);
            for (size_t x = 0; x < width; x++)
                to[x] = levels[line[x]];
        }
    }
}

static void across_u8(const MaeImage *src, Plan *plan)
{
    MaeResizeBand band = plan->band;

    band.pixels = plan->pixels;
    band.channels = plan->channels;
    band.count = plan->x.count;
    band.taps = plan->x.taps;
    band.start = plan->x.start;
    band.used = plan->x.used;
    band.weights = plan->x.fixed;
    memset(band.sums + band.count * band.channels * BAND, 0,
           (band.plane - band.count) * band.channels * BAND);
    for (size_t row = 0; row < plan->height; row += BAND) {
        for (size_t r = 0; r < BAND; r++) /* below the last row: that one again */
            band.rows[r] = source_row(
                src, plan, row + r < plan->height ? row + r : plan->height - 1);
        mae_resize_best()->across(&band);
        band.out += BAND * band.channels * band.plane;
    }
}

static void run_u8(const Output *out, const MaeImage *src, Plan *plan)
{
    const MaeAxis *y = &plan->y;
    const size_t step = plan->channels * plan->band.plane;

    if (out->chw != NULL)
        fill_levels(plan->levels, &out->normal, plan->channels);
    across_u8(src, plan);
    for (size_t i = 0; i < y->count; i++) {
        mae_resize_best()->down(plan->line_u8, plan->band.out + y->start[i] * step, step,
                                y->fixed + i * y->taps, y->used[i], step);
        put_u8(out, plan, i);
    }
}

static void across_f32(float *out, const float *in, const MaeAxis *x, size_t channels)
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

static uint16_t round_u16(float sample)
{
    return (uint16_t)(fminf(fmaxf(sample, 0.0f), 65535.0f) + 0.5f);
}

static void put_f32(const Output *out, const Plan *plan, size_t row, MaePixel type)
{
    const size_t channels = plan->channels, width = plan->x.count;

    for (size_t i = 0; i < plan->row; i++) {
        const size_t c = i % channels, at = row * plan->row + i;
        const size_t to = (c * plan->y.count + row) * width + i / channels;
        const float v = plan->line[i];

        if (out->pixels == NULL)
            out->chw[to] =
                normal(type == MAE_PIXEL_F32 ? v : (float)round_u16(v) / 65535.0f,
                       &out->normal, c);
        else if (type == MAE_PIXEL_F32)
            ((float *)out->pixels->data)[at] = v;
        else
            ((uint16_t *)out->pixels->data)[at] = round_u16(v);
    }
}

static void run_f32(const Output *out, const MaeImage *src, const Plan *plan)
{
    const MaeAxis *y = &plan->y;

    for (size_t r = 0; r < plan->height; r++) {
        load_line(plan->line, source_row(src, plan, r), plan->pixels * plan->channels,
                  src->type);
        across_f32(plan->middle + r * plan->row, plan->line, &plan->x, plan->channels);
    }
    for (size_t i = 0; i < y->count; i++) {
        down_f32(plan->line, plan->middle + y->start[i] * plan->row,
                 y->real + i * y->taps, y->used[i], plan->row);
        put_f32(out, plan, i, src->type);
    }
}

static MaeStatus check(const MaeImage *src, const MaeFrame *frame, MaeError *err)
{
    const MaeBox box = frame->box;
    const size_t height = src->picture.height, width = src->picture.width;

    if (box.height == 0 || box.width == 0 || box.top > height ||
        box.height > height - box.top || box.left > width || box.width > width - box.left)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "resize: box at row %zu, column %zu of [%zu,%zu] is outside [%zu,%zu]",
                 box.top, box.left, box.height, box.width, height, width);
    if (frame->height == 0 || frame->width == 0)
        MAE_FAIL(err, MAE_ERR_SHAPE, "resize: cannot make an image of [%zu,%zu]",
                 frame->height, frame->width);
    assert(frame->keep.height > 0 && frame->keep.width > 0);
    assert(frame->keep.top + frame->keep.height <= frame->height);
    assert(frame->keep.left + frame->keep.width <= frame->width);
    return MAE_OK;
}

static MaeStatus check_part(const MaeImage *src, const Plan *plan, MaeError *err)
{
    const MaePicture *at = &src->picture;

    if (plan->y.low < at->top || plan->y.high > at->top + src->height ||
        plan->x.low < at->left || plan->x.high > at->left + src->width)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "resize: needs rows %zu..%zu, columns %zu..%zu, the image has "
                 "%zu..%zu, %zu..%zu",
                 plan->y.low, plan->y.high, plan->x.low, plan->x.high, at->top,
                 at->top + src->height, at->left, at->left + src->width);
    return MAE_OK;
}

static MaeStatus resample(const Output *out, const MaeImage *src, const MaeFrame *frame,
                          MaeFilter filter, MaeResizer *scratch, MaeError *err)
{
    Plan plan = {.channels = src->channels};
    MaeResizer own = {0};
    MaeStatus status;

    mae_axes(&plan.x, &plan.y, frame, src->picture.shrink, filter);
    MAE_TRY(check_part(src, &plan, err));
    plan.row = plan.x.count * src->channels;
    plan.pixels = plan.x.high - plan.x.low;
    plan.height = plan.y.high - plan.y.low;
    status = carve(&plan, scratch != NULL ? scratch : &own, src->type, err);
    if (status == MAE_OK) {
        mae_axis_fill(&plan.x, filter, frame->mirror, plan.weights);
        mae_axis_fill(&plan.y, filter, false, plan.weights);
        if (src->type == MAE_PIXEL_U8)
            run_u8(out, src, &plan);
        else
            run_f32(out, src, &plan);
    }
    mae_resizer_done(&own);
    return status;
}

void mae_resizer_done(MaeResizer *scratch)
{
    if (scratch != NULL)
        mae_arena_close(&scratch->arena);
}

MaeStatus mae_image_resize(MaeImage *dst, const MaeImage *src, const MaeFrame *frame,
                           MaeFilter filter, MaeResizer *scratch, MaeError *err)
{
    const Output out = {.pixels = dst};

    assert(dst != src);
    MAE_TRY(check(src, frame, err));
    MAE_TRY(mae_image_reshape(dst, frame->keep.height, frame->keep.width, src->channels,
                              src->type, err));
    dst->warnings = src->warnings;
    return resample(&out, src, frame, filter, scratch, err);
}

MaeStatus mae_image_tensor(float *chw, const MaeImage *src, const MaeFrame *frame,
                           MaeNormal normal, MaeFilter filter, MaeResizer *scratch,
                           MaeError *err)
{
    const Output out = {.chw = chw, .normal = normal};

    MAE_TRY(check(src, frame, err));
    return resample(&out, src, frame, filter, scratch, err);
}
