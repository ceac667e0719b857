#include "eval/preview.h"

#include "eval/canvas.h"
#include "eval/viewer.h"

MaeDenorm mae_preview_denorm(const MaeAutoencoder *model, bool oracle)
{
    if (!model->arch.norm_pix_loss)
        return MAE_DENORM_NONE;
    return oracle ? MAE_DENORM_ORACLE : MAE_DENORM_VISIBLE;
}

MaeStatus mae_preview_write(const char *path, MaePreviewScore *scores,
                            MaeAutoencoderRun *run, MaeWeights w, const float *images,
                            const MaeMask *mask, size_t count, const MaePreviewSpec *spec,
                            MaeError *err)
{
    MaeViewSheet sheet = {.scores = scores};
    MaeReconstruct pictures;
    MaeStatus status;

    MAE_TRY(mae_view_pictures(&pictures, run->model, spec, images, count, err));
    status =
        mae_panels_open(&sheet.panels, &pictures.grid, count, MAE_VIEW_PANELS, 0, err);
    if (status == MAE_OK)
        status = mae_view_each(&pictures, run, w, images, mask, count, mae_view_draw,
                               &sheet, err);
    if (status == MAE_OK)
        status = mae_canvas_write(&sheet.panels.canvas, path, err);
    mae_panels_close(&sheet.panels);
    mae_reconstruct_close(&pictures);
    return status;
}
