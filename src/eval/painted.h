/**
 * @file painted.h
 * Masks painted by hand: a picture, white where patches are to be hidden.
 *
 * The picture has the size of the model's images in pixels, or that of their grid of
 * patches, one pixel a patch. A pixel hides if it is at least half as bright as white
 * (128 of 255; colours as their grey value, alpha is not looked at), and a patch is
 * hidden if at least half of its pixels hide.
 *
 * Shapes   L patches.
 * Errors   ARG: a picture of another size, nothing hidden, nothing visible (the encoder
 *          would see no patch at all); messages begin with the path. IO and FORMAT as
 *          reading and decoding report them; NOMEM.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_PAINTED_H
#define MAE_EVAL_PAINTED_H

#include "image/image.h"
#include "model/maskset.h"

/**
 * @param[out] hidden [L], 0 visible, 1 hidden.  @param[out] visible their number.
 * @param image grey, u8 or u16.  @param name of it in messages.
 */
MaeStatus mae_painted_patches(unsigned char *hidden, size_t *visible,
                              const MaeImage *image, const MaePatchGrid *grid,
                              const char *name, MaeError *err);

/** The picture at @p path (PNG or JPEG) as the mask of @p count images.
 *  @param[out] masks closed by the caller; closed already on failure.
 *  @param limits of the picture; NULL: the defaults. */
MaeStatus mae_painted_open(MaeMaskSet *masks, const char *path, const MaePatchGrid *grid,
                           size_t count, const MaeImageLimits *limits, MaeError *err);

#endif /* MAE_EVAL_PAINTED_H */
