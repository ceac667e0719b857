/**
 * @file sheet.h
 * A contact sheet of reconstructions: one image a row, four panels
 *
 *   masked | reconstruction | reconstruction + visible | original
 *
 * on white, 4 pixels apart. Hidden patches of the first panel are mid-grey (128). Small
 * images are enlarged by a whole factor (nearest neighbour, so pixels stay exact) until
 * the longer side has at least 112 pixels. One channel is drawn grey, three as RGB; any
 * other number as the grey mean of all channels: which three would be red, green and blue
 * is not known, and the mean shows an error in any of them. There is no text in the
 * picture; titles are the caller's output.
 *
 * Memory   The sheet is a MaeImage of the caller, u8 grey or RGB.
 * Errors   SHAPE or NOMEM from reshape.
 * Threads  Reentrant; different rows of one sheet may be drawn concurrently.
 */
#ifndef MAE_EVAL_SHEET_H
#define MAE_EVAL_SHEET_H

#include <stddef.h>

#include "eval/reconstruct.h"
#include "image/image.h"

/** @return enlargement, 1 or more. */
size_t mae_sheet_scale(const MaePatchGrid *grid);

/** Make @p sheet a blank sheet of @p rows > 0 images of this size. */
MaeStatus mae_sheet_reshape(MaeImage *sheet, const MaePatchGrid *grid, size_t rows,
                            MaeError *err);

/** Draw the pictures of @p r as row @p row of a sheet shaped for its grid.
 *  @param mask [L], 0 visible, 1 hidden. */
void mae_sheet_draw(MaeImage *sheet, size_t row, const MaeReconstruct *r,
                    const unsigned char *mask);

#endif /* MAE_EVAL_SHEET_H */
