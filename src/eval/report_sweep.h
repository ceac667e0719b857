/**
 * @file report_sweep.h
 * Reconstructions in a report: images of an autoencoder under one mask ratio after
 * another, chosen by a slider.
 *
 * Memory   Pictures at up to eight ratios (eval/sweep.h), and activations; freed before
 *          the function returns.
 * Errors   As eval/viewer.h and eval/sweep.h.
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_EVAL_REPORT_SWEEP_H
#define MAE_EVAL_REPORT_SWEEP_H

#include "eval/report.h"
#include "eval/sweep.h"

/** What the panels of a row are. */
#define MAE_REPORT_PANELS                                                                \
    "From left to right: what the model sees, what it predicts, the prediction with "    \
    "the visible patches in their places, the original."

typedef struct MaeReportSweep {
    const char *id, *title;
    MaeViewerSpec viewer; /* model and images */
    MaeMaskKind kind;     /* in training; block masks of different ratios are not nested:
                             random ones stand for them, and the caption says so */
    double ratio;         /* in training; shown first, among usual ones */
    uint64_t seed;        /* of the masks */
} MaeReportSweep;

/** Add the figure. */
MaeStatus mae_report_sweep(MaeReport *report, const MaeReportSweep *look, MaeError *err);

#endif /* MAE_EVAL_REPORT_SWEEP_H */
