/**
 * @file mosaic.h
 * Where panels of equal size lie in a picture: rows and columns of them, a few pixels
 * apart, and the same again to the right for every further model, farther apart.
 *
 * Errors   SHAPE and NOMEM from opening the canvas.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_MOSAIC_H
#define MAE_EVAL_MOSAIC_H

#include <stddef.h>

#include "image/image.h"

/** Sizes of a picture of panels, all 1 or more. */
typedef struct MaeMosaic {
    size_t height, width; /* pixels of a panel */
    size_t rows, columns; /* of a block */
    size_t blocks;        /* side by side */
} MaeMosaic;

/** Make @p canvas white and as large as the panels with a margin need. */
MaeStatus mae_mosaic_open(MaeImage *canvas, const MaeMosaic *panels, MaeError *err);

/** Pixels of one panel. */
MaeBox mae_mosaic_box(const MaeMosaic *panels, size_t block, size_t row, size_t column);

#endif /* MAE_EVAL_MOSAIC_H */
