/**
 * @file tiles.h
 * The trained parameters of a table cut into tiles of bounded size.
 *
 * The cut depends on shapes alone, never on the number of threads. A tile lies within one
 * parameter; padding and MAE_PARAM_FIXED parameters are in none.
 *
 * Memory   The arena owns the list; the table is borrowed and must outlive it.
 * Threads  Read-only after init.
 */
#ifndef MAE_OPTIM_TILES_H
#define MAE_OPTIM_TILES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/param.h"

#define MAE_TILE_SIZE 16384 /* elements: weights, gradient, two moments fit in L2 */

/** Part of one parameter. */
typedef struct MaeParamTile {
    size_t param; /* index into table->entries */
    size_t off;   /* first element in the flat buffers; a multiple of 16 */
    size_t count; /* 1 .. MAE_TILE_SIZE elements */
} MaeParamTile;

/** Zero-initialised is empty. */
typedef struct MaeTiles {
    const MaeParamTable *table;
    MaeParamTile *items; /* [count], in table order */
    size_t count;
} MaeTiles;

/** Count the tiles of a complete table. */
void mae_tiles_define(MaeTiles *tiles, const MaeParamTable *table);

/** Carve the list; on a measuring arena only counts bytes. */
void mae_tiles_reserve(MaeTiles *tiles, MaeArena *arena);

/** Fill the list. */
void mae_tiles_init(MaeTiles *tiles);

#endif /* MAE_OPTIM_TILES_H */
