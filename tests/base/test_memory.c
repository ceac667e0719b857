#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/param.h"
#include "support/test.h"

static void reserve(MaeArena *arena, float **a, double **b)
{
    *a = mae_arena_floats(arena, 5);
    *b = mae_arena_bytes(arena, 3, sizeof **b);
}

START_TEST(arena_carves_what_it_counted)
{
    MaeArena measure = mae_arena_measure(), arena = {0};
    MaeError err = {0};
    float *a = NULL;
    double *b = NULL;

    reserve(&measure, &a, &b);
    ck_assert_ptr_null(a);
    ck_assert_ok(mae_arena_open(&arena, &measure, "test", &err));
    reserve(&arena, &a, &b);
    ck_assert_ok(mae_arena_check(&arena, "test", &err));
    ck_assert_uint_eq(arena.used, measure.used);
    ck_assert_uint_eq((uintptr_t)a % MAE_ALIGN, 0);
    ck_assert_uint_eq((uintptr_t)b % MAE_ALIGN, 0);
    ck_assert_double_eq((double)a[4], 0.0);
    (void)mae_arena_floats(&arena, 1);
    ck_assert_fails(mae_arena_check(&arena, "test", &err), MAE_ERR_NOMEM, "test");
    mae_arena_close(&arena);
    mae_arena_close(&arena);
}
END_TEST

START_TEST(arena_overflow_is_sticky)
{
    MaeArena measure = mae_arena_measure(), arena = {0};
    MaeError err = {0};

    (void)mae_arena_bytes(&measure, SIZE_MAX / 4, 8);
    (void)mae_arena_floats(&measure, 1);
    ck_assert_fails(mae_arena_open(&arena, &measure, "huge", &err), MAE_ERR_NOMEM,
                    "huge");
    measure = mae_arena_measure();
    for (int i = 0; i < 100; i++) /* sums that would wrap around */
        (void)mae_arena_bytes(&measure, SIZE_MAX / 16, 1);
    ck_assert_fails(mae_arena_open(&arena, &measure, "sums", &err), MAE_ERR_NOMEM,
                    "sums");
    ck_assert_ptr_null(arena.base);
    ck_assert_uint_eq(arena.size, 0);
    measure = (MaeArena){.used = (size_t)1 << 50};
    ck_assert_fails(mae_arena_open(&arena, &measure, "too much", &err), MAE_ERR_NOMEM,
                    "too much: 1125899906.8 MB are needed");
}
END_TEST

START_TEST(arena_reset_reuses)
{
    MaeArena measure = mae_arena_measure(), arena = {0};
    MaeError err = {0};
    size_t mark;
    float *first;

    (void)mae_arena_floats(&measure, 100);
    ck_assert_ok(mae_arena_open(&arena, &measure, "scratch", &err));
    mark = mae_arena_mark(&arena);
    first = mae_arena_floats(&arena, 100);
    mae_arena_reset(&arena, mark);
    ck_assert_ptr_eq(mae_arena_floats(&arena, 100), first);
    ck_assert_ok(mae_arena_check(&arena, "scratch", &err));
    mae_arena_close(&arena);
}
END_TEST

START_TEST(param_table)
{
    MaeParamTable table = {0};
    const size_t shape[] = {3, 5};
    MaeParam a, b, c;
    MaeError err = {0};
    char text[32];

    a = mae_param_add(&table, "norm", "bias", 5, MAE_PARAM_NO_DECAY);
    b = mae_param_add_shape(&table, "fc", "weight", 2, shape, MAE_PARAM_PLAIN);
    c = mae_param_add(&table, "", "x", 17, MAE_PARAM_FIXED);
    ck_assert_ok(mae_param_check(&table, &err));
    ck_assert_uint_eq(a.off, 0);
    ck_assert_uint_eq(b.off, 16);
    ck_assert_uint_eq(b.count, 15);
    ck_assert_uint_eq(c.off, 32);
    ck_assert_uint_eq(c.sum, 16);
    ck_assert_uint_eq(table.total, 64);
    ck_assert_uint_eq(table.sum_total, 48);
    ck_assert_uint_eq(mae_param_trainable(&table), 20);
    ck_assert_ptr_nonnull(mae_param_find(&table, "fc.weight"));
    ck_assert_ptr_nonnull(mae_param_find(&table, "x"));
    ck_assert_ptr_null(mae_param_find(&table, "fc"));
    mae_param_shape_text(text, sizeof text, shape, 2);
    ck_assert_str_eq(text, "[3,5]");
    for (size_t i = 0; i < 500; i++)
        (void)mae_param_add(&table, "many", "x", 1, 0);
    ck_assert_ok(mae_param_check(&table, &err));
    memset(text, 'n', sizeof text);
    mae_param_close(&table);
}
END_TEST

START_TEST(param_overflow_is_sticky)
{
    MaeParamTable table = {0};
    const size_t shape[] = {SIZE_MAX / 8, 16};
    MaeError err = {0};

    (void)mae_param_add_shape(&table, "a", "b", 2, shape, 0);
    (void)mae_param_add(&table, "a", "c", 1, 0);
    ck_assert_fails(mae_param_check(&table, &err), MAE_ERR_NOMEM, "overflow");
    mae_param_close(&table);
}
END_TEST

/* The first one in table order; padding and, if asked, what is constant left out. */
START_TEST(elements_beyond_a_limit)
{
    MaeParamTable table = {0};
    float *flat;
    MaeParam plain, fixed, tracked;
    MaeParamElement found;

    plain = mae_param_add(&table, "a", "weight", 7, 0);
    fixed = mae_param_add(&table, "", "fixed", 3, MAE_PARAM_FIXED);
    tracked =
        mae_param_add(&table, "b", "running", 5, MAE_PARAM_FIXED | MAE_PARAM_TRACKED);
    flat = mae_test_alloc(table.total * sizeof *flat);
    memset(flat, 0, table.total * sizeof *flat);
    flat[plain.count] = NAN; /* padding */
    flat[plain.off + 6] = -FLT_MAX;
    ck_assert_ptr_null(mae_param_beyond(&table, MAE_PARAM_ALL, flat, FLT_MAX).name);
    found = mae_param_beyond(&table, MAE_PARAM_ALL, flat, 1e18f);
    ck_assert_str_eq(found.name, "a.weight");
    ck_assert_uint_eq(found.index, 6);
    ck_assert_double_eq(found.value, (double)-FLT_MAX);
    flat[tracked.off + 4] = -INFINITY;
    flat[fixed.off + 1] = NAN;
    found = mae_param_beyond(&table, MAE_PARAM_ALL, flat, FLT_MAX);
    ck_assert_str_eq(found.name, "fixed");
    ck_assert(isnan(found.value));
    found = mae_param_beyond(&table, MAE_PARAM_CHANGED, flat, FLT_MAX);
    ck_assert_str_eq(found.name, "b.running");
    ck_assert_uint_eq(found.index, 4);
    free(flat);
    mae_param_close(&table);
}
END_TEST

START_TEST(error_text_is_one_line)
{
    MaeError err = {0};

    (void)mae_error_set(&err, MAE_ERR_IO, "f.c", 1, "a\nb\x1b[0m %d", 3);
    ck_assert_str_eq(err.msg, "a?b?[0m 3");
    ck_assert_int_eq(mae_error_set(NULL, MAE_ERR_IO, "f.c", 1, "x"), MAE_ERR_IO);
}
END_TEST

static void keep(void *ctx, MaeLogLevel level, const char *line)
{
    ck_assert_int_eq(level, MAE_LOG_WARN);
    (void)strncpy(ctx, line, 31);
}

START_TEST(log_filters_by_level)
{
    char line[32] = "";
    const MaeLog log = {.fn = keep, .ctx = line, .level = MAE_LOG_WARN};

    mae_log(&log, MAE_LOG_INFO, "hidden");
    ck_assert_str_eq(line, "");
    mae_log(&log, MAE_LOG_WARN, "seen %d", 5);
    ck_assert_str_eq(line, "seen 5");
    mae_log(&log, MAE_LOG_WARN, "%s", "a\nb.png");
    ck_assert_str_eq(line, "a?b.png");
    mae_log(NULL, MAE_LOG_WARN, "nowhere");
}
END_TEST

START_TEST(durations)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{4.24, "4.2 s"},
                 {200.0, "3 min 20 s"},
                 {3720.0, "1 h 02 min"},
                 {864000.0, "10.0 days"},
                 {-1.0, "unknown"}};
    char text[32];

    mae_clock_duration(text, sizeof text, cases[_i].seconds);
    ck_assert_str_eq(text, cases[_i].text);
    ck_assert(mae_clock_now() <= mae_clock_now());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, arena_carves_what_it_counted);
    tcase_add_test(tc, arena_overflow_is_sticky);
    tcase_add_test(tc, arena_reset_reuses);
    tcase_add_test(tc, param_table);
    tcase_add_test(tc, param_overflow_is_sticky);
    tcase_add_test(tc, elements_beyond_a_limit);
    tcase_add_test(tc, error_text_is_one_line);
    tcase_add_test(tc, log_filters_by_level);
    tcase_add_loop_test(tc, durations, 0, 5);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
