/**
 * @file reconstruct.h
 * From a decoder's prediction to pictures: de-normalise, paste, clip.
 *
 *   data value = x * std[c] + mean[c]
 *   shown      = (data value - low) / (high - low), clipped to 0 .. 1
 *
 * where x is the prediction itself, or prediction * std_l + mean_l under norm_pix_loss.
 * Patch moments (mean_l, std_l) are the patch's own where it is visible. Where it is
 * hidden they are estimated from visible patches (eval/moments.h), so pictures hold
 * nothing the network was not given; MAE_DENORM_ORACLE uses the true ones instead and has
 * to be labelled (mae_denorm_name): its brightness and contrast are the answer's.
 *
 * The loss covers hidden patches only, so predictions of visible ones are untrained and
 * look worse; the pasted picture shows the original there.
 *
 * Shapes   C channels, H, W pixels, L patches, P values a patch.
 * Memory   open allocates everything; image never allocates.
 * Errors   ARG, SHAPE, NOMEM from open; NUMERIC from image.
 * Threads  Reentrant; an object belongs to one thread at a time.
 */
#ifndef MAE_EVAL_RECONSTRUCT_H
#define MAE_EVAL_RECONSTRUCT_H

#include <stddef.h>

#include "base/arena.h"
#include "nn/patchify.h"

/** What a prediction's units are, and whose moments undo them. */
typedef enum MaeDenorm {
    MAE_DENORM_NONE,    /**< prediction is normalised pixels (norm_pix_loss off) */
    MAE_DENORM_VISIBLE, /**< norm_pix_loss; hidden moments estimated from visible ones */
    MAE_DENORM_ORACLE,  /**< norm_pix_loss; true moments of hidden patches, leaks */
} MaeDenorm;

/** One line for captions and reports, e.g. "oracle (true patch statistics)". */
const char *mae_denorm_name(MaeDenorm denorm);

typedef struct MaeReconstructSpec {
    MaePatchGrid grid;
    MaeDenorm denorm;
    const float *mean; /* [C] of the data, in data units */
    const float *std;  /* [C] likewise, positive */
    float low, high;   /* data values shown black and white: 0, 1 for u8 and u16 data */
} MaeReconstructSpec;

/** Pictures of the last image, all [C,H,W] in 0 .. 1; read-only for callers. */
typedef struct MaeReconstruct {
    MaePatchGrid grid;
    float *original;
    float *predicted; /* every patch as predicted */
    float *pasted;    /* hidden patches as predicted, visible ones as they are */
    /* private */
    MaeDenorm denorm;
    float *gain, *offset;           /* [C] normalised pixels to 0 .. 1 */
    double *patch_mean, *patch_std; /* [L] */
    MaeArena arena;                 /* what the pointers above point into */
} MaeReconstruct;

/** Copies @p spec; ARG unless every std and high - low are positive and all is finite.
 *  On failure @p r is closed. */
MaeStatus mae_reconstruct_open(MaeReconstruct *r, const MaeReconstructSpec *spec,
                               MaeError *err);

/** Release the buffers; accepts a zeroed or closed object. */
void mae_reconstruct_close(MaeReconstruct *r);

/**
 * Fill the pictures. NUMERIC if a pixel or a predicted value is not finite.
 * @param image [C,H,W] normalised.  @param pred [L,P] in target order.
 * @param mask [L], 0 visible, 1 hidden.
 */
MaeStatus mae_reconstruct_image(MaeReconstruct *r, const float *image, const float *pred,
                                const unsigned char *mask, MaeError *err);

#endif /* MAE_EVAL_RECONSTRUCT_H */
