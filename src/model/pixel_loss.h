/**
 * @file pixel_loss.h
 * The reconstruction target and loss of one image, and its gradient.
 *
 *   loss = sum over hidden patches l of 1/P sum over i of (pred[l,i] - target[l,i])^2
 *
 * With norm_pix the target patch is (pixels - mean) / sqrt(var + 1e-6), mean and unbiased
 * variance its own. Division by the number of hidden patches is the caller's, because the
 * mean runs over the batch.
 *
 * Source   He et al. 2021, arXiv:2111.06377; facebookresearch/mae models_mae.py.
 * Shapes   L patches of P values in the order [row, column, channel]; mask [L], 1 hidden.
 * Memory   Never allocates.
 * Errors   Cannot fail.
 * Threads  Reentrant.
 */
#ifndef MAE_MODEL_PIXEL_LOSS_H
#define MAE_MODEL_PIXEL_LOSS_H

#include <stdbool.h>

#include "nn/patchify.h"

#define MAE_NORM_PIX_EPS 1e-6

/** @param[out] target [L,P].  @param image [C,H,W] normalised. */
void mae_pixel_target(float *target, const float *image, const MaePatchGrid *grid,
                      bool norm_pix);

/** @return the sum over hidden patches of the mean squared error, in double. */
double mae_pixel_loss(const float *pred, const float *target, const unsigned char *mask,
                      size_t patches, size_t values);

/**
 * Gradient of scale * loss; 0 for visible patches.
 * @param[in,out] dpred [L,P] in: target, out: gradient of pred.
 */
void mae_pixel_loss_grad(float *dpred, const float *pred, const unsigned char *mask,
                         size_t patches, size_t values, double scale);

#endif /* MAE_MODEL_PIXEL_LOSS_H */
