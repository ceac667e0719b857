/**
 * @file mosaic.h
 * Where panels of one size lie in a picture: rows and columns of them, 4 pixels apart.
 * Rows may be grouped, with 16 pixels between groups, and all of it may stand side by
 * side several times, once for every model, 24 pixels apart.
 *
 * Errors   SHAPE and NOMEM from opening the canvas.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_MOSAIC_H
#define MAE_EVAL_MOSAIC_H

#include <stddef.h>

#include "image/image.h"

/** Sizes of a picture of panels. */
typedef struct MaeMosaic {
    size_t height, width; /* pixels of a panel */
    size_t rows, columns; /* of a block */
    size_t blocks;        /* side by side */
    size_t group;         /* rows of a group; 0: all */
} MaeMosaic;

/** Make @p canvas white and as large as the panels need. SHAPE if a number but the
 *  group's is 0, or if they do not fit. */
MaeStatus mae_mosaic_open(MaeImage *canvas, const MaeMosaic *panels, MaeError *err);

/** Pixels of one panel. */
MaeBox mae_mosaic_box(const MaeMosaic *panels, size_t block, size_t row, size_t column);

#endif /* MAE_EVAL_MOSAIC_H */
