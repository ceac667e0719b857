/**
 * @file panels.h
 * Pictures of one size in rows and columns (eval/mosaic.h): images, images with hidden
 * patches grey, maps of numbers a pixel, as on a canvas (eval/canvas.h).
 *
 * Small images are enlarged by a whole factor until the longer side has at least 112
 * pixels.
 *
 * Memory   The canvas is a MaeImage, u8 RGB, owned.
 * Errors   SHAPE or NOMEM from open; drawing cannot fail.
 * Threads  Reentrant; different panels may be drawn concurrently.
 */
#ifndef MAE_EVAL_PANELS_H
#define MAE_EVAL_PANELS_H

#include "eval/canvas.h"
#include "eval/mosaic.h"
#include "nn/patchify.h"

/** Zero-initialised is closed. */
typedef struct MaePanels {
    MaeImage canvas;
    MaePatchGrid grid;
    size_t scale; /* pixels of a pixel's side */
    MaeMosaic layout;
} MaePanels;

/** Where @p rows x @p columns panels for images of @p grid lie. @param group rows of a
 *  group; 0: all. */
MaeMosaic mae_panels_layout(const MaePatchGrid *grid, size_t rows, size_t columns,
                            size_t group);

/** Such panels, blank. On failure @p panels is closed. */
MaeStatus mae_panels_open(MaePanels *panels, const MaePatchGrid *grid, size_t rows,
                          size_t columns, size_t group, MaeError *err);

/** Accepts NULL and a zeroed or closed object. */
void mae_panels_close(MaePanels *panels);

/** @param image [C,H,W] in 0 .. 1.  @param mask [L], its hidden patches are drawn
 *  mid-grey; NULL: none. */
void mae_panels_image(MaePanels *panels, size_t row, size_t column, const float *image,
                      const unsigned char *mask);

/** @param map [H,W]; what is not finite is drawn mid-grey. */
void mae_panels_map(MaePanels *panels, size_t row, size_t column, const float *map,
                    const MaePalette *palette);

#endif /* MAE_EVAL_PANELS_H */
