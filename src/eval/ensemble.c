#include "eval/ensemble.h"

#include <math.h>
#include <string.h>

#include "eval/quality.h"

static size_t plane_of(const MaeEnsemble *e)
{
    return e->grid.height * e->grid.width;
}

static void reserve(MaeEnsemble *e, MaeArena *arena)
{
    const size_t plane = plane_of(e), values = e->grid.channels * plane;

    e->scores = mae_arena_bytes(arena, e->count, sizeof *e->scores);
    e->original = mae_arena_bytes(arena, e->count, values * sizeof *e->original);
    e->mean = mae_arena_bytes(arena, e->count, values * sizeof *e->mean);
    e->std = mae_arena_bytes(arena, e->count, plane * sizeof *e->std);
    e->error = mae_arena_bytes(arena, e->count, plane * sizeof *e->error);
    e->sums = mae_arena_bytes(arena, e->count, values * sizeof *e->sums);
    e->squares = mae_arena_bytes(arena, e->count, values * sizeof *e->squares);
    e->times =
        mae_arena_bytes(arena, e->count, mae_patch_count(&e->grid) * sizeof *e->times);
}

static MaeStatus allocate(MaeEnsemble *e, MaeError *err)
{
    MaeArena measured = mae_arena_measure();

    reserve(e, &measured);
    MAE_TRY(mae_arena_open(&e->arena, &measured, "pictures of the ensemble", err));
    reserve(e, &e->arena);
    return mae_arena_check(&e->arena, "pictures of the ensemble", err);
}

/* --- one prediction more ---------------------------------------------------------- */

/* Pixels of hidden patch @p l (Welford 1962: nothing cancels). */
static void add_patch(MaeEnsemble *e, size_t image, size_t l, const float *predicted)
{
    const MaePatchGrid *grid = &e->grid;
    const size_t plane = plane_of(e), values = grid->channels * plane;
    double *mean = e->sums + image * values, *squares = e->squares + image * values;
    const double times = ++e->times[image * mae_patch_count(grid) + l];

    for (size_t c = 0; c < grid->channels; c++)
        for (size_t y = 0; y < grid->patch; y++)
            for (size_t x = 0; x < grid->patch; x++) {
                const size_t at =
                    mae_patch_offset(grid, l) + c * plane + y * grid->width + x;
                const double off = (double)predicted[at] - mean[at];

                mean[at] += off / times;
                squares[at] += off * ((double)predicted[at] - mean[at]);
            }
}

static MaeStatus add(void *ctx, const MaeView *view, MaeError *err)
{
    MaeEnsemble *e = ctx;
    const size_t values = e->grid.channels * plane_of(e);

    (void)err;
    memcpy(e->original + view->index * values, view->pictures->original,
           values * sizeof *e->original);
    for (size_t l = 0; l < mae_patch_count(&e->grid); l++)
        if (view->mask[l] != 0)
            add_patch(e, view->index, l, view->pictures->predicted);
    e->scores[view->index].mean.loss += view->loss / (double)e->masks;
    return MAE_OK;
}

/* --- what comes out --------------------------------------------------------------- */

static double mean_of(const float *values, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += (double)values[i];
    return sum / (double)n;
}

static double correlate(const float *a, const float *b, size_t n)
{
    const double ma = mean_of(a, n), mb = mean_of(b, n);
    double aa = 0.0, bb = 0.0, ab = 0.0;

    for (size_t i = 0; i < n; i++) {
        const double da = (double)a[i] - ma, db = (double)b[i] - mb;

        aa += da * da;
        bb += db * db;
        ab += da * db;
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : (double)NAN;
}

/* Mean, standard deviation and error of one pixel, all channels. */
static void finish_pixel(MaeEnsemble *e, size_t image, size_t pixel)
{
    const MaePatchGrid *grid = &e->grid;
    const size_t plane = plane_of(e), row = pixel / grid->width / grid->patch;
    const size_t column = pixel % grid->width / grid->patch;
    const double times =
        e->times[image * mae_patch_count(grid) + row * mae_patch_columns(grid) + column];
    double std = 0.0, error = 0.0;

    for (size_t c = 0; c < grid->channels; c++) {
        const size_t at = (image * grid->channels + c) * plane + pixel;

        e->mean[at] = (float)e->sums[at];
        std += sqrt(fmax(e->squares[at], 0.0) / times);
        error += fabs(e->sums[at] - (double)e->original[at]);
    }
    e->std[image * plane + pixel] = (float)(std / (double)grid->channels);
    e->error[image * plane + pixel] = (float)(error / (double)grid->channels);
}

static MaeStatus finish_image(MaeEnsemble *e, size_t image, MaeError *err)
{
    const size_t plane = plane_of(e), values = e->grid.channels * plane;
    const float *mean = e->mean + image * values;
    const float *original = e->original + image * values;
    const float *std = e->std + image * plane, *error = e->error + image * plane;
    MaeEnsembleScore *score = &e->scores[image];

    for (size_t i = 0; i < plane; i++)
        finish_pixel(e, image, i);
    score->std = mean_of(std, plane);
    score->error = mean_of(error, plane);
    score->correlation = correlate(std, error, plane);
    score->mean.psnr = mae_quality_psnr(mean, original, NULL, &e->grid);
    return mae_quality_ssim(&score->mean.ssim, mean, original, NULL, &e->grid, err);
}

static MaeStatus finish(MaeEnsemble *e, MaeError *err)
{
    e->least = e->masks;
    for (size_t i = 0; i < e->count * mae_patch_count(&e->grid); i++) {
        e->least = e->times[i] < e->least ? e->times[i] : e->least;
        e->most = e->times[i] > e->most ? e->times[i] : e->most;
    }
    for (size_t i = 0; i < e->count; i++)
        MAE_TRY(finish_image(e, i, err));
    return MAE_OK;
}

/* --- masks ------------------------------------------------------------------------ */

static MaeStatus count_masks(MaeEnsemble *e, const MaeMask *mask, size_t masks,
                             MaeError *err)
{
    e->visible = mask->visible;
    e->cover = mae_mask_cover(mask);
    e->masks = masks > 0 ? masks : e->cover;
    if (e->cover == 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "ensemble: expected a mask ratio that hides patches, got one that hides "
                 "none of %zu",
                 mask->patches);
    if (e->masks < e->cover)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "ensemble: expected at least %zu masks, so that each of %zu patches is "
                 "hidden in one, got %zu",
                 e->cover, mask->patches, masks);
    return MAE_OK;
}

static MaeStatus show_all(MaeEnsemble *e, MaeViewer *viewer, MaeMaskSet *masks,
                          uint64_t seed, MaeError *err)
{
    MAE_TRY(allocate(e, err));
    mae_viewer_expect(viewer, e->masks);
    for (size_t k = 0; k < e->masks; k++) {
        mae_maskset_draw(masks, seed, (uint32_t)(k / e->cover), NULL, e->count);
        for (size_t i = 0; i < e->count; i++)
            mae_mask_turn(&masks->mask, i, k % e->cover);
        MAE_TRY(mae_viewer_show(viewer, &masks->mask, add, e, err));
    }
    return finish(e, err);
}

MaeStatus mae_ensemble_run(MaeEnsemble *ensemble, MaeViewer *viewer, double ratio,
                           size_t masks, uint64_t seed, MaeError *err)
{
    MaeEnsemble *e = ensemble;
    MaeMaskSet set;
    MaeStatus status;

    *e =
        (MaeEnsemble){.grid = viewer->spec.model->arch.grid, .count = viewer->spec.count};
    MAE_TRY(mae_maskset_open(&set, MAE_MASK_RANDOM, &e->grid, ratio, e->count,
                             viewer->spec.compute->pool, err));
    status = count_masks(e, &set.mask, masks, err);
    if (status == MAE_OK)
        status = show_all(e, viewer, &set, seed, err);
    mae_maskset_close(&set);
    if (status != MAE_OK)
        mae_ensemble_close(e);
    return status;
}

void mae_ensemble_close(MaeEnsemble *ensemble)
{
    if (ensemble == NULL)
        return;
    mae_arena_close(&ensemble->arena);
    *ensemble = (MaeEnsemble){0};
}

/* --- pictures --------------------------------------------------------------------- */

MaePalette mae_ensemble_palette(const MaeEnsemble *ensemble, const float *map)
{
    MaePalette palette = mae_palette_fit(MAE_COLOURS_SEQUENTIAL, map,
                                         ensemble->count * plane_of(ensemble));

    palette.low = 0.0f;
    if (!(palette.high > 0.0f))
        palette.high = 1.0f;
    return palette;
}

MaeStatus mae_ensemble_sheet(MaePanels *panels, const MaeEnsemble *ensemble,
                             MaeEnsembleSheet sheet, MaeError *err)
{
    const MaeEnsemble *e = ensemble;
    const size_t plane = plane_of(e), values = e->grid.channels * plane;
    const MaePalette std = mae_ensemble_palette(e, e->std);
    const MaePalette error = mae_ensemble_palette(e, e->error);
    const size_t columns = sheet == MAE_ENSEMBLE_SPREAD ? 4 : 3;

    MAE_TRY(mae_panels_open(panels, &e->grid, e->count, columns, 0, err));
    for (size_t i = 0; i < e->count; i++) {
        mae_panels_image(panels, i, 0, e->original + i * values, NULL);
        mae_panels_image(panels, i, 1, e->mean + i * values, NULL);
        if (sheet == MAE_ENSEMBLE_SPREAD)
            mae_panels_map(panels, i, 2, e->std + i * plane, &std);
        mae_panels_map(panels, i, columns - 1, e->error + i * plane, &error);
    }
    return MAE_OK;
}
