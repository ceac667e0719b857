#include "optim/tiles.h"

#include <stdlib.h>

#include "support/test.h"

START_TEST(cover_trained_elements_once)
{
    const size_t shape[] = {3, MAE_TILE_SIZE};
    MaeArena measure = mae_arena_measure(), arena = {0};
    MaeParamTable table = {0};
    MaeError err = {0};
    unsigned char *hits;
    size_t covered = 0;
    MaeTiles tiles;

    (void)mae_param_add(&table, "", "one", 1, 0);
    (void)mae_param_add_shape(&table, "", "exact", 2, shape, 0);
    (void)mae_param_add(&table, "", "fixed", MAE_TILE_SIZE + 1, MAE_PARAM_FIXED);
    (void)mae_param_add(&table, "", "over", MAE_TILE_SIZE + 1, 0);
    ck_assert_ok(mae_param_check(&table, &err));

    mae_tiles_define(&tiles, &table, NULL, 0);
    ck_assert_uint_eq(tiles.count, 1 + 3 + 2);
    mae_tiles_reserve(&tiles, &measure);
    ck_assert_ok(mae_arena_open(&arena, &measure, "tiles", &err));
    mae_tiles_reserve(&tiles, &arena);
    ck_assert_ok(mae_arena_check(&arena, "tiles", &err));
    mae_tiles_init(&tiles);

    hits = mae_test_alloc(table.total);
    for (size_t t = 0; t < tiles.count; t++) {
        const MaeParamTile *tile = &tiles.items[t];
        const MaeParamEntry *entry = &table.entries[tile->param];

        ck_assert(!(entry->flags & MAE_PARAM_FIXED));
        ck_assert_uint_eq(tile->off % 16, 0);
        ck_assert(tile->count >= 1 && tile->count <= MAE_TILE_SIZE);
        ck_assert(tile->off >= entry->at.off &&
                  tile->off + tile->count <= entry->at.off + entry->at.count);
        for (size_t i = 0; i < tile->count; i++)
            covered += hits[tile->off + i]++ == 0;
    }
    ck_assert_uint_eq(covered, mae_param_trainable(&table));
    for (size_t i = 0; i < table.total; i++)
        ck_assert_uint_le(hits[i], 1);
    free(hits);
    mae_arena_close(&arena);
    mae_param_close(&table);
}
END_TEST

/* Two shards of what is trained, between them everything; states lie end to end. */
START_TEST(shards_share_the_elements)
{
    const MaeShard parts[2][2] = {{{0, 32}, {4096, 16 * 700}},
                                  {{32, 4064}, {15296, 1 << 20}}};
    MaeParamTable table = {0};
    MaeError err = {0};
    unsigned char *hits;
    size_t covered = 0;

    (void)mae_param_add(&table, "", "one", 40, 0);
    (void)mae_param_add(&table, "", "fixed", 1000, MAE_PARAM_FIXED);
    (void)mae_param_add(&table, "", "over", 2 * MAE_TILE_SIZE + 1, 0);
    ck_assert_ok(mae_param_check(&table, &err));
    hits = mae_test_alloc(table.total);
    for (size_t half = 0; half < 2; half++) {
        MaeParamTile items[16];
        MaeTiles tiles;
        size_t elements = 0;

        mae_tiles_define(&tiles, &table, parts[half], 2);
        ck_assert_uint_le(tiles.count, 16);
        tiles.items = items;
        mae_tiles_init(&tiles);
        for (size_t t = 0; t < tiles.count; t++) {
            const MaeShard *shard = &parts[half][items[t].off >= parts[half][1].off];
            const size_t before = shard == parts[half] ? 0 : parts[half][0].count;

            ck_assert(items[t].off >= shard->off &&
                      items[t].off + items[t].count <= shard->off + shard->count);
            ck_assert_uint_eq(items[t].state, before + items[t].off - shard->off);
            ck_assert(items[t].count >= 1 && items[t].count <= MAE_TILE_SIZE);
            for (size_t i = 0; i < items[t].count; i++)
                covered += hits[items[t].off + i]++ == 0;
            elements += items[t].count;
        }
        ck_assert_uint_le(elements, mae_tiles_elements(&tiles));
    }
    ck_assert_uint_eq(covered, mae_param_trainable(&table));
    for (size_t i = 0; i < table.total; i++)
        ck_assert_uint_le(hits[i], 1);
    free(hits);
    mae_param_close(&table);
}
END_TEST

START_TEST(empty_table)
{
    MaeParamTable table = {0};
    MaeTiles tiles;

    mae_tiles_define(&tiles, &table, NULL, 0);
    ck_assert_uint_eq(tiles.count, 0);
    mae_tiles_init(&tiles);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tiles");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, cover_trained_elements_once);
    tcase_add_test(tc, shards_share_the_elements);
    tcase_add_test(tc, empty_table);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
