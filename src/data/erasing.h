/**
 * @file erasing.h
 * Random erasing: a rectangle of a normalised image becomes standard normal noise.
 *
 * With probability p up to 10 rectangles are tried, area uniform in 0.02 .. 1/3 of the
 * image's, log(height / width) uniform in log(0.3) .. log(1/0.3), sides rounded half to
 * even; the first that is lower and narrower than the image is taken, anywhere in it.
 *
 * Source   Zhong et al. 2017, arXiv:1708.04896; timm RandomErasing, mode pixel, count 1,
 *          which MAE's fine-tuning uses with p = 0.25.
 * Shapes   f32 [C,H,W].
 * Memory   Never allocates.
 * Errors   Cannot fail.
 * Threads  Reentrant.
 */
#ifndef MAE_DATA_ERASING_H
#define MAE_DATA_ERASING_H

#include <stdbool.h>

#include "base/rng.h"
#include "image/image.h"

/** What is erased. @param[out] box set if something is. @return false: nothing is. */
bool mae_erasing_draw(MaeBox *box, double probability, size_t height, size_t width,
                      MaeRng *rng);

/** Noise in all channels of @p box. @param[in,out] chw [C,height,width]. */
void mae_erasing_apply(float *chw, size_t channels, size_t height, size_t width,
                       const MaeBox *box, MaeRng *rng);

#endif /* MAE_DATA_ERASING_H */
