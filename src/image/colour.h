/**
 * @file colour.h
 * Operations on the colours of 8-bit grey and RGB images, as Pillow computes them.
 *
 *   autocontrast  channels stretched so that they reach from 0 to 255
 *   equalize      channels mapped so that all levels are about as frequent
 *   invert        255 - v
 *   posterize     the upper bits of v
 *   solarize      v below the threshold, else 255 - v
 *   solarize_add  min(255, v + add) below 128, else v
 *   saturation, contrast, brightness, sharpness
 *                 d + factor (v - d), truncated and clipped; d is grey, the mean grey of
 *                 the image, black, or a 3 x 3 average with a weight of 5 in its centre
 * The border of an image has no 3 x 3 average: sharpness leaves it alone, as it does an
 * image with a side below 3. Saturation leaves grey images alone.
 *
 * Source   Pillow ImageOps.py, ImageEnhance.py, src/libImaging/Blend.c, Filter.c; timm
 *          auto_augment.py (solarize_add). Results are Pillow's bit for bit.
 * Shapes   U8 [H,W,1] or [H,W,3]; others are a fault of the caller (assert).
 * Memory   In place, but for sharpness. Nothing is allocated but its destination.
 * Errors   Sharpness: NOMEM for its destination; the others cannot fail.
 * Threads  Reentrant; an image belongs to one thread at a time.
 */
#ifndef MAE_IMAGE_COLOUR_H
#define MAE_IMAGE_COLOUR_H

#include "image/image.h"

void mae_colour_autocontrast(MaeImage *img);
void mae_colour_equalize(MaeImage *img);
void mae_colour_invert(MaeImage *img);

/** @param bits kept of each level, 0 (black) to 8 (all). */
void mae_colour_posterize(MaeImage *img, unsigned bits);

/** @param threshold the lowest level that is inverted, 0 (all) to 256 (none). */
void mae_colour_solarize(MaeImage *img, unsigned threshold);

void mae_colour_solarize_add(MaeImage *img, unsigned add);

/** @param factor 0: grey, 1: as it is. */
void mae_colour_saturation(MaeImage *img, float factor);

/** @param factor 0: the mean grey, 1: as it is. */
void mae_colour_contrast(MaeImage *img, float factor);

/** @param factor 0: black, 1: as it is. */
void mae_colour_brightness(MaeImage *img, float factor);

/** @param[out] dst other than @p src.  @param factor 0: smooth, 1: as it is.  NOMEM. */
MaeStatus mae_colour_sharpness(MaeImage *dst, const MaeImage *src, float factor,
                               MaeError *err);

#endif /* MAE_IMAGE_COLOUR_H */
