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

START_TEST(too_many_threads_are_refused)
{
    const size_t most = mae_pool_most();
    MaePool *pool = NULL;
    MaeError err = {0};

    ck_assert_uint_ge(most, 256);
    ck_assert_uint_ge(most, 4 * mae_pool_processors());
    ck_assert_fails(mae_pool_open(&pool, most + 1, &err), MAE_ERR_ARG,
                    "threads: expected at most");
    ck_assert_fails(mae_pool_open(&pool, SIZE_MAX, &err), MAE_ERR_ARG,
                    "processors), got");
    ck_assert_ptr_null(pool);
}
END_TEST

static void count_line(void *ctx, MaeLogLevel level, const char *line)
{
    ck_assert_int_eq(level, MAE_LOG_WARN);
    mae_test_has(line, "processors");
    ++*(int *)ctx;
}

START_TEST(more_threads_than_processors_are_a_warning)
{
    int lines = 0;
    const MaeLog log = {.fn = count_line, .ctx = &lines, .level = MAE_LOG_INFO};

    mae_pool_judge(&log, 0);
    mae_pool_judge(&log, mae_pool_processors());
    ck_assert_int_eq(lines, 0);
    mae_pool_judge(&log, mae_pool_processors() + 1);
    ck_assert_int_eq(lines, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_tile_once, 0, 4);
    tcase_add_test(tc, null_pool_runs_in_order);
    tcase_add_test(tc, too_many_threads_are_refused);
    tcase_add_test(tc, more_threads_than_processors_are_a_warning);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
