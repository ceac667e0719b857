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

int main(void)
{
    Suite *suite = suite_create("train inputs");
    TCase *tc = tcase_create("inputs");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, cache_changes_nothing);
    tcase_add_test(tc, one_epoch_needs_no_cache);
    tcase_add_test(tc, too_many_images_for_the_memory);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
