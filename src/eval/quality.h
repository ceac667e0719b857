/**
 * @file quality.h
 * How close a reconstruction is to the original where it was hidden: PSNR and SSIM.
 *
 *   PSNR = -10 log10(MSE)                     peak 1, MSE over hidden pixels and channels
 *   SSIM = (2 ma mb + C1)(2 cab + C2) / ((ma^2 + mb^2 + C1)(va + vb + C2))
 *          C1 = 0.01^2, C2 = 0.03^2, local moments under a Gaussian window of 11x11
 *          pixels and sigma 1.5; the map's mean over hidden pixels, then over channels
 *
 * The window is cut at the image border and its weights renormalised, so every pixel has
 * a value and images smaller than the window need no other rule. Windows at hidden pixels
 * reach into visible patches: give the reconstruction with visible patches pasted in, so
 * that SSIM judges the hidden part and its seams.
 *
 * Source   Wang et al., "Image quality assessment: from error visibility to structural
 *          similarity", IEEE TIP 13(4), 2004.
 * Shapes   Images [C,H,W] in 0 .. 1; mask [L], 0 visible, 1 hidden; NULL hides all.
 * Memory   PSNR never allocates; SSIM allocates 5 W doubles and frees them.
 * Errors   NOMEM from SSIM. The grid must have passed mae_patch_grid_check.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_QUALITY_H
#define MAE_EVAL_QUALITY_H

#include "nn/patchify.h"

/** @return decibels; infinity for equal pixels, NaN if nothing is hidden. */
double mae_quality_psnr(const float *a, const float *b, const unsigned char *mask,
                        const MaePatchGrid *grid);

/** @param[out] ssim -1 .. 1, 1 for equal images; NaN if nothing is hidden. */
MaeStatus mae_quality_ssim(double *ssim, const float *a, const float *b,
                           const unsigned char *mask, const MaePatchGrid *grid,
                           MaeError *err);

#endif /* MAE_EVAL_QUALITY_H */
