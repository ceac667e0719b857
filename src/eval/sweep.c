#include "eval/sweep.h"

#include <string.h>

/* Values of a picture. */
static size_t values_of(const MaeSweep *s)
{
    return s->grid.channels * s->grid.height * s->grid.width;
}

static size_t place_of(const MaeSweep *s, size_t step, size_t image)
{
    return step * s->count + image;
}

static MaeStatus check(const MaeViewer *viewer, MaeMaskKind kind, const double *ratios,
                       size_t steps, MaeError *err)
{
    const MaePatchGrid *grid = &viewer->spec.model->arch.grid;
    MaeMask mask;

    if (kind == MAE_MASK_BLOCK)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "sweep: block masks of different ratios are not nested; expected random "
                 "or grid masks");
    if (steps == 0 || steps > MAE_SWEEP_MAX)
        MAE_FAIL(err, MAE_ERR_ARG, "sweep: expected 1 to %d ratios, got %zu",
                 MAE_SWEEP_MAX, steps);
    for (size_t k = 0; k < steps; k++) {
        MAE_TRY(mae_mask_define(&mask, kind, grid->height / grid->patch,
                                mae_patch_columns(grid), ratios[k], err));
        if (k > 0 && ratios[k] <= ratios[k - 1])
            MAE_FAIL(err, MAE_ERR_ARG, "sweep: expected rising ratios, got %g after %g",
                     ratios[k], ratios[k - 1]);
    }
    return MAE_OK;
}

static void reserve(MaeSweep *s, MaeArena *arena)
{
    const size_t pictures = s->steps * s->count, bytes = values_of(s) * sizeof(float);

    s->scores = mae_arena_bytes(arena, pictures, sizeof *s->scores);
    s->original = mae_arena_bytes(arena, s->count, bytes);
    s->predicted = mae_arena_bytes(arena, pictures, bytes);
    s->pasted = mae_arena_bytes(arena, pictures, bytes);
    s->masks = mae_arena_bytes(arena, pictures, mae_patch_count(&s->grid));
}

static MaeStatus allocate(MaeSweep *s, MaeError *err)
{
    MaeArena measured = mae_arena_measure();

    reserve(s, &measured);
    MAE_TRY(mae_arena_open(&s->arena, &measured, "pictures of the sweep", err));
    reserve(s, &s->arena);
    return mae_arena_check(&s->arena, "pictures of the sweep", err);
}

/* A sweep and the ratio it is at. */
typedef struct Step {
    MaeSweep *sweep;
    size_t index;
} Step;

static MaeStatus keep(void *ctx, const MaeView *view, MaeError *err)
{
    const Step *step = ctx;
    MaeSweep *s = step->sweep;
    const size_t place = place_of(s, step->index, view->index), values = values_of(s);
    const size_t bytes = values * sizeof(float), patches = mae_patch_count(&s->grid);
    MaePreviewScore *mean = &s->means[step->index], *score = &s->scores[place];

    memcpy(s->original + view->index * values, view->pictures->original, bytes);
    memcpy(s->predicted + place * values, view->pictures->predicted, bytes);
    memcpy(s->pasted + place * values, view->pictures->pasted, bytes);
    memcpy(s->masks + place * patches, view->mask, patches);
    MAE_TRY(mae_view_score(score, view, err));
    mean->psnr += score->psnr / (double)s->count;
    mean->ssim += score->ssim / (double)s->count;
    mean->loss += score->loss / (double)s->count;
    return MAE_OK;
}

static MaeStatus run_step(MaeSweep *s, size_t index, MaeViewer *viewer, MaeMaskKind kind,
                          uint64_t seed, MaeError *err)
{
    Step step = {s, index};
    MaeMaskSet masks;
    MaeStatus status;

    MAE_TRY(mae_maskset_open(&masks, kind, &s->grid, s->ratios[index], s->count,
                             viewer->spec.compute->pool, err));
    mae_maskset_draw(&masks, seed, 0, NULL, s->count);
    s->hidden[index] = masks.mask.patches - masks.mask.visible;
    status = mae_viewer_show(viewer, &masks.mask, keep, &step, err);
    mae_maskset_close(&masks);
    return status;
}

MaeStatus mae_sweep_run(MaeSweep *sweep, MaeViewer *viewer, MaeMaskKind kind,
                        const double *ratios, size_t steps, uint64_t seed, MaeError *err)
{
    MaeStatus status;

    *sweep = (MaeSweep){0};
    MAE_TRY(check(viewer, kind, ratios, steps, err));
    sweep->grid = viewer->spec.model->arch.grid;
    sweep->count = viewer->spec.count;
    sweep->steps = steps;
    memcpy(sweep->ratios, ratios, steps * sizeof *ratios);
    status = allocate(sweep, err);
    mae_viewer_expect(viewer, steps);
    for (size_t k = 0; k < steps && status == MAE_OK; k++)
        status = run_step(sweep, k, viewer, kind, seed, err);
    if (status != MAE_OK)
        mae_sweep_close(sweep);
    return status;
}

void mae_sweep_close(MaeSweep *sweep)
{
    if (sweep == NULL)
        return;
    mae_arena_close(&sweep->arena);
    *sweep = (MaeSweep){0};
}

/* The panels of a row: masked, predicted, pasted, original. */
static void draw_row(MaePanels *panels, size_t row, const MaeSweep *s, size_t step,
                     size_t image)
{
    const size_t place = place_of(s, step, image), values = values_of(s);
    const float *original = s->original + image * values;

    mae_panels_image(panels, row, 0, original,
                     s->masks + place * mae_patch_count(&s->grid));
    mae_panels_image(panels, row, 1, s->predicted + place * values, NULL);
    mae_panels_image(panels, row, 2, s->pasted + place * values, NULL);
    mae_panels_image(panels, row, 3, original, NULL);
}

MaeStatus mae_sweep_step(MaePanels *panels, const MaeSweep *sweep, size_t step,
                         MaeError *err)
{
    MAE_TRY(mae_panels_open(panels, &sweep->grid, sweep->count, MAE_VIEW_PANELS, 0, err));
    for (size_t i = 0; i < sweep->count; i++)
        draw_row(panels, i, sweep, step, i);
    return MAE_OK;
}

MaeStatus mae_sweep_sheet(MaePanels *panels, const MaeSweep *sweep, MaeError *err)
{
    const size_t steps = sweep->steps;

    MAE_TRY(mae_panels_open(panels, &sweep->grid, sweep->count * steps, MAE_VIEW_PANELS,
                            steps, err));
    for (size_t row = 0; row < sweep->count * steps; row++)
        draw_row(panels, row, sweep, row % steps, row / steps);
    return MAE_OK;
}
