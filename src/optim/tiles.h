/**
 * @file tiles.h
 * The trained parameters of a table cut into tiles of bounded size.
 *
 * The cut depends on shapes and shards alone, never on the number of threads. A tile lies
 * within one parameter and one shard; padding and MAE_PARAM_FIXED parameters are in none.
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

/** A range of the flat buffers. */
typedef struct MaeShard {
    size_t off; /* first element; a multiple of 16 */
    size_t count;
} MaeShard;

/** Part of one parameter. */
typedef struct MaeParamTile {
    size_t param; /* index into table->entries */
    size_t off;   /* first element in the flat buffers; a multiple of 16 */
    size_t count; /* 1 .. MAE_TILE_SIZE elements */
    size_t state; /* first element in buffers that hold the shards alone, end to end; off
                     if there are none */
} MaeParamTile;

/** Zero-initialised is empty. */
typedef struct MaeTiles {
    const MaeParamTable *table;
    const MaeShard *shards; /* [shard_count] rising; NULL: the whole table */
    size_t shard_count;
    MaeParamTile *items; /* [count], in table order */
    size_t count;
} MaeTiles;

/**
 * Count the tiles of a complete table.
 * @param shards [count] rising: only what lies in them; borrowed. NULL: all of it.
 */
void mae_tiles_define(MaeTiles *tiles, const MaeParamTable *table, const MaeShard *shards,
                      size_t count);

/** Elements of a buffer that holds what the tiles cover: the shards', or the table's. */
size_t mae_tiles_elements(const MaeTiles *tiles);

/** Carve the list; on a measuring arena only counts bytes. */
void mae_tiles_reserve(MaeTiles *tiles, MaeArena *arena);

/** Fill the list. */
void mae_tiles_init(MaeTiles *tiles);

#endif /* MAE_OPTIM_TILES_H */
