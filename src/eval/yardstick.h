/**
 * @file yardstick.h
 * Losses of two trivial predictors, to read a pretraining loss against.
 *
 *   patch mean    every hidden patch is the mean of its own target values, channels
 *                 together: right brightness, no structure. A network that has learned
 *                 only this shows a flat grey mosaic. Under norm_pix_loss that mean is 0
 *                 and the loss is (P-1)/P * var/(var+1e-6), about 1: the plateau of a run
 *                 that learns nothing.
 *   visible mean  every hidden patch is one colour: per image and channel, the mean of
 *                 the target over visible patches. Uses only what the network sees, so a
 *                 network that learns anything about images falls below it.
 *
 * Both are in the units of the run's target. Under norm_pix_loss the visible mean is
 * therefore the mean of normalised visible patches (0 for one channel, where the two
 * yardsticks agree; a tint for more). Drawing the visible pixels' mean in units of the
 * hidden patch instead, (m - mean_l) / std_l, would need moments no network is given and
 * grows without bound on flat patches: 10^5 and more on a black background.
 *
 * Formula  loss = mean over hidden patches of mean over values (prediction - target)^2,
 *          as the model computes it; target as in eval/moments.h, or the pixels.
 * Units    Images are normalised pixels. Sums in double.
 * Memory   open allocates 2 L doubles; add never allocates.
 * Errors   NOMEM or SHAPE from open. Non-finite pixels make the result non-finite.
 * Threads  Reentrant; an accumulator belongs to one thread at a time.
 */
#ifndef MAE_EVAL_YARDSTICK_H
#define MAE_EVAL_YARDSTICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/patchify.h"

/** Accumulator; its fields are private. */
typedef struct MaeYardstick {
    MaePatchGrid grid;
    bool norm_pix;
    double *mean; /* [L] moments of the current image */
    double *std;  /* [L] */
    double patch_mean_sum;
    double visible_mean_sum; /* losses summed over hidden patches */
    uint64_t hidden;         /* patches in the sums */
} MaeYardstick;

/** Start with empty sums. @param norm_pix the run's loss. On failure @p y is closed. */
MaeStatus mae_yardstick_open(MaeYardstick *y, const MaePatchGrid *grid, bool norm_pix,
                             MaeError *err);

/** Release the buffers; accepts a zeroed or closed object. */
void mae_yardstick_close(MaeYardstick *y);

/** Add one sample. @param image [C,H,W].  @param mask [L], 0 visible, 1 hidden. */
void mae_yardstick_add(MaeYardstick *y, const float *image, const unsigned char *mask);

/** @return loss of the predictor over all samples added; NaN before a hidden patch. */
double mae_yardstick_patch_mean(const MaeYardstick *y);
double mae_yardstick_visible_mean(const MaeYardstick *y);

#endif /* MAE_EVAL_YARDSTICK_H */
