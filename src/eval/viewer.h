/**
 * @file viewer.h
 * Shows images to an autoencoder under one mask after another and hands on what it sees:
 * the pictures (eval/reconstruct.h) of one image under one mask at a time.
 *
 * Whoever compares masks stands on this: sweeps over mask ratios, ensembles, animations.
 *
 * Shapes   N images [C,H,W], L patches; masks may have any number V of visible ones.
 * Memory   Pictures of one image, activations of up to 16 images for the V shown last.
 * Errors   As mae_reconstruct_open, mae_autoencoder_run_open, mae_reconstruct_image
 *          (NUMERIC for predictions that are not finite) and the callback report them.
 * Threads  The thread that owns the viewer; it drives the pool.
 */
#ifndef MAE_EVAL_VIEWER_H
#define MAE_EVAL_VIEWER_H

#include "data/survey.h"
#include "eval/panels.h"
#include "eval/preview.h"
#include "eval/reconstruct.h"
#include "model/maskset.h"

/** One image under one mask; valid during the call. */
typedef struct MaeView {
    size_t index; /* of the image */
    const MaeReconstruct *pictures;
    const unsigned char *mask; /* [L] 0 visible, 1 hidden */
    double loss;               /* the model's; NaN if nothing is hidden */
} MaeView;

/** Anything but MAE_OK ends the show and is its status. */
typedef MaeStatus (*MaeViewFn)(void *ctx, const MaeView *view, MaeError *err);

/** Scores of @p view over its hidden patches. */
MaeStatus mae_view_score(MaePreviewScore *score, const MaeView *view, MaeError *err);

/**
 * Set low and high to the smallest and largest value of images in data units, one apart
 * if they are equal.
 * @param spec its grid, mean and std are read.  @param images [N,C,H,W].
 */
void mae_viewer_range(MaeReconstructSpec *spec, const float *images, size_t count);

/** Pictures as @p spec wants them; where it has no range, that of the images. */
MaeStatus mae_view_pictures(MaeReconstruct *pictures, const MaeAutoencoder *model,
                            const MaePreviewSpec *spec, const float *images, size_t count,
                            MaeError *err);

/**
 * Show @p count images in order, as many at a time as @p run takes.
 * @param run with V as in @p mask and MAE_PREDICT_ALL; its activations are overwritten.
 * @param images [N,C,H,W] normalised.  @param mask of N samples.
 */
MaeStatus mae_view_each(MaeReconstruct *pictures, MaeAutoencoderRun *run, MaeWeights w,
                        const float *images, const MaeMask *mask, size_t count,
                        MaeViewFn fn, void *ctx, MaeError *err);

/** Panels of a row of a sheet: masked, predicted, pasted, original. */
#define MAE_VIEW_PANELS 4

/** A sheet in the making: a row for every view, and scores. */
typedef struct MaeViewSheet {
    MaePanels panels;        /* [N,MAE_VIEW_PANELS] */
    MaePreviewScore *scores; /* [N] or NULL */
} MaeViewSheet;

/** A MaeViewFn: draw the view's row of a MaeViewSheet and take its scores. */
MaeStatus mae_view_draw(void *sheet, const MaeView *view, MaeError *err);

/** What is looked at, and with what; all borrowed. */
typedef struct MaeViewerSpec {
    const MaeAutoencoder *model;
    MaeWeights w;
    const MaeCompute *compute;
    const float *images; /* [N,C,H,W] normalised */
    size_t count;        /* N > 0 */
    MaePreviewSpec look;
    MaeWatch watch; /* hears of views done, of all that mae_viewer_expect announced */
} MaeViewerSpec;

/** Zero-initialised is closed. */
typedef struct MaeViewer {
    MaeViewerSpec spec;
    MaeReconstruct pictures;
    MaeAutoencoderRun run; /* of the V shown last */
    size_t done, total;    /* views */
} MaeViewer;

/** @param spec copied. On failure @p viewer is closed. */
MaeStatus mae_viewer_open(MaeViewer *viewer, const MaeViewerSpec *spec, MaeError *err);

/** Accepts NULL and a zeroed or closed viewer. */
void mae_viewer_close(MaeViewer *viewer);

/** Say that all images are going to be shown @p rounds times, for who watches. */
void mae_viewer_expect(MaeViewer *viewer, size_t rounds);

/** Show all images, image i under sample i of @p mask. */
MaeStatus mae_viewer_show(MaeViewer *viewer, const MaeMask *mask, MaeViewFn fn, void *ctx,
                          MaeError *err);

/** Show all images, draw them one a row and write @p path as PNG: complete or not at all.
 *  @param[out] scores [N], or NULL; undefined on failure. */
MaeStatus mae_viewer_sheet(MaeViewer *viewer, const char *path, MaePreviewScore *scores,
                           const MaeMask *mask, MaeError *err);

#endif /* MAE_EVAL_VIEWER_H */
