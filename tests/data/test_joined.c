#include "data/joined.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/cache.h"
#include "data/loader.h"
#include "data/opened.h"

/* First: 2 classes of 3 PNGs [6,7], seeds 0 to 5. Second: 5 PNGs, seeds 100 to 104. */
static MaeDataset *first, *second;
static size_t samples[] = {4, 0, 3};
static int64_t labels[] = {1, 0, 1};
static const MaeChosen chosen = {samples, labels, 3};

static void open_second(size_t channels)
{
    const MaeDatasetOptions opt = {.unlabelled = true, .in_chans = channels};

    ck_assert_ok(mae_dataset_open(&second, fixture_path(root, "second"), &opt, &err));
}

static void setup(void)
{
    char name[32], folder[1024]; /* paths of fixture_folder do not last */

    opened_setup();
    first = second = NULL;
    (void)snprintf(folder, sizeof folder, "%s", fixture_folder(root, "first"));
    fixture_classes(folder, 2, 3, 6, 7);
    (void)fixture_folder(root, "second");
    for (uint64_t i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "second/%d.png", (int)i);
        fixture_png(fixture_path(root, name), 9, 5, 3, 100 + i);
    }
    ck_assert_ok(mae_dataset_open(&first, fixture_path(root, "first"), NULL, &err));
}

static void teardown(void)
{
    if (ds == NULL) {
        mae_dataset_close(first);
        mae_dataset_close(second);
    }
    opened_teardown();
}

static void expect(size_t index, uint64_t seed, size_t height, size_t width)
{
    MaeImage img = {0}, want = fixture_image(height, width, 3, seed);
    MaeReadBuffer buffer = {0};

    ck_assert_ok(mae_dataset_read(ds, index, &img, &buffer, &err));
    ck_assert_uint_eq(img.height, height);
    ck_assert_uint_eq(img.width, width);
    ck_assert_mem_eq(img.data, want.data, height * width * 3);
    mae_image_done(&img);
    mae_image_done(&want);
    mae_read_buffer_done(&buffer);
}

START_TEST(the_first_and_what_was_chosen)
{
    const MaeDatasetInfo *info;
    MaeReadBuffer buffer = {0};
    char name[64];
    size_t size;

    open_second(0);
    ck_assert_ok(mae_dataset_join(&ds, first, second, &chosen, &err));
    info = mae_dataset_info(ds);
    ck_assert_str_eq(info->kind, "joined");
    ck_assert_uint_eq(info->count, 9);
    ck_assert_uint_eq(info->classes, 2);
    ck_assert_uint_eq(info->channels, 3);
    ck_assert_uint_eq(info->height, 0);
    ck_assert(info->labelled);
    ck_assert(info->encoded);
    ck_assert_str_eq(mae_dataset_class(ds, 1), "c1");
    for (size_t i = 0; i < 6; i++) {
        expect(i, i, 6, 7);
        ck_assert_int_eq(mae_dataset_label(ds, i), (int64_t)(i / 3));
    }
    for (size_t i = 0; i < 3; i++) {
        expect(6 + i, 100 + samples[i], 9, 5);
        ck_assert_int_eq(mae_dataset_label(ds, 6 + i), labels[i]);
    }
    mae_dataset_name(ds, 2, name, sizeof name);
    ck_assert_str_eq(name, "c0/002.png");
    mae_dataset_name(ds, 6, name, sizeof name);
    ck_assert_str_eq(name, "4.png");
    ck_assert_ok(mae_dataset_load(ds, 8, &buffer, &size, &err));
    ck_assert_uint_gt(size, 50);
    mae_read_buffer_done(&buffer);
}
END_TEST

START_TEST(nothing_chosen)
{
    const MaeChosen none = {NULL, NULL, 0};

    open_second(0);
    ck_assert_ok(mae_dataset_join(&ds, first, second, &none, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 6);
    expect(5, 5, 6, 7);
}
END_TEST

/* Images of an IDX file are not files: the whole can neither be cached nor loaded. */
START_TEST(kinds_mixed)
{
    const MaeDatasetOptions opt = {.unlabelled = true, .in_chans = 3};
    MaeReadBuffer buffer = {0};
    MaeImage img = {0};
    char folder[1024];
    size_t size;

    (void)snprintf(folder, sizeof folder, "%s", fixture_folder(root, "idx"));
    fixture_mnist(folder, "train", true, 5, 4, 4);
    ck_assert_ok(mae_dataset_open(&second, fixture_path(root, "idx"), &opt, &err));
    ck_assert_ok(mae_dataset_join(&ds, first, second, &chosen, &err));
    ck_assert(!mae_dataset_info(ds)->encoded);
    ck_assert_ok(mae_dataset_read(ds, 6, &img, &buffer, &err));
    ck_assert_uint_eq(img.height, 4);
    ck_assert_uint_eq(img.channels, 3);
    ck_assert_uint_eq(((const unsigned char *)img.data)[0], 28);
    ck_assert_fails(mae_dataset_load(ds, 6, &buffer, &size, &err), MAE_ERR_ARG, "idx");
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
}
END_TEST

/* A failure leaves both to the caller. */
START_TEST(refused)
{
    MaeDataset *out = NULL;

    open_second(1);
    ck_assert_fails(mae_dataset_join(&out, first, second, &chosen, &err), MAE_ERR_ARG,
                    "expected labels and 1 channels, found labels and 3");
    ck_assert_fails(mae_dataset_join(&out, second, first, &chosen, &err), MAE_ERR_ARG,
                    "found none and 1");
    ck_assert_ptr_null(out);
    ck_assert_uint_eq(mae_dataset_info(second)->count, 5);
}
END_TEST

/* A training epoch over everything, with a cache and workers, bad image included. */
START_TEST(loader_takes_it)
{
    MaeTransform transform = mae_transform_default(3, 4, 4, MAE_AUGMENT_EVAL);
    MaeLoaderOptions opt = {
        .sampler = {.count = 9, .batch_size = 9, .training = true, .seed = 3},
        .workers = 2,
        .max_bad_fraction = 0.5};
    const MaeBatch *batch;
    MaeLoader *loader;
    MaeCache *cache;
    size_t count[9] = {0};

    mae_test_write(fixture_path(root, "second/0.png"), "text", 4);
    open_second(3);
    ck_assert_ok(mae_dataset_join(&ds, first, second, &chosen, &err));
    ck_assert_ok(mae_cache_open(&cache, ds, mae_cache_need(ds, 9), &err));
    opt.cache = cache;
    ck_assert_ok(mae_loader_open(&loader, ds, &transform, &opt, &err));
    for (int pass = 0; pass < 2; pass++) {
        ck_assert_ok(mae_loader_next(loader, &batch, &err));
        for (size_t i = 0; i < batch->size; i++) {
            count[batch->samples[i]]++;
            ck_assert_int_eq(batch->labels[i], mae_dataset_label(ds, batch->samples[i]));
        }
        mae_loader_release(loader, batch);
    }
    ck_assert_uint_eq(mae_loader_bad(loader)->count, 1);
    ck_assert_str_eq(mae_loader_bad(loader)->entries[0].name, "0.png");
    ck_assert_uint_eq(count[7], 0); /* replaced */
    ck_assert_uint_ge(count[6], 2);
    ck_assert_uint_ge(count[0], 2);
    mae_loader_close(loader);
    mae_cache_close(cache);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data joined");
    TCase *tc = tcase_create("joined");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_first_and_what_was_chosen);
    tcase_add_test(tc, nothing_chosen);
    tcase_add_test(tc, kinds_mixed);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, loader_takes_it);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
