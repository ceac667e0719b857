#include "base/pool.h"

#include <stdatomic.h>
#include <string.h>

#include "support/test.h"

typedef struct Grid {
    unsigned hits[1000];
    atomic_uint busy[16];
    bool clash;
} Grid;

static void hit(void *ctx, size_t tile, size_t thread)
{
    Grid *grid = ctx;

    if (atomic_fetch_add(&grid->busy[thread], 1) != 0)
        grid->clash = true;
    grid->hits[tile]++;
    atomic_fetch_sub(&grid->busy[thread], 1);
}

START_TEST(every_tile_once)
{
    static const size_t threads[] = {1, 2, 3, 8};
    static const size_t tiles[] = {0, 1, 2, 7, 1000};
    MaePool *pool = NULL;
    MaeError err = {0};

    ck_assert_ok(mae_pool_open(&pool, threads[_i], &err));
    ck_assert_uint_eq(mae_pool_threads(pool), threads[_i]);
    for (int round = 0; round < 200; round++) {
        for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++) {
            Grid grid;

            memset(&grid, 0, sizeof grid);
            mae_pool_run(pool, tiles[t], hit, &grid);
            for (size_t i = 0; i < 1000; i++)
                ck_assert_uint_eq(grid.hits[i], i < tiles[t] ? 1 : 0);
            ck_assert(!grid.clash);
        }
    }
    mae_pool_close(pool);
}
END_TEST

START_TEST(null_pool_runs_in_order)
{
    Grid grid;

    memset(&grid, 0, sizeof grid);
    mae_pool_run(NULL, 5, hit, &grid);
    ck_assert_uint_eq(grid.hits[4], 1);
    ck_assert_uint_eq(mae_pool_threads(NULL), 1);
    mae_pool_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_tile_once, 0, 4);
    tcase_add_test(tc, null_pool_runs_in_order);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
