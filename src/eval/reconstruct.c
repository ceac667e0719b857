#include "eval/reconstruct.h"

#include <math.h>
#include <string.h>

#include "eval/moments.h"

const char *mae_denorm_name(MaeDenorm denorm)
{
    switch (denorm) {
    case MAE_DENORM_NONE:
        return "pixels as predicted";
    case MAE_DENORM_VISIBLE:
        return "leak-free estimate (patch statistics of visible patches)";
    case MAE_DENORM_ORACLE:
        return "oracle (true patch statistics)";
    }
    return "unknown";
}

static MaeStatus check_spec(const MaeReconstructSpec *spec, MaeError *err)
{
    MAE_TRY(mae_patch_grid_check(&spec->grid, err));
    for (size_t c = 0; c < spec->grid.channels; c++)
        if (!isfinite(spec->mean[c]) || !isfinite(spec->std[c]) || spec->std[c] <= 0.0f)
            MAE_FAIL(err, MAE_ERR_ARG,
                     "reconstruct: channel %zu: expected a finite mean and a positive "
                     "standard deviation, got %g and %g",
                     c, (double)spec->mean[c], (double)spec->std[c]);
    if (!isfinite(spec->low) || !isfinite(spec->high) || spec->low >= spec->high)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "reconstruct: expected a range of values low < high, got %g .. %g",
                 (double)spec->low, (double)spec->high);
    return MAE_OK;
}

static void reserve(MaeReconstruct *r, MaeArena *arena)
{
    const size_t channels = r->grid.channels, patches = mae_patch_count(&r->grid);
    const size_t pixels = channels * r->grid.height * r->grid.width;

    r->original = mae_arena_floats(arena, pixels);
    r->predicted = mae_arena_floats(arena, pixels);
    r->pasted = mae_arena_floats(arena, pixels);
    r->gain = mae_arena_floats(arena, channels);
    r->offset = mae_arena_floats(arena, channels);
    r->patch_mean = mae_arena_bytes(arena, patches, sizeof *r->patch_mean);
    r->patch_std = mae_arena_bytes(arena, patches, sizeof *r->patch_std);
}

MaeStatus mae_reconstruct_open(MaeReconstruct *r, const MaeReconstructSpec *spec,
                               MaeError *err)
{
    MaeArena measured = mae_arena_measure();
    MaeStatus status;

    *r = (MaeReconstruct){.grid = spec->grid, .denorm = spec->denorm};
    MAE_TRY(check_spec(spec, err));
    reserve(r, &measured);
    MAE_TRY(mae_arena_open(&r->arena, &measured, "reconstruction", err));
    reserve(r, &r->arena);
    status = mae_arena_check(&r->arena, "reconstruction", err);
    if (status != MAE_OK) {
        mae_reconstruct_close(r);
        return status;
    }
    for (size_t c = 0; c < spec->grid.channels; c++) {
        r->gain[c] = spec->std[c] / (spec->high - spec->low);
        r->offset[c] = (spec->mean[c] - spec->low) / (spec->high - spec->low);
    }
    return MAE_OK;
}

void mae_reconstruct_close(MaeReconstruct *r)
{
    if (r == NULL)
        return;
    mae_arena_close(&r->arena);
    *r = (MaeReconstruct){0};
}

static MaeStatus check_finite(const float *values, size_t n, const char *what,
                              MaeError *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            MAE_FAIL(err, MAE_ERR_NUMERIC,
                     "reconstruct: expected finite values, %s has %g at %zu of %zu", what,
                     (double)values[i], i, n);
    return MAE_OK;
}

/* Normalised pixels [C,H,W] to 0 .. 1, in place. */
static void show(float *image, const MaeReconstruct *r)
{
    const size_t plane = r->grid.height * r->grid.width;

    for (size_t c = 0; c < r->grid.channels; c++)
        for (size_t i = 0; i < plane; i++, image++)
            *image = fminf(fmaxf(*image * r->gain[c] + r->offset[c], 0.0f), 1.0f);
}

/* Undo norm_pix_loss on patches [L,P], in place. */
static void denormalise(float *patches, MaeReconstruct *r, const float *image,
                        const unsigned char *mask)
{
    const size_t count = mae_patch_count(&r->grid), values = mae_patch_values(&r->grid);

    mae_moments_measure(r->patch_mean, r->patch_std, image, &r->grid);
    if (r->denorm == MAE_DENORM_VISIBLE)
        mae_moments_estimate(r->patch_mean, r->patch_std, mask, &r->grid);
    for (size_t l = 0; l < count; l++)
        for (size_t i = 0; i < values; i++, patches++)
            *patches = (float)((double)*patches * r->patch_std[l] + r->patch_mean[l]);
}

/* Overwrite visible patches of @p image with those of @p from. */
static void paste_visible(float *image, const float *from, const unsigned char *mask,
                          const MaePatchGrid *grid)
{
    const size_t count = mae_patch_count(grid), plane = grid->height * grid->width;

    for (size_t l = 0; l < count; l++) {
        const size_t corner = mae_patch_offset(grid, l);

        if (mask[l] != 0)
            continue;
        for (size_t c = 0; c < grid->channels; c++)
            for (size_t i = 0; i < grid->patch; i++) {
                const size_t row = corner + c * plane + i * grid->width;

                memcpy(image + row, from + row, grid->patch * sizeof *image);
            }
    }
}

MaeStatus mae_reconstruct_image(MaeReconstruct *r, const float *image, const float *pred,
                                const unsigned char *mask, MaeError *err)
{
    const size_t pixels = r->grid.channels * r->grid.height * r->grid.width;
    const size_t bytes = pixels * sizeof *image;

    MAE_TRY(check_finite(image, pixels, "image", err));
    MAE_TRY(check_finite(pred, pixels, "prediction", err));
    memcpy(r->original, image, bytes);
    show(r->original, r);
    memcpy(r->pasted, pred, bytes); /* patches until unpatchified below */
    if (r->denorm != MAE_DENORM_NONE)
        denormalise(r->pasted, r, image, mask);
    mae_unpatchify(r->predicted, r->pasted, &r->grid);
    show(r->predicted, r);
    memcpy(r->pasted, r->predicted, bytes);
    paste_visible(r->pasted, r->original, mask, &r->grid);
    return MAE_OK;
}
