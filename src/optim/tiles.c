#include "optim/tiles.h"

/* Write the tiles of every trained parameter to items unless it is NULL; their number. */
static size_t cut(MaeParamTile *items, const MaeParamTable *table)
{
    size_t tile = 0;

    for (size_t p = 0; p < table->count; p++) {
        const MaeParam at = table->entries[p].at;

        if (table->entries[p].flags & MAE_PARAM_FIXED)
            continue;
        for (size_t done = 0; done < at.count; done += MAE_TILE_SIZE, tile++) {
            const size_t left = at.count - done;

            if (items != NULL)
                items[tile] = (MaeParamTile){
                    .param = p,
                    .off = at.off + done,
                    .count = left < MAE_TILE_SIZE ? left : MAE_TILE_SIZE,
                };
        }
    }
    return tile;
}

void mae_tiles_define(MaeTiles *tiles, const MaeParamTable *table)
{
    *tiles = (MaeTiles){.table = table, .count = cut(NULL, table)};
}

void mae_tiles_reserve(MaeTiles *tiles, MaeArena *arena)
{
    tiles->items = mae_arena_bytes(arena, tiles->count, sizeof *tiles->items);
}

void mae_tiles_init(MaeTiles *tiles)
{
    (void)cut(tiles->items, tiles->table);
}
