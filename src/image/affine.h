/**
 * @file affine.h
 * Rotation, shear and translation of 8-bit images, as Pillow computes them.
 *
 *   out(x, y) = in(x', y'),   x' = a (x + 1/2) + b (y + 1/2) + c,   y' = d .. e .. f
 *
 * in is interpolated between the centres of pixels; pixels beyond its border equal those
 * at it, but where (x', y') itself lies outside the image the result is the fill colour.
 * The bicubic has a = -1 and is not antialiased, unlike that of resize.h; results are
 * truncated, not rounded.
 *
 * Source   Pillow Image.py (rotate), src/libImaging/Geometry.c. Results are Pillow's bit
 *          for bit.
 * Shapes   U8 [H,W,C], any size and number of channels up to MAE_AFFINE_CHANNELS.
 * Memory   Allocates nothing but the destination.
 * Errors   NOMEM or SHAPE for the destination.
 * Threads  Reentrant; a destination belongs to one thread at a time.
 */
#ifndef MAE_IMAGE_AFFINE_H
#define MAE_IMAGE_AFFINE_H

#include "image/image.h"
#include "image/resize.h"

#define MAE_AFFINE_CHANNELS 4

/** Where a pixel of the result comes from: x' = x[0] x + x[1] y + x[2], and y'. */
typedef struct MaeAffine {
    double x[3], y[3];
} MaeAffine;

/** Counter-clockwise about the middle of an image of [height,width]. */
MaeAffine mae_affine_rotation(double degrees, size_t height, size_t width);

/** x' = x + across * y,  y' = y + down * x. */
MaeAffine mae_affine_shear(double across, double down);

/** x' = x + right,  y' = y + down, in pixels. */
MaeAffine mae_affine_translation(double right, double down);

/**
 * @param[out] dst of the shape of @p src; must not be @p src.
 * @param fill [C].
 * @return NOMEM.
 */
MaeStatus mae_affine_apply(MaeImage *dst, const MaeImage *src, const MaeAffine *from,
                           MaeFilter filter, const uint8_t *fill, MaeError *err);

#endif /* MAE_IMAGE_AFFINE_H */
