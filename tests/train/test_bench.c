#include "train/bench.h"

#include <string.h>

#include "train/fixture.h"

static MaeConfig cfg;
static MaeError err;
static const MaeLog SILENT = {0};
static const MaeBenchOptions OPTIONS = {.steps = 3, .warmup = 1, .ceiling = true};
static MaeBenchResult result;

static void configure(const char *train)
{
    char data[1200];
    const char *const overrides[] = {
        data,
        "model.img_size=8",
        "model.patch_size=4",
        "model.embed_dim=16",
        "model.depth=1",
        "model.num_heads=2",
        "model.decoder_embed_dim=16",
        "model.decoder_depth=1",
        "model.decoder_num_heads=2",
        "train.batch_size=4",
        "train.accum_iter=2",
        "data.workers=2",
        "train.threads=2",
    };

    (void)snprintf(data, sizeof data, "data.train=%s", train);
    ck_assert_ok(mae_config_read(&cfg, MAE_CONF_PRETRAIN, NULL, overrides,
                                 sizeof overrides / sizeof *overrides, &err));
}

static MaeStatus run(const char *name)
{
    const MaeBench *bench = mae_bench_find(name);

    ck_assert_ptr_nonnull(bench);
    return bench->run(&cfg, &OPTIONS, &SILENT, &result, &err);
}

START_TEST(times)
{
    double odd[] = {3.0, 1.0, 8.0}, even[] = {4.0, 1.0, 2.0, 9.0};
    MaeBenchTimes t = mae_bench_times(odd, 3);

    ck_assert_double_eq(t.median, 3.0);
    ck_assert_double_eq(t.min, 1.0);
    ck_assert_double_eq(t.max, 8.0);
    ck_assert_double_eq(t.sum, 12.0);
    t = mae_bench_times(even, 4);
    ck_assert_double_eq(t.median, 3.0);
    ck_assert_uint_eq(t.count, 4);
}
END_TEST

START_TEST(rates)
{
    MaeBenchResult r = {.times = {.median = 0.5, .min = 0.25, .sum = 4.0, .count = 6},
                        .images = 10,
                        .flops = 3.0};

    ck_assert_double_eq(mae_bench_speed(&r), 20.0);
    ck_assert_double_eq(mae_bench_flops(&r), 6.0);
    ck_assert_double_eq(mae_bench_ceiling(&r), 0.0);
    r.passes = (MaeBenchTimes){.min = 0.125, .count = 1};
    r.pass_flops = 2.0;
    ck_assert_double_eq(mae_bench_ceiling(&r), 16.0);
    r.loader.workers = 1;
    ck_assert_double_eq(mae_bench_speed(&r), 15.0);
}
END_TEST

START_TEST(products_alone)
{
    configure("");
    ck_assert_ok(run("gemm"));
    ck_assert_uint_eq(result.times.count, 3);
    ck_assert_double_gt(result.times.min, 0.0);
    ck_assert_uint_eq(result.images, 4);
    ck_assert_double_gt(mae_bench_ceiling(&result), 0.0);
    ck_assert_str_eq(result.stages[1].product, "input gradient");
    ck_assert_uint_eq(result.state_bytes, 0);
}
END_TEST

START_TEST(steps)
{
    configure("");
    ck_assert_ok(run("step"));
    ck_assert_uint_eq(result.times.count, 3);
    ck_assert_uint_eq(result.images, 8); /* two batches */
    ck_assert_uint_eq(result.threads, 2);
    ck_assert_uint_eq(result.passes.count, 3);
    ck_assert_uint_gt(result.parameters, 1000);
    ck_assert_uint_ge(result.parameter_bytes, 16 * result.parameters);
    ck_assert_uint_ge(result.state_bytes, result.parameter_bytes);
    ck_assert_uint_gt(result.activation_bytes, 0);
    ck_assert_uint_gt(result.peak_bytes, result.state_bytes);
    ck_assert_uint_gt(strlen(result.backend), 0);
}
END_TEST

START_TEST(features)
{
    configure("");
    ck_assert_ok(run("embed"));
    ck_assert_uint_eq(result.times.count, 3);
    ck_assert_uint_eq(result.images, 4);
    ck_assert_uint_eq(result.passes.count, 3);
    ck_assert_double_gt(result.flops, result.pass_flops); /* attention */
    ck_assert_uint_ge(result.state_bytes, 4 * result.parameters);
    ck_assert_uint_lt(result.state_bytes, 8 * result.parameters);
    ck_assert_uint_eq(result.parameter_bytes, result.state_bytes);
    ck_assert_uint_gt(result.activation_bytes, 0);
    ck_assert_uint_gt(result.peak_bytes, result.state_bytes);
    ck_assert(strstr(result.backend, "OpenBLAS ") == result.backend ||
              strstr(result.backend, "built-in ") == result.backend);
}
END_TEST

START_TEST(loading)
{
    char *folder = train_place();

    configure(fixture_path(folder, "train"));
    ck_assert_ok(run("loader"));
    ck_assert_uint_eq(result.loader.workers, 2);
    ck_assert_uint_eq(result.loader.bad, 0);
    ck_assert_double_gt(result.loader.cpu_seconds, 0.0);
    ck_assert_double_gt(mae_bench_speed(&result), 0.0);
    ck_assert_double_eq(result.flops, 0.0);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(failures)
{
    configure("");
    ck_assert_ptr_null(mae_bench_find("matmul"));
    ck_assert_fails(run("loader"), MAE_ERR_ARG, "data.train");
    cfg.train.batch_size = (size_t)1 << 26;
    ck_assert_fails(run("step"), MAE_ERR_NOMEM, "MB");
    ck_assert_fails(run("gemm"), MAE_ERR_NOMEM, "MB");
    ck_assert_fails(run("embed"), MAE_ERR_NOMEM, "images");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bench");
    TCase *tc = tcase_create("bench");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, times);
    tcase_add_test(tc, rates);
    tcase_add_test(tc, products_alone);
    tcase_add_test(tc, steps);
    tcase_add_test(tc, features);
    tcase_add_test(tc, loading);
    tcase_add_test(tc, failures);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
