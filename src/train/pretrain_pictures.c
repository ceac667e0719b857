#include "train/pretrain_pictures.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/size.h"
#include "eval/panels.h"
#include "eval/report_sweep.h"
#include "store/file.h"

#define IMAGES 4 /* rows of a picture */
#define EPOCHS 8
#define FILE_BYTES ((size_t)64 << 20)

MaeStatus mae_pretrain_pictures_ratios(MaeReport *report, const MaeConfig *cfg,
                                       MaeMaskKind kind, const MaeViewerSpec *spec,
                                       MaeError *err)
{
    const MaeGemmOptions options = mae_gemm_options(spec->compute->gemm);
    MaeReportSweep look = {.id = "ratios",
                           .title = "Reconstructions",
                           .viewer = *spec,
                           .kind = kind,
                           .ratio = cfg->mask.ratio,
                           .seed = cfg->train.seed};
    MaeCompute compute = {.pool = spec->compute->pool};
    MaeGemm *gemm = NULL;
    MaeStatus status;

    MAE_TRY(mae_gemm_open(&gemm, &options, err));
    compute.gemm = gemm;
    look.viewer.compute = &compute;
    look.viewer.count = mae_smaller(spec->count, IMAGES);
    status = mae_report_sweep(report, &look, err);
    mae_gemm_close(gemm);
    return status;
}

/* A preview, its first rows. */
static MaeStatus read_preview(MaeImage *image, const MaeRunFolder *folder, size_t epoch,
                              const MaePatchGrid *grid, MaeError *err)
{
    const MaeMosaic layout = mae_panels_layout(grid, IMAGES, MAE_VIEW_PANELS, 0);
    const MaeBox last = mae_mosaic_box(&layout, 0, IMAGES - 1, 0);
    char path[MAE_CONFIG_PATH + 64];
    unsigned char *bytes = NULL;
    size_t size = 0;
    MaeStatus status;

    MAE_TRY(mae_run_folder_preview(folder, epoch, path, sizeof path, err));
    MAE_TRY(mae_file_read_all(path, FILE_BYTES, &bytes, &size, err));
    status = mae_image_decode(image, bytes, size, NULL, err);
    free(bytes);
    if (status == MAE_OK)
        image->height = mae_smaller(image->height, last.top + last.height);
    return status;
}

MaeStatus mae_pretrain_pictures_epochs(MaeReport *report, const MaeRunFolder *folder,
                                       const MaePatchGrid *grid, MaeError *err)
{
    MaeImage images[EPOCHS] = {{.height = 0}};
    char texts[EPOCHS][48];
    const char *labels[EPOCHS];
    size_t epochs[EPOCHS];
    const size_t count = mae_run_folder_previews(folder, epochs, EPOCHS);
    MaeStatus status = MAE_OK;

    for (size_t i = 0; i < count && status == MAE_OK; i++) {
        status = read_preview(&images[i], folder, epochs[i], grid, err);
        (void)snprintf(texts[i], sizeof texts[i], "after epoch %zu", epochs[i]);
        labels[i] = texts[i];
    }
    if (status == MAE_OK && count > 0)
        mae_report_figure(report, &(MaeReportFigure){.id = "epochs",
                                                     .title = "How they became better",
                                                     .caption = MAE_REPORT_PANELS,
                                                     .control = "Epoch",
                                                     .images = images,
                                                     .labels = labels,
                                                     .count = count,
                                                     .first = count - 1});
    for (size_t i = 0; i < count; i++)
        mae_image_done(&images[i]);
    return status;
}
