/**
 * @file ensemble.h
 * The same images under many random masks: what is predicted for every patch while it is
 * hidden, and how much that depends on what else is seen.
 *
 *   mean(pixel)  = mean over the masks that hide its patch of the prediction
 *   std(pixel)   = their standard deviation (of the population: 0 if one mask hides it),
 *                  mean over channels
 *   error(pixel) = | mean - original |, mean over channels
 *
 * Masks come as covers (model/masking.h) of new noise each, so that every patch is hidden
 * at least once, and equally often but for a remainder. A single cover reconstructs the
 * whole image from predictions of hidden patches only. Scores are over the whole image.
 *
 * Under norm_pix_loss each prediction is denormalised with what its own mask shows.
 *
 * Shapes   N images [C,H,W] in 0 .. 1; maps [N,H,W].
 * Memory   run plans and allocates everything, about 6 pictures of each image; what does
 *          not fit into free memory is refused.
 * Errors   ARG: nothing hidden, or fewer masks than a cover; NOMEM; else as the viewer.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_EVAL_ENSEMBLE_H
#define MAE_EVAL_ENSEMBLE_H

#include "eval/panels.h"
#include "eval/viewer.h"

/** One image under all masks. */
typedef struct MaeEnsembleScore {
    MaePreviewScore mean; /* psnr and ssim of the mean, all pixels; loss: mean of masks */
    double std, error;    /* means of the maps */
    double correlation;   /* of the two maps, Pearson's; NaN if one of them is flat */
} MaeEnsembleScore;

/** Read-only once run; zero-initialised is closed. */
typedef struct MaeEnsemble {
    MaePatchGrid grid;
    size_t count;       /* N */
    size_t masks;       /* of each image */
    size_t cover;       /* masks of one cover */
    size_t visible;     /* V of every mask */
    size_t least, most; /* masks that hide a patch, over all patches of all images */
    MaeEnsembleScore *scores; /* [N] */
    float *original;          /* [N,C,H,W] */
    float *mean;              /* [N,C,H,W] */
    float *std, *error;       /* [N,H,W] */
    /* private */
    double *sums, *squares; /* [N,C,H,W] mean so far, sum of squared distances to it */
    uint32_t *times;        /* [N,L] masks that hid the patch */
    MaeArena arena;         /* what the pointers above point into */
} MaeEnsemble;

/**
 * Show the viewer's images under @p masks masks each.
 * @param masks 0: one cover.  @param seed of the masks; the first one of an image is the
 * random mask of its place.  On failure @p ensemble is closed.
 */
MaeStatus mae_ensemble_run(MaeEnsemble *ensemble, MaeViewer *viewer, double ratio,
                           size_t masks, uint64_t seed, MaeError *err);

/** Accepts NULL and a zeroed or closed ensemble. */
void mae_ensemble_close(MaeEnsemble *ensemble);

/** What a row shows. */
typedef enum MaeEnsembleSheet {
    MAE_ENSEMBLE_MEAN,   /* original | mean | error */
    MAE_ENSEMBLE_SPREAD, /* original | mean | std | error */
} MaeEnsembleSheet;

/** Colours of all images' maps: from 0 to the largest value. @param map std or error. */
MaePalette mae_ensemble_palette(const MaeEnsemble *ensemble, const float *map);

/** A row for every image. @param[out] panels closed by the caller. */
MaeStatus mae_ensemble_sheet(MaePanels *panels, const MaeEnsemble *ensemble,
                             MaeEnsembleSheet sheet, MaeError *err);

#endif /* MAE_EVAL_ENSEMBLE_H */
