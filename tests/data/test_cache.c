#include "data/cache.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader.h"
#include "data/opened.h"

#define COUNT 40

static MaeCache *cache;

static void setup(void)
{
    opened_setup();
    cache = NULL;
}

static void teardown(void)
{
    mae_cache_close(cache);
    opened_teardown();
}

static void open_set(void)
{
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
}

START_TEST(need_is_exact_if_sizes_are_alike)
{
    fixture_classes(root, 2, COUNT / 2, 10, 12);
    open_set();
    ck_assert_uint_eq(mae_cache_need(ds, COUNT), (size_t)COUNT * 384); /* 360, rounded */
    ck_assert_uint_eq(mae_cache_need(ds, 7), 7 * 384);
}
END_TEST

START_TEST(need_is_estimated_otherwise)
{
    fixture_png(fixture_path(root, "a.png"), 8, 8, 3, 1);    /* 192 bytes */
    fixture_jpeg(fixture_path(root, "b.jpg"), 16, 24, 3, 1); /* 1152 */
    mae_test_write(fixture_path(root, "c.jpg"), "text", 4);
    open_set();
    ck_assert_uint_eq(mae_cache_need(ds, 3), (size_t)(3 * 672 * 1.125) / 64 * 64 + 64);
}
END_TEST

START_TEST(nothing_can_be_read)
{
    MaeDatasetOptions opt = {.in_chans = 3};

    mae_test_write(fixture_path(root, "c.jpg"), "text", 4);
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert_uint_eq(mae_cache_need(ds, 1), 0);
    ck_assert_fails(mae_cache_open(&cache, ds, 0, &err), MAE_ERR_NOMEM, "0.0 MB");
    ck_assert_ptr_null(cache);
    ck_assert_uint_eq(mae_cache_bytes(cache), 0);
}
END_TEST

START_TEST(what_is_kept_is_found)
{
    MaeImage img = fixture_image(5, 7, 3, 1), wide = fixture_image(5, 70, 3, 2);
    MaeImage found = {0};

    fixture_classes(root, 2, COUNT / 2, 10, 12);
    open_set();
    ck_assert_ok(mae_cache_open(&cache, ds, 300, &err)); /* 256 that can be used */
    ck_assert_uint_eq(mae_cache_bytes(cache), 256);
    ck_assert(!mae_cache_find(cache, 3, &found));
    mae_cache_keep(cache, 3, &img);  /* 105 bytes, 128 of the block */
    mae_cache_keep(cache, 3, &wide); /* is there already */
    mae_cache_keep(cache, 5, &img);
    mae_cache_keep(cache, 6, &img); /* does not fit */
    mae_cache_keep(cache, 6, &img);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(mae_cache_find(cache, i, &found), i == 3 || i == 5);
    ck_assert(mae_cache_find(cache, 3, &found));
    ck_assert_uint_eq(found.height, 5);
    ck_assert_uint_eq(found.width, 7);
    ck_assert_uint_eq(found.channels, 3);
    ck_assert_uint_eq(found.picture.height, 5);
    ck_assert_uint_eq(found.picture.width, 7);
    ck_assert_int_eq(found.type, MAE_PIXEL_U8);
    ck_assert_mem_eq(found.data, img.data, 105);
    mae_image_done(&img);
    mae_image_done(&wide);
}
END_TEST

/* Keep and find the same images over and over; what is found is complete. */
static void *hammer(void *arg)
{
    const uint64_t first = *(const uint64_t *)arg;
    size_t *wrong = NULL;

    for (size_t i = 0; i < 10 * COUNT; i++) {
        const size_t sample = (first + i) % COUNT;
        MaeImage img = fixture_image(10, 12, 3, sample), found;

        mae_cache_keep(cache, sample, &img);
        if (mae_cache_find(cache, sample, &found) &&
            memcmp(found.data, img.data, 10 * 12 * 3) != 0)
            wrong = (size_t *)arg;
        mae_image_done(&img);
    }
    return wrong;
}

START_TEST(many_threads)
{
    static uint64_t first[4] = {0, 1, 0, 20};
    pthread_t threads[4];
    MaeImage found;

    fixture_classes(root, 2, COUNT / 2, 10, 12);
    open_set();
    ck_assert_ok(mae_cache_open(&cache, ds, mae_cache_need(ds, COUNT), &err));
    for (size_t t = 0; t < 4; t++)
        ck_assert_int_eq(pthread_create(&threads[t], NULL, hammer, &first[t]), 0);
    for (size_t t = 0; t < 4; t++) {
        void *wrong = NULL;

        ck_assert_int_eq(pthread_join(threads[t], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    for (size_t i = 0; i < COUNT; i++)
        ck_assert(mae_cache_find(cache, i, &found));
}
END_TEST

/* Batches of three epochs, one behind the other. Caller frees. */
static float *batches(MaeAugment augment, size_t workers)
{
    static const float mean[3] = {0.4f, 0.5f, 0.6f}, std[3] = {0.2f, 0.3f, 0.4f};
    const size_t size = (size_t)8 * 3 * 9 * 8;
    MaeTransform transform = mae_transform_default(3, 9, 8, augment);
    const MaeLoaderOptions options = {
        .sampler = {.count = COUNT, .batch_size = 8, .seed = 3, .training = true},
        .workers = workers,
        .max_bad_fraction = 0.2,
        .cache = cache};
    float *all = mae_test_alloc(15 * size * sizeof *all);
    MaeLoader *loader = NULL;

    transform.mean = mean;
    transform.std = std;
    ck_assert_ok(mae_loader_open(&loader, ds, &transform, &options, &err));
    for (size_t b = 0; b < 15; b++) {
        const MaeBatch *batch = NULL;

        ck_assert_ok(mae_loader_next(loader, &batch, &err));
        memcpy(all + b * size, batch->images, size * sizeof *all);
        mae_loader_release(loader, batch);
    }
    ck_assert_uint_eq(mae_loader_bad(loader)->count, 2);
    mae_loader_close(loader);
    return all;
}

/* JPEG and PNG, some of the output's size, two bad; the block holds all or half. */
START_TEST(batches_are_the_same)
{
    static const MaeAugment augments[] = {MAE_AUGMENT_NONE, MAE_AUGMENT_FLIP,
                                          MAE_AUGMENT_CROP_FLIP, MAE_AUGMENT_EVAL};
    static const size_t workers[] = {0, 1, 3};
    const MaeAugment augment = augments[_i % 4];

    for (size_t i = 0; i < COUNT; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "%02zu.%s", i, i % 2 == 0 ? "jpg" : "png");
        if (i == 9 || i == 20)
            mae_test_write(fixture_path(root, name), "text", 4);
        else
            (i % 2 == 0 ? fixture_jpeg : fixture_png)(
                fixture_path(root, name), i % 4 < 2 ? 9 : 9 + i, 8 + i % 4 / 2, 3, i);
    }
    open_set();
    for (size_t w = 0; w < 3; w++) {
        float *want = batches(augment, workers[w]), *got;

        ck_assert_ok(mae_cache_open(&cache, ds,
                                    mae_cache_need(ds, COUNT) / (_i < 4 ? 1 : 2), &err));
        got = batches(augment, workers[w]);
        ck_assert_mem_eq(got, want, (size_t)15 * 8 * 3 * 9 * 8 * sizeof *got);
        free(got);
        got = batches(augment, workers[w]); /* all of it from memory */
        ck_assert_mem_eq(got, want, (size_t)15 * 8 * 3 * 9 * 8 * sizeof *got);
        free(got);
        free(want);
        mae_cache_close(cache);
        cache = NULL;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_cache");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, need_is_exact_if_sizes_are_alike);
    tcase_add_test(tc, need_is_estimated_otherwise);
    tcase_add_test(tc, nothing_can_be_read);
    tcase_add_test(tc, what_is_kept_is_found);
    tcase_add_test(tc, many_threads);
    tcase_add_loop_test(tc, batches_are_the_same, 0, 8);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
