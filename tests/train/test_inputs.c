/* Where the images of a run are kept: data.cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train/fixture.h"

static char *folder;
static TrainRun run;

static void setup(void)
{
    folder = train_place();
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

/* Run as @p name with these overrides. @return does it keep images of @p set? */
static bool keeps(const char *name, const char *overrides, const char *set)
{
    char line[64];

    train_expect(&run,
                 &(TrainSpec){.folder = folder, .name = name, .overrides = overrides},
                 MAE_OK);
    (void)snprintf(line, sizeof line, "decoded images of %s stay in memory", set);
    return strstr(run.log, line) != NULL;
}

START_TEST(cache_changes_nothing)
{
    char with[2000], without[2000];

    (void)snprintf(with, sizeof with, "data.val=%s/val", folder);
    (void)snprintf(without, sizeof without, "data.val=%s/val data.cache=off", folder);
    ck_assert(keeps("a", with, "data.train"));
    ck_assert_ptr_nonnull(strstr(run.log, "decoded images of data.val stay"));
    ck_assert(!keeps("b", without, "data.train"));
    train_compare(folder, "a", "b");
}
END_TEST

START_TEST(one_epoch_needs_no_cache)
{
    ck_assert(!keeps("a", "train.epochs=1", "data.train"));
    ck_assert(keeps("b", "train.epochs=1 data.cache=on", "data.train"));
    train_compare(folder, "a", "b");
}
END_TEST

/* 20,000 names of a picture of 64 MB: more than a terabyte. */
START_TEST(too_many_images_for_the_memory)
{
    const size_t side = 8000;
    const TrainSpec spec = {.folder = folder,
                            .name = "run",
                            .overrides = "data.cache=on model.in_chans=1 data.mean=0.5 "
                                         "data.std=0.5"};
    char first[1024];
    MaeImage img = {0};
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_ok(mae_image_reshape(&img, side, side, 1, MAE_PIXEL_U8, &err));
    memset(img.data, 99, side * side);
    ck_assert_ok(mae_image_encode_jpeg(&bytes, &size, &img, 50, &err));
    (void)snprintf(first, sizeof first, "%s/train/c0/big.jpg", folder);
    mae_test_write(first, bytes, size);
    for (size_t i = 0; i < 20000; i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "train/c0/big%zu.jpg", i);
        ck_assert_int_eq(link(first, fixture_path(folder, name)), 0);
    }
    train_expect(&run, &spec, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(
        strstr(run.err.msg, "data.cache: on: decoded images of data.train take about"));
    free(bytes);
    mae_image_done(&img);
}
END_TEST

/* One picture of each set has 1000 pixels. */
START_TEST(large_images_are_left_out)
{
    const TrainSpec again = {
        .folder = folder, .name = "tight", .overrides = "data.max_pixels=1000"};
    char line[2000];

    fixture_png(fixture_path(folder, "train/c0/large.png"), 40, 25, 3, 1);
    fixture_png(fixture_path(folder, "val/c1/large.png"), 25, 40, 3, 1);
    for (size_t over = 0; over < 2; over++) {
        (void)snprintf(line, sizeof line,
                       "data.val=%s/val data.max_bad_fraction=0.5 train.epochs=1 "
                       "data.max_pixels=%d",
                       folder, over > 0 ? 999 : 1000);
        train_expect(&run,
                     &(TrainSpec){.folder = folder,
                                  .name = over > 0 ? "tight" : "wide",
                                  .overrides = line},
                     MAE_OK);
        ck_assert_str_eq(run.evaluated, /* sets of which every image was read */
                         over > 0 ? ""
                                  : "1 held-out loss 10\n"
                                    "1 features of data.train 28\n"
                                    "1 features of data.val 10\n");
        ck_assert_int_eq(strstr(run.log, "left out: c0/large.png") != NULL, over > 0);
        ck_assert_int_eq(strstr(run.log, "left out: c1/large.png") != NULL, over > 0);
    }
    train_expect(&run, &again, MAE_ERR_ARG);
    mae_test_has(run.err.msg, "data.max_pixels: run has 999, config says 1000");
}
END_TEST

START_TEST(the_limit_is_the_librarys)
{
    static const char text[] = "data: {train: a}\ntrain: {output_dir: b}\n";
    static MaeConfig cfg;
    MaeError err = {0};

    ck_assert_ok(mae_config_parse_text(&cfg, MAE_CONF_PRETRAIN, "text", text,
                                       sizeof text - 1, NULL, 0, &err));
    ck_assert_uint_eq(cfg.data.max_pixels, mae_image_limits(NULL).max_pixels);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train inputs");
    TCase *tc = tcase_create("inputs");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, cache_changes_nothing);
    tcase_add_test(tc, one_epoch_needs_no_cache);
    tcase_add_test(tc, too_many_images_for_the_memory);
    tcase_add_test(tc, large_images_are_left_out);
    tcase_add_test(tc, the_limit_is_the_librarys);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
