/**
 * @file resize.h
 * Geometry and scaling of pixels: crop, resample, mirror, normalise, in one pass.
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
 * Boxes refer to the picture that an image is a part of (MaePicture), unscaled. An image
 * at 1/shrink is sampled where the box lies in it, between pixels if need be.
 *
 * Source   Pillow src/libImaging/Resample.c; torchvision functional.py (resize,
 *          center_crop, resized_crop).
 * Shapes   Any height, width and number of channels; every type of MaePixel.
 * Memory   MaeResizer keeps tables and the intermediate image between calls and grows
 *          only when needed.
 * Errors   SHAPE for boxes outside the picture, for parts of it that the image lacks and
 *          for sizes of 0; NOMEM. The destination is undefined after a failure.
 * Threads  Reentrant; a resizer and a destination belong to one thread at a time.
 */
#ifndef MAE_IMAGE_RESIZE_H
#define MAE_IMAGE_RESIZE_H

#include <stdbool.h>

#include "base/arena.h"
#include "image/image.h"

typedef enum MaeFilter { MAE_BICUBIC, MAE_BILINEAR } MaeFilter;

/** A box of a picture is scaled to [height,width], of which the box keep is wanted. */
typedef struct MaeFrame {
    MaeBox box;
    size_t height, width;
    MaeBox keep;
    bool mirror; /* what is kept, left-right */
} MaeFrame;

/** What becomes of resampled pixels on their way into a model. */
typedef struct MaeNormal {
    const float *mean, *std; /* [C]; NULL for 0 and 1 */
} MaeNormal;

/** Scratch memory, reused. Zero-initialised is ready for use. */
typedef struct MaeResizer {
    MaeArena arena; /* weights and intermediate image of the largest call so far */
} MaeResizer;

/** Free the scratch memory. NULL and empty are fine. */
void mae_resizer_done(MaeResizer *scratch);

/** The box that covers all of the picture that @p img is of. */
MaeBox mae_image_box(const MaeImage *img);

/** @p box resampled to [out_h,out_w], all of it (torchvision's resized_crop). */
MaeFrame mae_frame_crop(MaeBox box, size_t out_h, size_t out_w);

/**
 * The evaluation transform of a picture: scale so that the short side becomes
 * @p short_side (the long one floor(short_side * long / short)), then cut [crop_h,crop_w]
 * out of the middle. The offset is half the excess, rounded half to even. Equals
 * torchvision's Resize and CenterCrop.
 *
 * SHAPE if the crop is larger than the scaled picture (nothing is padded).
 */
MaeStatus mae_frame_center(MaeFrame *frame, size_t height, size_t width,
                           size_t short_side, size_t crop_h, size_t crop_w,
                           MaeError *err);

/** The largest of 1, 2, 4, 8 that leaves the box at least as large as its result. */
unsigned mae_frame_shrink(const MaeFrame *frame);

/** What a frame needs of its picture at 1/shrink. @param shrink 1, 2, 4 or 8. */
MaePart mae_frame_part(const MaeFrame *frame, unsigned shrink, MaeFilter filter);

/**
 * Cut the frame's box out of @p src, then resample it: pixels outside the box have no
 * influence. Only what is kept is computed.
 *
 * @param[out] dst [keep.height,keep.width] as a picture of its own; must not be @p src.
 * @param scratch NULL: allocates for this call only.
 */
MaeStatus mae_image_resize(MaeImage *dst, const MaeImage *src, const MaeFrame *frame,
                           MaeFilter filter, MaeResizer *scratch, MaeError *err);

/**
 * The same, written as the input of a model: resampled pixels v become
 *   chw[c][y][x] = (v - mean[c]) / std[c],   v = u8 / 255, u16 / 65535 or the float
 * @param[out] chw [C,keep.height,keep.width], overwritten.
 */
MaeStatus mae_image_tensor(float *chw, const MaeImage *src, const MaeFrame *frame,
                           MaeNormal normal, MaeFilter filter, MaeResizer *scratch,
                           MaeError *err);

#endif /* MAE_IMAGE_RESIZE_H */
