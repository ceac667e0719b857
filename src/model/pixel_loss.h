/**
 * @file pixel_loss.h
 * The reconstruction target and loss of one patch, and its gradient.
 *
 *   loss = 1/P sum over i of (pred[i] - target[i])^2
 *
 * With norm_pix the target is (pixels - mean) / sqrt(var + 1e-6), mean and unbiased
 * variance the patch's own. The mean over hidden patches is the caller's, because it runs
 * over the batch.
 *
 * Source   He et al. 2021, arXiv:2111.06377; facebookresearch/mae models_mae.py.
 * Shapes   L patches of P values in the order [row, column, channel].
 * Memory   Never allocates.
 * Errors   Cannot fail.
 * Threads  Reentrant.
 */
#ifndef MAE_MODEL_PIXEL_LOSS_H
#define MAE_MODEL_PIXEL_LOSS_H

#include <stdbool.h>

#include "nn/patchify.h"

#define MAE_NORM_PIX_EPS 1e-6

/** @param[out] target [P] of patch @p patch.  @param image [C,H,W] normalised. */
void mae_pixel_target(float *target, const float *image, const MaePatchGrid *grid,
                      size_t patch, bool norm_pix);

/**
 * @param[in,out] diff [P] in: target, out: target - pred.
 * @return the mean squared error of the patch's P = @p values values, in double.
 */
double mae_pixel_loss(float *diff, const float *pred, size_t values);

/**
 * Gradient of scale * loss.
 * @param[in,out] diff [P] in: as the loss left it, out: gradient of pred.
 */
void mae_pixel_loss_grad(float *diff, size_t values, double scale);

#endif /* MAE_MODEL_PIXEL_LOSS_H */
