#include "optim/tiles.h"

/* Where a walk through the shards is. */
typedef struct Walk {
    const MaeShard *shards;
    size_t count, at;
    size_t state; /* elements of the shards before */
} Walk;

/* @param[out] all stands for the shards if there are none. */
static Walk begin_walk(const MaeTiles *tiles, MaeShard *all)
{
    *all = (MaeShard){0, tiles->table->total};
    return tiles->shards != NULL
               ? (Walk){.shards = tiles->shards, .count = tiles->shard_count}
               : (Walk){.shards = all, .count = 1};
}

/* The first tile of [begin, end) that lies in a shard; false if there is none. */
static bool next_tile(Walk *walk, size_t begin, size_t end, MaeParamTile *tile)
{
    const MaeShard *shard;
    size_t last;

    while (walk->at < walk->count &&
           walk->shards[walk->at].off + walk->shards[walk->at].count <= begin)
        walk->state += walk->shards[walk->at++].count;
    if (begin >= end || walk->at == walk->count || walk->shards[walk->at].off >= end)
        return false;
    shard = &walk->shards[walk->at];
    last = shard->off + shard->count < end ? shard->off + shard->count : end;
    tile->off = shard->off > begin ? shard->off : begin;
    tile->count = last - tile->off < MAE_TILE_SIZE ? last - tile->off : MAE_TILE_SIZE;
    tile->state = walk->state + tile->off - shard->off;
    return true;
}

/* Write the tiles of every trained parameter to items unless it is NULL; their number. */
static size_t cut(MaeParamTile *items, const MaeTiles *tiles)
{
    const MaeParamTable *table = tiles->table;
    MaeShard all;
    Walk walk = begin_walk(tiles, &all);
    size_t count = 0;

    for (size_t p = 0; p < table->count; p++) {
        const MaeParam at = table->entries[p].at;
        MaeParamTile tile = {.param = p, .off = at.off, .count = 0};

        if (table->entries[p].flags & MAE_PARAM_FIXED)
            continue;
        while (next_tile(&walk, tile.off + tile.count, at.off + at.count, &tile)) {
            if (items != NULL)
                items[count] = tile;
            count++;
        }
    }
    return count;
}

void mae_tiles_define(MaeTiles *tiles, const MaeParamTable *table, const MaeShard *shards,
                      size_t count)
{
    *tiles = (MaeTiles){.table = table, .shards = shards, .shard_count = count};
    tiles->count = cut(NULL, tiles);
}

size_t mae_tiles_elements(const MaeTiles *tiles)
{
    size_t elements = 0;

    if (tiles->shards == NULL)
        return tiles->table->total;
    for (size_t i = 0; i < tiles->shard_count; i++)
        elements += tiles->shards[i].count;
    return elements;
}

void mae_tiles_reserve(MaeTiles *tiles, MaeArena *arena)
{
    tiles->items = mae_arena_bytes(arena, tiles->count, sizeof *tiles->items);
}

void mae_tiles_init(MaeTiles *tiles)
{
    (void)cut(tiles->items, tiles);
}
