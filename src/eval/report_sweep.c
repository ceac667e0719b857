#include "eval/report_sweep.h"

#include <math.h>
#include <stdio.h>

#define RATIOS 8

#define BLOCK                                                                            \
    " Masks are random here, although blocks were hidden in training: blocks of "        \
    "different sizes do not contain each other."

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

static MaeStatus add_sweep(MaeReport *report, const MaeReportSweep *look,
                           const MaeSweep *sweep, size_t own, MaeError *err)
{
    const char *caption =
        look->kind == MAE_MASK_BLOCK ? MAE_REPORT_PANELS BLOCK : MAE_REPORT_PANELS;
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
        mae_report_figure(report, &(MaeReportFigure){.id = look->id,
                                                     .title = look->title,
                                                     .caption = caption,
                                                     .control = "Share of patches hidden",
                                                     .images = images,
                                                     .labels = labels,
                                                     .count = sweep->steps,
                                                     .first = own});
    for (size_t k = 0; k < sweep->steps; k++)
        mae_panels_close(&panels[k]);
    return status;
}

MaeStatus mae_report_sweep(MaeReport *report, const MaeReportSweep *look, MaeError *err)
{
    const MaeMaskKind kind = look->kind == MAE_MASK_BLOCK ? MAE_MASK_RANDOM : look->kind;
    MaeViewer viewer = {.done = 0};
    MaeSweep sweep = {.count = 0};
    double ratios[RATIOS];
    size_t count;
    const size_t own =
        choose_ratios(ratios, &count, look->ratio, look->viewer.model->patches);
    MaeStatus status = mae_viewer_open(&viewer, &look->viewer, err);

    if (status == MAE_OK)
        status = mae_sweep_run(&sweep, &viewer, kind, ratios, count, look->seed, err);
    if (status == MAE_OK)
        status = add_sweep(report, look, &sweep, own, err);
    mae_sweep_close(&sweep);
    mae_viewer_close(&viewer);
    return status;
}
