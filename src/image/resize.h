/**
 * @file resize.h
 * Geometry and scaling of pixels: crop, resample, mirror, normalise.
 *
 *   out[x] = sum_t w[x][t] in[start(x) + t]
 *   w[x][t] = filter((t + start(x) + 1/2 - c) / s) / sum over t of the same
 *   c = (x + 1/2) * scale,   scale = in / out,   s = max(scale, 1)
 *
 * Resampling is Pillow's: the filter's support grows with the ratio when shrinking
 * (antialiasing), the bicubic has a = -0.5, the horizontal pass comes first and a pass
 * whose size does not change is left out. U8 uses Pillow's 22-bit fixed-point weights and
 * rounds and clips to 8 bits between the passes, so results equal Pillow's bit for bit.
 * U16 and F32 use the same weights in float; U16 rounds and clips once, at the end.
 *
 * Source   Pillow src/libImaging/Resample.c; torchvision functional.py (resize,
 *          center_crop, resized_crop).
 * Shapes   Any height, width and number of channels; every type of MaePixel.
 * Memory   MaeResizer keeps tables and the intermediate image between calls and grows
 *          only when needed.
 * Errors   SHAPE for boxes outside the image and sizes of 0; NOMEM. The destination's
 *          pixels are undefined after a failure.
 * Threads  Reentrant; a resizer and a destination belong to one thread at a time.
 */
#ifndef MAE_IMAGE_RESIZE_H
#define MAE_IMAGE_RESIZE_H

#include "base/arena.h"
#include "image/image.h"

typedef enum MaeFilter { MAE_BICUBIC, MAE_BILINEAR } MaeFilter;

/** Scratch memory, reused. Zero-initialised is ready for use. */
typedef struct MaeResizer {
    MaeArena arena; /* weights and intermediate image of the largest call so far */
} MaeResizer;

/** Free the scratch memory. NULL and empty are fine. */
void mae_resizer_done(MaeResizer *scratch);

/** The box that covers all of @p img. */
MaeBox mae_image_box(const MaeImage *img);

/**
 * Cut @p box out of @p src, then resample it to [out_h,out_w]: pixels outside the box
 * have no influence (torchvision's resized_crop).
 *
 * @param[out] dst reshaped; must not be @p src.
 * @param scratch NULL: allocates for this call only.
 */
MaeStatus mae_image_resize(MaeImage *dst, const MaeImage *src, MaeBox box, size_t out_h,
                           size_t out_w, MaeFilter filter, MaeResizer *scratch,
                           MaeError *err);

/**
 * The evaluation transform: scale so that the short side becomes @p short_side (the long
 * one floor(short_side * long / short)), then cut [crop_h,crop_w] out of the middle. The
 * offset is half the excess, rounded half to even. Equals torchvision's Resize and
 * CenterCrop; only pixels that are kept are computed.
 *
 * SHAPE if the crop is larger than the scaled image (nothing is padded).
 */
MaeStatus mae_image_center_crop_resize(MaeImage *dst, const MaeImage *src,
                                       size_t short_side, size_t crop_h, size_t crop_w,
                                       MaeFilter filter, MaeResizer *scratch,
                                       MaeError *err);

/** Mirror left-right in place. */
void mae_image_hflip(MaeImage *img);

/**
 * chw[c][y][x] = (v - mean[c]) / std[c], v = u8 / 255, u16 / 65535 or the float itself.
 *
 * @param[out] chw [C,H,W], overwritten.  @param mean, std [C]; NULL for 0 and 1.
 */
void mae_image_normalize(float *chw, const MaeImage *src, const float *mean,
                         const float *std);

#endif /* MAE_IMAGE_RESIZE_H */
