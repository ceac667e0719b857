#include "train/pretrain_pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/size.h"
#include "eval/panels.h"
#include "eval/sweep.h"
#include "store/file.h"

#define IMAGES 4 /* rows of a picture */
#define RATIOS 8
#define EPOCHS 8
#define FILE_BYTES ((size_t)64 << 20)

#define PANELS                                                                           \
    "From left to right: what the model sees, what it predicts, the prediction with "    \
    "the "                                                                               \
    "visible patches in their places, the original."

/* Usual ratios that leave something to see of @p patches, and that of the run in its
 * place. @return its index */
static size_t choose_ratios(double ratios[RATIOS], size_t *count, double own,
                            size_t patches)
{
    static const double usual[] = {0.1, 0.25, 0.5, 0.65, 0.75, 0.85, 0.95};
    size_t n = 0, at = 0;
    bool placed = false;

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        const bool same = fabs(usual[i] - own) < 0.02;

        if (!placed && (same || own < usual[i])) {
            at = n;
            ratios[n++] = own;
            placed = true;
        }
        if (!same && (double)patches * (1.0 - usual[i]) >= 1.0)
            ratios[n++] = usual[i];
    }
    if (!placed) {
        at = n;
        ratios[n++] = own;
    }
    *count = n;
    return at;
}

static MaeStatus add_sweep(MaeReport *report, const MaeSweep *sweep, size_t own,
                           MaeError *err)
{
    MaePanels panels[RATIOS] = {{.scale = 0}};
    MaeImage images[RATIOS];
    char texts[RATIOS][96];
    const char *labels[RATIOS];
    MaeStatus status = MAE_OK;

    for (size_t k = 0; k < sweep->steps && status == MAE_OK; k++) {
        status = mae_sweep_step(&panels[k], sweep, k, err);
        images[k] = panels[k].canvas;
        (void)snprintf(texts[k], sizeof texts[k],
                       "%.0f %% hidden%s: loss %.4f, PSNR %.1f dB over hidden pixels",
                       100.0 * sweep->ratios[k], k == own ? ", as in training" : "",
                       sweep->means[k].loss, sweep->means[k].psnr);
        labels[k] = texts[k];
    }
    if (status == MAE_OK)
        mae_report_figure(report, &(MaeReportFigure){.id = "ratios",
                                                     .title = "Reconstructions",
                                                     .caption = PANELS,
                                                     .control = "Share of patches hidden",
                                                     .images = images,
                                                     .labels = labels,
                                                     .count = sweep->steps,
                                                     .first = own});
    for (size_t k = 0; k < sweep->steps; k++)
        mae_panels_close(&panels[k]);
    return status;
}

/* Block masks of different ratios are not nested: random ones stand for them. */
static MaeStatus run_sweep(MaeReport *report, const MaeConfig *cfg,
                           const MaeViewerSpec *spec, MaeError *err)
{
    const MaeMaskKind kind =
        cfg->mask.strategy == MAE_CONF_MASK_GRID ? MAE_MASK_GRID : MAE_MASK_RANDOM;
    MaeViewer viewer = {.done = 0};
    MaeSweep sweep = {.count = 0};
    double ratios[RATIOS];
    size_t count;
    const size_t own =
        choose_ratios(ratios, &count, cfg->mask.ratio, spec->model->patches);
    MaeStatus status = mae_viewer_open(&viewer, spec, err);

    if (status == MAE_OK)
        status =
            mae_sweep_run(&sweep, &viewer, kind, ratios, count, cfg->train.seed, err);
    if (status == MAE_OK)
        status = add_sweep(report, &sweep, own, err);
    mae_sweep_close(&sweep);
    mae_viewer_close(&viewer);
    return status;
}

MaeStatus mae_pretrain_pictures_ratios(MaeReport *report, const MaeConfig *cfg,
                                       const MaeViewerSpec *spec, MaeError *err)
{
    const MaeGemmOptions options = {.operand = mae_gemm_operand(spec->compute->gemm),
                                    .threads = mae_pool_threads(spec->compute->pool)};
    MaeViewerSpec own = *spec;
    MaeCompute compute = {.pool = spec->compute->pool};
    MaeGemm *gemm = NULL;
    MaeStatus status;

    MAE_TRY(mae_gemm_open(&gemm, &options, err));
    compute.gemm = gemm;
    own.compute = &compute;
    own.count = mae_smaller(spec->count, IMAGES);
    status = run_sweep(report, cfg, &own, err);
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
                                                     .caption = PANELS,
                                                     .control = "Epoch",
                                                     .images = images,
                                                     .labels = labels,
                                                     .count = count,
                                                     .first = count - 1});
    for (size_t i = 0; i < count; i++)
        mae_image_done(&images[i]);
    return status;
}
