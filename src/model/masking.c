#include "model/masking.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/rng.h"

#define DITHER 8       /* side of the ordered-dither matrix, a power of two */
#define BLOCK_SHARE 12 /* the smallest rectangle is 1/12 of the grid: 16 of 14 x 14 */
#define BLOCK_MIN_ASPECT 0.3 /* aspects are log-uniform in 0.3 .. 1/0.3 */
#define BLOCK_TRIES 256      /* rectangles drawn before the rest is hidden by noise */

size_t mae_mask_keep(size_t patches, double ratio)
{
    return (size_t)((double)patches * (1.0 - ratio));
}

static MaeStatus check_grid(size_t grid_h, size_t grid_w, MaeError *err)
{
    if (grid_h == 0 || grid_w == 0 || grid_h > INT32_MAX / grid_w)
        MAE_FAIL(err, MAE_ERR_SHAPE, "mask: cannot mask a grid of %zu x %zu patches",
                 grid_h, grid_w);
    return MAE_OK;
}

MaeStatus mae_mask_define(MaeMask *mask, MaeMaskKind kind, size_t grid_h, size_t grid_w,
                          double ratio, MaeError *err)
{
    size_t visible;

    MAE_TRY(check_grid(grid_h, grid_w, err));
    if (!(ratio >= 0.0 && ratio < 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "mask: ratio: expected from 0 to below 1, got %g",
                 ratio);
    visible = mae_mask_keep(grid_h * grid_w, ratio);
    if (visible == 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "mask: ratio %g of %zu x %zu patches leaves none visible", ratio, grid_h,
                 grid_w);
    return mae_mask_define_visible(mask, kind, grid_h, grid_w, visible, err);
}

MaeStatus mae_mask_define_visible(MaeMask *mask, MaeMaskKind kind, size_t grid_h,
                                  size_t grid_w, size_t visible, MaeError *err)
{
    MAE_TRY(check_grid(grid_h, grid_w, err));
    if (visible == 0 || visible > grid_h * grid_w)
        MAE_FAIL(err, MAE_ERR_ARG, "mask: expected 1 to %zu visible patches, got %zu",
                 grid_h * grid_w, visible);
    *mask = (MaeMask){
        .kind = kind,
        .grid_h = grid_h,
        .grid_w = grid_w,
        .patches = grid_h * grid_w,
        .visible = visible,
    };
    return MAE_OK;
}

/* [batch, n] of an element size; an overflowing product fails the arena by itself. */
static void *carve(MaeArena *arena, size_t batch, size_t n, size_t size)
{
    return mae_arena_bytes(arena, n > SIZE_MAX / size / batch ? SIZE_MAX : batch * n,
                           size);
}

void mae_mask_reserve(MaeMask *mask, MaeArena *arena, size_t batch)
{
    assert(batch > 0);
    mask->ids_keep = carve(arena, batch, mask->visible, sizeof *mask->ids_keep);
    mask->ids_restore = carve(arena, batch, mask->patches, sizeof *mask->ids_restore);
    mask->mask = carve(arena, batch, mask->patches, sizeof *mask->mask);
}

void mae_mask_reserve_scratch(MaeMaskScratch *scratch, const MaeMask *mask,
                              MaeArena *arena)
{
    const size_t n = mask->patches;

    scratch->noise = mae_arena_floats(arena, n);
    scratch->order = mae_arena_bytes(arena, n, sizeof *scratch->order);
    scratch->merge = mae_arena_bytes(arena, n, sizeof *scratch->merge);
    scratch->hidden = mae_arena_bytes(arena, n, sizeof *scratch->hidden);
}

/* Merge the runs order[low, mid) and order[mid, high); left goes first among equals. */
static void merge_runs(uint32_t *out, const uint32_t *order, const float *noise,
                       size_t low, size_t mid, size_t high)
{
    size_t left = low, right = mid;

    for (size_t i = low; i < high; i++) {
        const bool take_right =
            left == mid || (right < high && noise[order[right]] < noise[order[left]]);

        out[i] = take_right ? order[right++] : order[left++];
    }
}

/* Stable ascending argsort, bottom-up merge sort. @return one of the two buffers. */
static uint32_t *argsort(uint32_t *order, uint32_t *merge, const float *noise, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t run = 1; run < n; run *= 2) {
        uint32_t *swap = order;

        for (size_t low = 0; low < n; low += 2 * run) {
            const size_t mid = low + run < n ? low + run : n;
            const size_t high = mid + run < n ? mid + run : n;

            merge_runs(merge, order, noise, low, mid, high);
        }
        order = merge;
        merge = swap;
    }
    return order;
}

/* Give patch its place: the visible ones come first. */
static void place(MaeMask *mask, size_t b, uint32_t patch, size_t rank)
{
    const size_t n = mask->patches;

    mask->ids_restore[b * n + patch] = (uint32_t)rank;
    mask->mask[b * n + patch] = rank >= mask->visible;
    if (rank < mask->visible)
        mask->ids_keep[b * mask->visible + rank] = patch;
}

void mae_mask_from_noise(MaeMask *mask, size_t b, const float *noise,
                         MaeMaskScratch *scratch)
{
    const uint32_t *order = argsort(scratch->order, scratch->merge, noise, mask->patches);

    for (size_t rank = 0; rank < mask->patches; rank++)
        place(mask, b, order[rank], rank);
}

/* Place patches by (hidden, position in order); order NULL: by index. V are visible. */
static void place_by_flags(MaeMask *mask, size_t b, const unsigned char *hidden,
                           const uint32_t *order)
{
    size_t next_visible = 0, next_hidden = mask->visible;

    for (size_t i = 0; i < mask->patches; i++) {
        const uint32_t patch = order != NULL ? order[i] : (uint32_t)i;

        place(mask, b, patch, hidden[patch] ? next_hidden++ : next_visible++);
    }
}

MaeStatus mae_mask_from_flags(MaeMask *mask, size_t b, const unsigned char *hidden,
                              MaeError *err)
{
    size_t visible = 0;

    for (size_t i = 0; i < mask->patches; i++)
        visible += hidden[i] == 0;
    if (visible != mask->visible)
        MAE_FAIL(err, MAE_ERR_SHAPE, "mask: expected %zu visible of %zu patches, got %zu",
                 mask->visible, mask->patches, visible);
    place_by_flags(mask, b, hidden, NULL);
    return MAE_OK;
}

static size_t clamp_side(double side, size_t limit)
{
    const double rounded = floor(side + 0.5);

    return rounded < 1.0 ? 1 : rounded > (double)limit ? limit : (size_t)rounded;
}

/* Hide one random rectangle, at most left patches of it. @return patches newly hidden. */
static size_t hide_rectangle(unsigned char *hidden, size_t grid_h, size_t grid_w,
                             size_t left, MaeRng *rng)
{
    const double low = fmax(1.0, (double)(grid_h * grid_w / BLOCK_SHARE));
    const double area = low + mae_rng_double(rng) * fmax((double)left - low, 0.0);
    const double log_aspect = (2.0 * mae_rng_double(rng) - 1.0) * log(BLOCK_MIN_ASPECT);
    const size_t h = clamp_side(sqrt(area * exp(log_aspect)), grid_h);
    const size_t w = clamp_side(sqrt(area / exp(log_aspect)), grid_w);
    const size_t top = (size_t)mae_rng_below(rng, grid_h - h + 1);
    const size_t column = (size_t)mae_rng_below(rng, grid_w - w + 1);
    size_t done = 0;

    for (size_t r = top; r < top + h; r++) {
        for (size_t c = column; c < column + w && done < left; c++) {
            done += !hidden[r * grid_w + c];
            hidden[r * grid_w + c] = 1;
        }
    }
    return done;
}

/* Overlaps slow the last patches down without a bound: after BLOCK_TRIES rectangles those
 * latest in order are hidden. */
static void hide_blocks(unsigned char *hidden, const MaeMask *mask, const uint32_t *order,
                        MaeRng *rng)
{
    size_t left = mask->patches - mask->visible;

    memset(hidden, 0, mask->patches);
    for (int i = 0; i < BLOCK_TRIES && left > 0; i++)
        left -= hide_rectangle(hidden, mask->grid_h, mask->grid_w, left, rng);
    for (size_t i = mask->patches; left > 0; i--) {
        left -= !hidden[order[i - 1]];
        hidden[order[i - 1]] = 1;
    }
}

/* Entry (row, column) of the Bayer matrix: bits of row ^ column and row interleaved, the
 * lowest ones highest. Entries below 1/4 have even row and column, below 1/2 an even sum.
 */
static unsigned dither(size_t row, size_t column)
{
    unsigned level = 0;

    for (size_t bit = 1; bit < DITHER; bit *= 2)
        level = level << 2 | (unsigned)(((row ^ column) & bit) != 0) << 1 |
                (unsigned)((row & bit) != 0);
    return level;
}

/* Visible are the V first in order of (dither level, noise). */
static void hide_grid(unsigned char *hidden, const MaeMask *mask, const uint32_t *order)
{
    size_t visible = 0;

    memset(hidden, 1, mask->patches);
    for (unsigned level = 0; level < DITHER * DITHER; level++) {
        for (size_t i = 0; i < mask->patches && visible < mask->visible; i++) {
            const size_t patch = order[i];

            if (dither(patch / mask->grid_w, patch % mask->grid_w) == level) {
                hidden[patch] = 0;
                visible++;
            }
        }
    }
}

void mae_mask_draw(MaeMask *mask, size_t b, uint64_t seed, uint32_t epoch,
                   uint64_t sample, MaeMaskScratch *scratch)
{
    const uint32_t *order;
    MaeRng rng;

    mae_rng_init(&rng, seed, epoch, sample, MAE_RNG_MASK);
    for (size_t i = 0; i < mask->patches; i++)
        scratch->noise[i] = mae_rng_float(&rng);
    if (mask->kind == MAE_MASK_RANDOM) {
        mae_mask_from_noise(mask, b, scratch->noise, scratch);
        return;
    }
    order = argsort(scratch->order, scratch->merge, scratch->noise, mask->patches);
    if (mask->kind == MAE_MASK_BLOCK)
        hide_blocks(scratch->hidden, mask, order, &rng);
    else
        hide_grid(scratch->hidden, mask, order);
    place_by_flags(mask, b, scratch->hidden, order);
}

/* By how many ranks one mask of a cover differs from the next; 0: nothing is hidden. */
static size_t cover_step(const MaeMask *mask)
{
    const size_t hidden = mask->patches - mask->visible;

    return hidden < mask->visible ? hidden : mask->visible;
}

size_t mae_mask_cover(const MaeMask *mask)
{
    const size_t step = cover_step(mask);

    return step > 0 ? (mask->patches + step - 1) / step : 0;
}

void mae_mask_turn(MaeMask *mask, size_t b, size_t turns)
{
    const size_t n = mask->patches;
    const size_t shift = (size_t)((uint64_t)(turns % n) * cover_step(mask) % n);

    for (size_t l = 0; l < n; l++)
        place(mask, b, (uint32_t)l, (mask->ids_restore[b * n + l] + shift) % n);
}
