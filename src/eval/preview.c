#include "eval/preview.h"

#include "eval/canvas.h"
#include "eval/sheet.h"
#include "eval/viewer.h"

/* A sheet in the making. */
typedef struct Drawing {
    MaePreviewScore *scores; /* [N] or NULL */
    MaeImage sheet;
} Drawing;

MaeDenorm mae_preview_denorm(const MaeAutoencoder *model, bool oracle)
{
    if (!model->arch.norm_pix_loss)
        return MAE_DENORM_NONE;
    return oracle ? MAE_DENORM_ORACLE : MAE_DENORM_VISIBLE;
}

static MaeStatus draw(void *ctx, const MaeView *view, MaeError *err)
{
    Drawing *d = ctx;

    mae_sheet_draw(&d->sheet, view->index, view->pictures, view->mask);
    return d->scores != NULL ? mae_view_score(&d->scores[view->index], view, err)
                             : MAE_OK;
}

MaeStatus mae_preview_write(const char *path, MaePreviewScore *scores,
                            MaeAutoencoderRun *run, MaeWeights w, const float *images,
                            const MaeMask *mask, size_t count, const MaePreviewSpec *spec,
                            MaeError *err)
{
    Drawing d = {.scores = scores};
    MaeReconstruct pictures;
    MaeStatus status;

    MAE_TRY(mae_view_pictures(&pictures, run->model, spec, images, count, err));
    status = mae_sheet_reshape(&d.sheet, &pictures.grid, count, err);
    if (status == MAE_OK)
        status = mae_view_each(&pictures, run, w, images, mask, count, draw, &d, err);
    if (status == MAE_OK)
        status = mae_canvas_write(&d.sheet, path, err);
    mae_image_done(&d.sheet);
    mae_reconstruct_close(&pictures);
    return status;
}
