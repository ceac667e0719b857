#define _XOPEN_SOURCE 700 /* setenv */
/* Which precision and products a run gets, which data it may go on with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "train/fixture.h"

static char *folder;
static TrainRun run;
static TrainSpec spec;

static void setup(void)
{
    folder = train_place();
    spec = (TrainSpec){.folder = folder, .name = "run", .stop_at = 1};
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

/* The processor, and what oneDNN takes it for, may be older; every test is a process. */
bool __real_mae_machine_has(MaeIsa isa);
bool __wrap_mae_machine_has(MaeIsa isa);

static bool is_older;

bool __wrap_mae_machine_has(MaeIsa isa)
{
    return (!is_older || isa < MAE_ISA_AVX512) && __real_mae_machine_has(isa);
}

static void without_avx512(void)
{
    is_older = true;
    ck_assert_int_eq(setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1), 0);
}

static void expect_log(const char *overrides, const char *part)
{
    spec.overrides = overrides;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    ck_assert_msg(strstr(run.log, part) != NULL, "%s: no \"%s\" in\n%s", overrides, part,
                  run.log);
}

START_TEST(automatic_precision)
{
    expect_log("",
               test_can_multiply(MAE_BF16)
                   ? "precision bf16 (auto: this processor multiplies it natively), "
                     "products by "
                   : "precision f32 (auto: no native bf16 products here), products by ");
}
END_TEST

START_TEST(automatic_without_native_products)
{
    without_avx512();
    expect_log("", "precision f32 (auto: no native bf16 products here), products by "
                   "OpenBLAS ");
}
END_TEST

START_TEST(given_precision_and_backend)
{
    expect_log("train.precision=f32", "precision f32, products by ");
    spec.name = "blas";
    expect_log("train.precision=f32 train.backend=openblas",
               "precision f32, products by OpenBLAS ");
    spec.name = "auto";
    expect_log("train.backend=openblas", "precision f32 (auto: no native bf16 products "
                                         "here), products by OpenBLAS ");
    if (test_can_multiply(MAE_BF16)) {
        spec.name = "half";
        expect_log("train.precision=bf16 train.backend=builtin",
                   "precision bf16, products by built-in ");
    }
    spec.name = "dnn";
    if (test_has_onednn())
        expect_log("train.precision=f32 train.backend=onednn",
                   "precision f32, products by oneDNN ");
}
END_TEST

/* A demand that cannot be met is refused before there is a run. */
static void expect_refusal(const char *demand, const char *part)
{
    char overrides[200];

    (void)snprintf(overrides, sizeof overrides, "%s%s", demand,
                   spec.finetune ? " finetune.init=random" : "");
    spec.overrides = overrides;
    train_run(&run, &spec);
    ck_assert_int_eq(run.status, MAE_ERR_ARG);
    ck_assert_msg(strstr(run.err.msg, part) != NULL, "%s lacks %s", run.err.msg, part);
    ck_assert(!train_exists(folder, "run"));
}

START_TEST(impossible_demands)
{
    spec.finetune = _i == 1;
    expect_refusal("train.precision=bf16 train.backend=openblas",
                   "expected f32, got bf16: OpenBLAS has no bf16 products; leave it at "
                   "auto or set it to f32");
    expect_refusal("train.precision=f32 train.backend=builtin",
                   "got builtin, which multiplies bf16 only");
    without_avx512();
    expect_refusal("train.precision=bf16", "expected f32, got bf16: this ");
    expect_refusal("train.precision=bf16 train.backend=builtin",
                   "expected f32, got bf16: this ");
}
END_TEST

/* Other products give other last bits: said, not refused. */
START_TEST(going_on_with_other_products)
{
    expect_log("train.precision=f32 train.backend=openblas", "OpenBLAS");
    if (test_has_onednn())
        expect_log("train.precision=f32 train.backend=onednn", "last bits may differ");
    if (!test_can_multiply(MAE_BF16))
        return;
    spec.overrides = "train.precision=bf16";
    train_expect(&run, &spec, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "train.precision"));
}
END_TEST

static void add_image(void)
{
    fixture_png(fixture_path(folder, "train/c1/0005.png"), 10, 12, 3, 4321);
}

/* The rest of a run is only what it would have been with the images it began with. */
START_TEST(going_on_with_other_images)
{
    spec.finetune = _i == 1;
    spec.overrides = _i == 1 ? "finetune.init=random" : "";
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    add_image();
    train_run(&run, &spec);
    ck_assert_int_eq(run.status, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "27 images then, 28 now"));
    ck_assert_ptr_nonnull(strstr(run.err.msg, "data.may_change=true"));
    ck_assert_int_eq(remove(fixture_path(folder, "train/c1/000.png")), 0);
    train_run(&run, &spec);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "27 images as before, but others"));
    spec.overrides =
        _i == 1 ? "finetune.init=random data.may_change=true" : "data.may_change=true";
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(run.log, "warning: data.train has changed"));
    spec.overrides = _i == 1 ? "finetune.init=random" : "";
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_OK); /* it was told once */
}
END_TEST

START_TEST(data_may_move)
{
    char moved[1200], overrides[1300];

    spec.overrides = "";
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    (void)snprintf(moved, sizeof moved, "%s", fixture_path(folder, "moved"));
    ck_assert_int_eq(rename(fixture_path(folder, "train"), moved), 0);
    (void)snprintf(overrides, sizeof overrides, "data.train=%s", moved);
    spec.overrides = overrides;
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_ptr_null(strstr(run.log, "warning: data.train"));
}
END_TEST

START_TEST(held_out_images_may_change)
{
    char overrides[1300];

    (void)snprintf(overrides, sizeof overrides, "data.val=%s/val", folder);
    spec.overrides = overrides;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    fixture_png(fixture_path(folder, "val/c0/0005.png"), 10, 12, 3, 4321);
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_ptr_nonnull(
        strstr(run.log, "warning: data.val has changed (9 images then, 10 now)"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train session");
    TCase *tc = tcase_create("session");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, automatic_precision);
    tcase_add_test(tc, automatic_without_native_products);
    tcase_add_test(tc, given_precision_and_backend);
    tcase_add_loop_test(tc, impossible_demands, 0, 2);
    tcase_add_test(tc, going_on_with_other_products);
    tcase_add_loop_test(tc, going_on_with_other_images, 0, 2);
    tcase_add_test(tc, data_may_move);
    tcase_add_test(tc, held_out_images_may_change);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
