/**
 * @file moments.h
 * Mean and standard deviation of every patch: as norm_pix_loss takes them, and estimated
 * where they must not be known.
 *
 *   target = (x - mean) / std,   std = sqrt(var + 1e-6)
 *
 * with mean and unbiased variance over all values of a patch, channels together.
 *
 * A prediction made under norm_pix_loss is in units of a hidden patch's own moments. To
 * show it with the true ones would hand the viewer the answer: brightness and contrast of
 * every hidden patch, a recognisable thumbnail even at 99.9 % masking. So the moments of
 * hidden patch l are interpolated from the visible patches v (Shepard 1968, power 2):
 *
 *   w_v = 1 / |centre_l - centre_v|^2,   mean_l = sum w_v mean_v / sum w_v,
 *   std_l = sum w_v std_v / sum w_v
 *
 * It has no parameter to tune, reaches across any gap, never leaves the range of the
 * visible values (no overshoot, std stays positive) and tends to their plain average far
 * from all of them. The standard deviation is averaged, not the variance, so that one
 * strongly textured neighbour does not dominate.
 *
 * Source   norm_pix_loss: facebookresearch/mae models_mae.py; Shepard, "A two-dimensional
 *          interpolation function for irregularly-spaced data", ACM 1968.
 * Units    Those of the image, i.e. normalised pixels. Sums in double.
 * Memory   Never allocates.
 * Errors   Cannot fail; the grid must have passed mae_patch_grid_check.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_MOMENTS_H
#define MAE_EVAL_MOMENTS_H

#include <stddef.h>

#include "nn/patchify.h"

/** Added to the variance inside the root. */
#define MAE_MOMENTS_EPS 1e-6

/** True moments of every patch. @param[out] mean [L].  @param[out] std [L].
 *  @param image [C,H,W]. */
void mae_moments_measure(double *mean, double *std, const float *image,
                         const MaePatchGrid *grid);

/**
 * Replace the moments of hidden patches by the estimate above; what was there is never
 * read. Without any visible patch the data's own moments remain: mean 0, std 1.
 * @param[in,out] mean [L], valid at visible patches.  @param[in,out] std [L], likewise.
 * @param mask [L], 0 visible, anything else hidden.
 */
void mae_moments_estimate(double *mean, double *std, const unsigned char *mask,
                          const MaePatchGrid *grid);

#endif /* MAE_EVAL_MOMENTS_H */
