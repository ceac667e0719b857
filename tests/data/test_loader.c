#include "data/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "data/opened.h"

#define IMAGE (3 * 8 * 8)

static MaeLoader *loader;
static MaeTransform transform;
static MaeLoaderOptions options;

/* 60 images in 3 classes, random crops, batches of 8: 7 batches an epoch. */
static void setup(void)
{
    opened_setup();
    loader = NULL;
    fixture_classes(root, 3, 20, 10, 12);
    transform = mae_transform_default(3, 8, 8, MAE_AUGMENT_CROP_FLIP);
    options = (MaeLoaderOptions){.sampler = {.count = 60, .batch_size = 8, .seed = 11},
                                 .max_bad_fraction = 0.2};
    options.sampler.training = true;
}

static void teardown(void)
{
    mae_loader_close(loader);
    opened_teardown();
}

static void open_all(size_t workers)
{
    options.workers = workers;
    if (ds == NULL)
        ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    mae_loader_close(loader);
    loader = NULL;
    ck_assert_ok(mae_loader_open(&loader, ds, &transform, &options, &err));
}

/* Damage sample @p index of the dataset fixture_classes made. */
static void spoil(size_t index)
{
    char name[32];

    (void)snprintf(name, sizeof name, "c%zu/%03zu.png", index / 20, index % 20);
    mae_test_write(fixture_path(root, name), "broken", 6);
}

/* Mix everything a batch holds into one number (FNV-1a). */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t digest(const MaeBatch *batch)
{
    uint64_t hash = 0xcbf29ce484222325u;

    hash = mix(hash, batch->images, batch->size * IMAGE * sizeof *batch->images);
    hash = mix(hash, batch->labels, batch->size * sizeof *batch->labels);
    hash = mix(hash, batch->samples, batch->size * sizeof *batch->samples);
    hash = mix(hash, &batch->epoch, sizeof batch->epoch);
    return mix(hash, &batch->index, sizeof batch->index);
}

static uint64_t next_digest(void)
{
    const MaeBatch *batch = NULL;
    uint64_t hash;

    ck_assert_ok(mae_loader_next(loader, &batch, &err));
    ck_assert_ptr_nonnull(batch);
    hash = digest(batch);
    mae_loader_release(loader, batch);
    return hash;
}

/* Round 1 also changes colours and geometry and erases, round 2 jitters. */
START_TEST(same_batches_for_any_number_of_workers)
{
    static const size_t workers[] = {0, 1, 2, 3, 8, 99};
    uint64_t want[20];

    if (_i == 1)
        ck_assert_ok(mae_policy_parse(&transform.policy, "rand-m9-mstd0.5-inc1", &err));
    transform.erasing = _i == 1 ? 0.5 : 0.0;
    transform.jitter = _i == 2 ? 0.4 : 0.0;
    spoil(7);
    spoil(33);
    for (size_t w = 0; w < 6; w++) {
        options.prefetch = w;
        open_all(workers[w]);
        for (size_t b = 0; b < 20; b++) {
            const uint64_t got = next_digest();

            if (w == 0)
                want[b] = got;
            ck_assert_msg(got == want[b], "batch %zu differs with %zu workers", b,
                          workers[w]);
        }
        ck_assert_uint_eq(mae_loader_bad(loader)->count, 2);
        ck_assert(mae_loader_waited(loader) > 0.0);
    }
}
END_TEST

START_TEST(epochs_and_labels)
{
    bool seen[60] = {false};

    open_all(2);
    ck_assert_uint_eq(mae_loader_batches(loader), 7);
    for (size_t b = 0; b < 14; b++) {
        const MaeBatch *batch;

        ck_assert_ok(mae_loader_next(loader, &batch, &err));
        ck_assert_uint_eq(batch->size, 8);
        ck_assert_uint_eq(batch->epoch, b / 7);
        ck_assert_uint_eq(batch->index, b % 7);
        ck_assert_uint_eq((uintptr_t)batch->images % 64, 0);
        for (size_t i = 0; i < 8; i++) {
            ck_assert_int_eq(batch->labels[i], (int64_t)batch->samples[i] / 20);
            ck_assert(b >= 7 || !seen[batch->samples[i]]);
            seen[batch->samples[i]] = true;
        }
        mae_loader_release(loader, batch);
    }
}
END_TEST

START_TEST(seek_goes_on_where_it_was)
{
    uint64_t want[21];

    open_all(0);
    for (size_t b = 0; b < 21; b++)
        want[b] = next_digest();
    for (size_t workers = 0; workers < 3; workers++) {
        open_all(workers);
        for (size_t b = 0; b < 21; b += 4) {
            ck_assert_ok(mae_loader_seek(loader, (uint32_t)(b / 7), b % 7, &err));
            ck_assert_uint_eq(next_digest(), want[b]);
        }
        ck_assert_ok(mae_loader_seek(loader, 0, 7, &err)); /* the end of epoch 0 */
        ck_assert_uint_eq(next_digest(), want[7]);
        ck_assert_fails(mae_loader_seek(loader, 0, 8, &err), MAE_ERR_ARG,
                        "batch 8 of an epoch of 7");
    }
}
END_TEST

START_TEST(holding_batches)
{
    const MaeBatch *held[3], *more;
    uint64_t first;

    options.prefetch = 2;
    open_all(2);
    for (size_t i = 0; i < 3; i++)
        ck_assert_ok(mae_loader_next(loader, &held[i], &err));
    first = digest(held[0]);
    ck_assert_fails(mae_loader_next(loader, &more, &err), MAE_ERR_ARG,
                    "all 3 batches are held");
    ck_assert_fails(mae_loader_seek(loader, 0, 0, &err), MAE_ERR_ARG,
                    "while 3 batches are held");
    ck_assert_uint_eq(digest(held[0]), first);
    mae_loader_release(loader, held[1]); /* its turn has not come */
    ck_assert_fails(mae_loader_next(loader, &more, &err), MAE_ERR_ARG, "held");
    mae_loader_release(loader, held[0]);
    mae_loader_release(loader, NULL);
    ck_assert_ok(mae_loader_next(loader, &more, &err));
    ck_assert_uint_eq(more->index, 3);
}
END_TEST

/* 60 images in 3 batches of 20: the end is the end, whoever still holds what. */
START_TEST(end_while_all_are_held)
{
    const MaeBatch *batch;

    options.prefetch = 2;
    options.sampler.training = false;
    options.sampler.batch_size = 20;
    open_all(2);
    for (size_t i = 0; i < 3; i++)
        ck_assert_ok(mae_loader_next(loader, &batch, &err));
    ck_assert_ptr_nonnull(batch);
    ck_assert_ok(mae_loader_next(loader, &batch, &err));
    ck_assert_ptr_null(batch);
}
END_TEST

START_TEST(evaluation_passes)
{
    FixtureLog log;

    fixture_log(&log);
    spoil(3);
    spoil(59);
    transform.augment = MAE_AUGMENT_EVAL;
    options.sampler.training = false;
    options.log = &log.log;
    open_all((size_t)_i);
    ck_assert_uint_eq(mae_loader_batches(loader), 8);
    for (int pass = 0; pass < 2; pass++) {
        const MaeBatch *batch;
        size_t wanted = 0;

        while (mae_loader_next(loader, &batch, &err) == MAE_OK && batch != NULL) {
            ck_assert_uint_eq(batch->size, batch->index == 0   ? 7
                                           : batch->index == 7 ? 3
                                                               : 8);
            for (size_t i = 0; i < batch->size; i++, wanted++) {
                MaeImage img = {0};
                MaeReadBuffer buffer = {0};
                MaeTransformScratch scratch = {0};
                float out[IMAGE];

                wanted += wanted == 3;
                ck_assert_uint_eq(batch->samples[i], wanted);
                ck_assert_int_eq(batch->labels[i], (int64_t)wanted / 20);
                ck_assert_ok(mae_dataset_read(ds, wanted, &img, &buffer, &err));
                ck_assert_ok(mae_transform_apply(&transform, out, &img, &scratch,
                                                 (MaeDraw){0}, &err));
                ck_assert_mem_eq(out, batch->images + i * IMAGE, sizeof out);
                mae_image_done(&img);
                mae_read_buffer_done(&buffer);
                mae_transform_scratch_done(&scratch);
            }
            mae_loader_release(loader, batch);
        }
        ck_assert_uint_eq(wanted, 59);
        ck_assert_ok(mae_loader_next(loader, &batch, &err));
        ck_assert_ptr_null(batch);
        ck_assert_ok(mae_loader_seek(loader, 0, 0, &err));
    }
    ck_assert_uint_eq(mae_loader_bad(loader)->count, 2);
    ck_assert_uint_eq(log.lines, 2);
    ck_assert_ptr_nonnull(strstr(log.last, "bad image left out: c2/019.png: "));
}
END_TEST

/* A rank that gets nothing of the last batch still takes part in it. */
START_TEST(empty_share_of_a_batch)
{
    const MaeBatch *batch;

    options.sampler.training = false;
    options.sampler.world = 8; /* 60 = 7 * 8 + 4: ranks 4 .. 7 get 7 samples */
    options.sampler.rank = 7;
    open_all((size_t)_i);
    for (size_t b = 0; b < 8; b++) {
        ck_assert_ok(mae_loader_next(loader, &batch, &err));
        ck_assert_ptr_nonnull(batch);
        ck_assert_uint_eq(batch->size, b < 7 ? 1 : 0);
        mae_loader_release(loader, batch);
    }
    ck_assert_ok(mae_loader_next(loader, &batch, &err));
    ck_assert_ptr_null(batch);
}
END_TEST

START_TEST(replacements_stay_the_same)
{
    size_t stand_in = 60;

    spoil(7);
    open_all(2);
    for (size_t b = 0; b < 70; b++) {
        const MaeBatch *batch;

        ck_assert_ok(mae_loader_next(loader, &batch, &err));
        for (size_t i = 0; i < batch->size; i++) {
            bool twice = false;

            ck_assert_uint_ne(batch->samples[i], 7);
            for (size_t k = 0; k < i; k++)
                twice = twice || batch->samples[k] == batch->samples[i];
            if (twice && stand_in == 60)
                stand_in = batch->samples[i];
            ck_assert(!twice || batch->samples[i] == stand_in);
        }
        mae_loader_release(loader, batch);
    }
    ck_assert_uint_eq(mae_loader_bad(loader)->count, 1);
    ck_assert_str_eq(mae_loader_bad(loader)->entries[0].name, "c0/007.png");
}
END_TEST

/* The same batch fails, with the same words, for any number of workers. */
START_TEST(too_many_bad_images)
{
    static const size_t workers[] = {0, 1, 3, 8};
    char first[sizeof err.msg] = "";
    size_t first_batch = 0;

    for (size_t i = 0; i < 60; i += 4)
        spoil(i);
    options.max_bad_fraction = 0.1;
    for (size_t w = 0; w < 4; w++) {
        const MaeBatch *batch;
        size_t b = 0;

        open_all(workers[w]);
        while (mae_loader_next(loader, &batch, &err) == MAE_OK) {
            mae_loader_release(loader, batch);
            ck_assert_uint_lt(++b, 7);
        }
        ck_assert_int_eq(err.status, MAE_ERR_FORMAT);
        ck_assert_ptr_nonnull(
            strstr(err.msg, "of 60 images are bad, limit 10 %: format "));
        ck_assert_ptr_nonnull(strstr(err.msg, ".png ("));
        if (w == 0) {
            memcpy(first, err.msg, sizeof first);
            first_batch = b;
        }
        ck_assert_str_eq(err.msg, first);
        ck_assert_uint_eq(b, first_batch);
        ck_assert_int_eq(mae_loader_next(loader, &batch, &err), MAE_ERR_FORMAT);
    }
}
END_TEST

START_TEST(nothing_left_to_replace_with)
{
    const MaeBatch *batch;
    size_t indices[8];

    for (size_t i = 0; i < 8; i++) {
        spoil(i);
        indices[i] = i;
    }
    options.sampler.indices = indices;
    options.sampler.count = 8;
    options.max_bad_fraction = 1.0;
    open_all(1);
    ck_assert_fails(mae_loader_next(loader, &batch, &err), MAE_ERR_FORMAT,
                    "and nothing could replace it");
}
END_TEST

/* A process without descriptors left has no bad images, and nothing replaces them. */
START_TEST(no_descriptors_left)
{
    const int next = dup(0);
    struct rlimit all, few;
    const MaeBatch *batch;

    options.max_bad_fraction = 1.0;
    options.sampler.training = _i == 0;
    open_all(0);
    ck_assert_int_eq(close(next), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
    few = (struct rlimit){(rlim_t)next, all.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    ck_assert_fails(mae_loader_next(loader, &batch, &err), MAE_ERR_NOMEM,
                    "Too many open files");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0); /* who looks for leaks opens */
}
END_TEST

START_TEST(closes_at_any_time)
{
    for (size_t i = 0; i < 30; i++) {
        const MaeBatch *batch;

        open_all(i % 5);
        for (size_t b = 0; b < i % 4; b++) {
            ck_assert_ok(mae_loader_next(loader, &batch, &err));
            if (i % 2 == 0 || i % 5 == 0)
                mae_loader_release(loader, batch);
            else if (b == 2)
                break;
        }
    }
}
END_TEST

START_TEST(refuses_what_does_not_fit)
{
    size_t beyond[1] = {60};

    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    transform.channels = 1;
    ck_assert_fails(mae_loader_open(&loader, ds, &transform, &options, &err),
                    MAE_ERR_SHAPE, "transform of 1 channels, dataset delivers 3");
    transform.channels = 3;
    options.max_bad_fraction = 2.0;
    ck_assert_fails(mae_loader_open(&loader, ds, &transform, &options, &err), MAE_ERR_ARG,
                    "max_bad_fraction 2");
    options.max_bad_fraction = 0.01;
    options.sampler.batch_size = 61;
    ck_assert_fails(mae_loader_open(&loader, ds, &transform, &options, &err), MAE_ERR_ARG,
                    "only 60 samples");
    options.sampler.batch_size = 1;
    options.sampler.indices = beyond;
    options.sampler.count = 1;
    ck_assert_fails(mae_loader_open(&loader, ds, &transform, &options, &err), MAE_ERR_ARG,
                    "sample 60 of a dataset of 60");
    options.sampler.indices = NULL;
    transform.out_h = transform.out_w = 65536;
    options.sampler.count = 60;
    options.sampler.training = false;
    options.sampler.batch_size = (size_t)1 << 40;
    ck_assert_fails(mae_loader_open(&loader, ds, &transform, &options, &err),
                    MAE_ERR_NOMEM, "out of memory");
    ck_assert_ptr_null(loader);
    mae_loader_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_loader");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, same_batches_for_any_number_of_workers, 0, 3);
    tcase_add_test(tc, epochs_and_labels);
    tcase_add_test(tc, seek_goes_on_where_it_was);
    tcase_add_test(tc, holding_batches);
    tcase_add_test(tc, end_while_all_are_held);
    tcase_add_loop_test(tc, evaluation_passes, 0, 4);
    tcase_add_loop_test(tc, empty_share_of_a_batch, 0, 3);
    tcase_add_test(tc, replacements_stay_the_same);
    tcase_add_test(tc, too_many_bad_images);
    tcase_add_test(tc, nothing_left_to_replace_with);
    tcase_add_loop_test(tc, no_descriptors_left, 0, 2);
    tcase_add_test(tc, closes_at_any_time);
    tcase_add_test(tc, refuses_what_does_not_fit);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
