#include "eval/viewer.h"

#include <assert.h>
#include <math.h>

#include "eval/canvas.h"
#include "eval/quality.h"

enum { BATCH = 16 };

MaeStatus mae_view_score(MaePreviewScore *score, const MaeView *view, MaeError *err)
{
    const MaeReconstruct *r = view->pictures;
    MaePreviewScore s = {.loss = view->loss};

    s.psnr = mae_quality_psnr(r->pasted, r->original, view->mask, &r->grid);
    MAE_TRY(mae_quality_ssim(&s.ssim, r->pasted, r->original, view->mask, &r->grid, err));
    *score = s;
    return MAE_OK;
}

void mae_viewer_range(MaeReconstructSpec *spec, const float *images, size_t count)
{
    const MaePatchGrid *grid = &spec->grid;
    const size_t plane = grid->height * grid->width;

    spec->low = INFINITY;
    spec->high = -INFINITY;
    for (size_t i = 0; i < count * grid->channels; i++) {
        const float std = spec->std[i % grid->channels];
        const float mean = spec->mean[i % grid->channels];

        for (size_t k = 0; k < plane; k++, images++) {
            spec->low = fminf(spec->low, *images * std + mean);
            spec->high = fmaxf(spec->high, *images * std + mean);
        }
    }
    if (!(spec->low < spec->high))
        spec->high = spec->low + 1.0f;
}

MaeStatus mae_view_pictures(MaeReconstruct *pictures, const MaeAutoencoder *model,
                            const MaePreviewSpec *spec, const float *images, size_t count,
                            MaeError *err)
{
    MaeReconstructSpec look = {.grid = model->arch.grid,
                               .denorm = mae_preview_denorm(model, spec->oracle),
                               .mean = spec->mean,
                               .std = spec->std,
                               .low = spec->low,
                               .high = spec->high};

    if (look.low == 0.0f && look.high == 0.0f)
        mae_viewer_range(&look, images, count);
    return mae_reconstruct_open(pictures, &look, err);
}

MaeStatus mae_view_each(MaeReconstruct *pictures, MaeAutoencoderRun *run, MaeWeights w,
                        const float *images, const MaeMask *mask, size_t count,
                        MaeViewFn fn, void *ctx, MaeError *err)
{
    const size_t most = run->work.plan.batch, hidden = mask->patches - mask->visible;
    const size_t values = run->model->patches * run->model->values;
    const size_t stride = (run->model->patches + 1) * run->model->values;

    assert(run->predicted == run->model->patches + 1);
    for (size_t i = 0; i < count; i++) {
        const MaeMask own = mae_mask_from(mask, i);
        const float *image = images + i * values;
        const size_t place = i % most;
        const float *pred = run->pred + place * stride + run->model->values;
        MaeView view = {i, pictures, own.mask, (double)NAN};

        if (place == 0)
            (void)mae_autoencoder_forward(run, w, image, &own,
                                          count - i < most ? count - i : most);
        if (hidden > 0)
            view.loss = run->losses[place] / (double)hidden;
        MAE_TRY(mae_reconstruct_image(pictures, image, pred, own.mask, err));
        MAE_TRY(fn(ctx, &view, err));
    }
    return MAE_OK;
}

MaeStatus mae_view_draw(void *sheet, const MaeView *view, MaeError *err)
{
    MaeViewSheet *s = sheet;
    const MaeReconstruct *r = view->pictures;
    const float *const row[MAE_VIEW_PANELS] = {r->original, r->predicted, r->pasted,
                                               r->original};

    for (size_t i = 0; i < MAE_VIEW_PANELS; i++)
        mae_panels_image(&s->panels, view->index, i, row[i], i == 0 ? view->mask : NULL);
    return s->scores != NULL ? mae_view_score(&s->scores[view->index], view, err)
                             : MAE_OK;
}

MaeStatus mae_viewer_open(MaeViewer *viewer, const MaeViewerSpec *spec, MaeError *err)
{
    *viewer = (MaeViewer){.spec = *spec};
    return mae_view_pictures(&viewer->pictures, spec->model, &spec->look, spec->images,
                             spec->count, err);
}

void mae_viewer_close(MaeViewer *viewer)
{
    if (viewer == NULL)
        return;
    mae_autoencoder_run_close(&viewer->run);
    mae_reconstruct_close(&viewer->pictures);
    *viewer = (MaeViewer){0};
}

void mae_viewer_expect(MaeViewer *viewer, size_t rounds)
{
    viewer->done = 0;
    viewer->total = rounds * viewer->spec.count;
}

/* Activations for masks that show @p visible patches. */
static MaeStatus open_run(MaeViewer *viewer, size_t visible, MaeError *err)
{
    const MaeViewerSpec *spec = &viewer->spec;

    if (viewer->run.model != NULL && viewer->run.visible == visible)
        return MAE_OK;
    mae_autoencoder_run_close(&viewer->run);
    viewer->run = (MaeAutoencoderRun){0};
    return mae_autoencoder_run_open(&viewer->run, spec->model, spec->compute,
                                    spec->count < BATCH ? spec->count : BATCH, visible,
                                    MAE_PREDICT_ALL, MAE_KEEP_NOTHING, err);
}

/* A callback on its way, with a viewer that counts. */
typedef struct Show {
    MaeViewer *viewer;
    MaeViewFn fn;
    void *ctx;
} Show;

static MaeStatus show_one(void *ctx, const MaeView *view, MaeError *err)
{
    const Show *show = ctx;
    MaeViewer *viewer = show->viewer;

    MAE_TRY(show->fn(show->ctx, view, err));
    viewer->done++;
    if (viewer->spec.watch.fn != NULL)
        viewer->spec.watch.fn(viewer->spec.watch.ctx, viewer->done, viewer->total);
    return MAE_OK;
}

MaeStatus mae_viewer_show(MaeViewer *viewer, const MaeMask *mask, MaeViewFn fn, void *ctx,
                          MaeError *err)
{
    const MaeViewerSpec *spec = &viewer->spec;
    Show show = {viewer, fn, ctx};

    MAE_TRY(open_run(viewer, mask->visible, err));
    return mae_view_each(&viewer->pictures, &viewer->run, spec->w, spec->images, mask,
                         spec->count, show_one, &show, err);
}

MaeStatus mae_viewer_sheet(MaeViewer *viewer, const char *path, MaePreviewScore *scores,
                           const MaeMask *mask, MaeError *err)
{
    MaeViewSheet sheet = {.scores = scores};
    MaeStatus status;

    MAE_TRY(mae_panels_open(&sheet.panels, &viewer->pictures.grid, viewer->spec.count,
                            MAE_VIEW_PANELS, 0, err));
    status = mae_viewer_show(viewer, mask, mae_view_draw, &sheet, err);
    if (status == MAE_OK)
        status = mae_canvas_write(&sheet.panels.canvas, path, err);
    mae_panels_close(&sheet.panels);
    return status;
}
