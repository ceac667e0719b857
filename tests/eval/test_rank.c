#include "eval/rank.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/fixture.h"
#include "model/maskset.h"
#include "store/json.h"
#include "support/model.h"

/* 2 classes of 9 images that differ, the seventh of them bad. */
enum { CLASSES = 2, EACH = 9, TOTAL = CLASSES * EACH, BAD = 6, SEED = 5 };

static MaeError err;
static char *folder;
static MaeDataset *ds;
static MaeAutoencoder model;
static MaeTransform transform;
static float *w;

/* Noise of its own strength on a ground of its own. */
static void write_image(const char *path, size_t index)
{
    MaeImage image = fixture_image(8, 12, 3, index);

    for (size_t i = 0; i < (size_t)8 * 12 * 3; i++) {
        uint8_t *pixel = (uint8_t *)image.data + i;

        *pixel = (uint8_t)(*pixel * (index + 1) / (TOTAL + 1) + index * 3 +
                           (index % 3) * (i / 40));
    }
    fixture_write_png(path, &image);
    mae_image_done(&image);
}

static void setup(void)
{
    MaeArch arch = test_small_arch;

    arch.norm_pix_loss = true;
    folder = mae_test_folder();
    fixture_classes(folder, CLASSES, EACH, 8, 12);
    for (size_t i = 0; i < TOTAL; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "c%zu/%03zu.png", i / EACH, i % EACH);
        write_image(fixture_path(folder, name), i);
    }
    write_image(fixture_path(folder, "c1/1,\"x\".png"), 40);
    mae_test_write(fixture_path(folder, "c0/006.png"), "text", 4);
    ck_assert_ok(mae_dataset_open(&ds, folder, NULL, &err));
    ck_assert_ok(mae_autoencoder_open(&model, &arch, &err));
    w = mae_test_alloc(model.table.total * sizeof *w);
    test_random_params(&model.table, w, 2);
    transform = mae_transform_default(3, 8, 12, MAE_AUGMENT_EVAL);
}

static void teardown(void)
{
    free(w);
    mae_autoencoder_close(&model);
    mae_dataset_close(ds);
    mae_test_folder_remove(folder);
}

static MaeStatus rank(MaeRanking *ranking, size_t batch, size_t threads, size_t workers,
                      double ratio)
{
    const MaeRankOptions options = {.kind = MAE_MASK_RANDOM,
                                    .ratio = ratio,
                                    .masks = 3,
                                    .seed = SEED,
                                    .batch = batch,
                                    .workers = workers,
                                    .max_bad_fraction = 0.1};
    TestCompute compute;
    MaeStatus status;

    test_compute_open(&compute, MAE_F32, threads);
    status = mae_rank_run(ranking, &model, mae_weights_f32(w), &compute.compute, ds,
                          &transform, &options, &err);
    test_compute_close(&compute);
    return status;
}

/* Error of one sample by itself: three masks keyed by sample, one after the other. */
static double error_of(size_t sample)
{
    MaeReadBuffer buffer = {0};
    MaeTransformScratch scratch = {.spare = {0}};
    MaeImage image = {0};
    MaeAutoencoderRun run;
    TestCompute compute;
    MaeMaskSet masks;
    float pixels[3 * 8 * 12];
    double error = 0.0;

    test_compute_open(&compute, MAE_F32, 1);
    ck_assert_ok(mae_dataset_read(ds, sample, &image, &buffer, &err));
    ck_assert_ok(mae_transform_apply(&transform, pixels, &image, &scratch,
                                     (MaeDraw){.sample = sample}, &err));
    ck_assert_ok(mae_maskset_open(&masks, MAE_MASK_RANDOM, &test_small_arch.grid, 0.5, 1,
                                  NULL, &err));
    ck_assert_ok(mae_autoencoder_run_open(&run, &model, &compute.compute, 1,
                                          masks.mask.visible, MAE_PREDICT_ALL,
                                          MAE_KEEP_NOTHING, &err));
    for (uint32_t k = 0; k < 3; k++) {
        mae_maskset_draw(&masks, SEED, k, &sample, 1);
        error +=
            mae_autoencoder_forward(&run, mae_weights_f32(w), pixels, &masks.mask, 1) /
            3.0;
    }
    mae_autoencoder_run_close(&run);
    mae_maskset_close(&masks);
    mae_image_done(&image);
    mae_read_buffer_done(&buffer);
    mae_transform_scratch_done(&scratch);
    test_compute_close(&compute);
    return error;
}

/* Each image has its own error, and errors fall. */
START_TEST(errors_are_those_of_the_images)
{
    MaeRanking r;

    ck_assert_ok(rank(&r, 5, 2, 2, 0.5));
    ck_assert_uint_eq(r.count, TOTAL);
    for (size_t i = 0; i < r.count; i++) {
        const double want = error_of(r.items[i].sample);

        ck_assert_uint_ne(r.items[i].sample, BAD);
        ck_assert(i == 0 || r.items[i].error < r.items[i - 1].error);
        ck_assert_double_eq_tol(r.items[i].error, want, 1e-5 * want);
    }
    mae_rank_done(&r);
    mae_rank_done(NULL);
}
END_TEST

START_TEST(order_does_not_depend_on_how_it_is_computed)
{
    static const struct {
        size_t batch, threads, workers;
    } ways[] = {{5, 1, 0}, {5, 3, 0}, {5, 2, 3}, {1, 2, 1}, {7, 1, 2}, {0, 2, 2}};
    MaeRanking first, other;

    ck_assert_ok(rank(&first, 5, 2, 2, 0.5));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        ck_assert_ok(rank(&other, ways[i].batch, ways[i].threads, ways[i].workers, 0.5));
        ck_assert_uint_eq(other.count, first.count);
        for (size_t k = 0; k < first.count; k++) {
            ck_assert_uint_eq(other.items[k].sample, first.items[k].sample);
            ck_assert_double_eq_tol(other.items[k].error, first.items[k].error, 1e-5);
        }
        if (ways[i].batch == 5) /* threads and workers: the same bits */
            ck_assert_mem_eq(other.items, first.items, first.count * sizeof *first.items);
        mae_rank_done(&other);
    }
    mae_rank_done(&first);
}
END_TEST

START_TEST(files_hold_all_images)
{
    const char *csv = fixture_path(folder, "r.csv");
    const char *json = fixture_path(folder, "r.JSON");
    MaeJson *array = NULL;
    MaeRanking r;
    char *text, want[128], *line;
    double error;
    size_t size;

    ck_assert_ok(rank(&r, 5, 1, 0, 0.5));
    ck_assert_ok(mae_rank_write(&r, ds, csv, &err));
    text = (char *)mae_test_read(csv, &size);
    ck_assert_int_eq(strncmp(text, "rank,path,error,class\n1,\"c", 26), 0);
    ck_assert_ptr_nonnull(strstr(text, "1,\"\"x\"\".png\","));
    line = strchr(text, '\n') + 1;
    for (size_t i = 0; i < r.count; i++) {
        const size_t sample = r.items[i].sample;

        (void)snprintf(want, sizeof want, "%zu,\"c%d/", i + 1, sample >= EACH);
        ck_assert_int_eq(strncmp(line, want, strlen(want)), 0);
        (void)mae_text_format(want, sizeof want, ",%.9g,\"c%d\"\n", r.items[i].error,
                              sample >= EACH);
        line = strchr(line, '\n') + 1;
        ck_assert_int_eq(strncmp(line - strlen(want), want, strlen(want)), 0);
    }
    ck_assert_str_eq(line, "");
    free(text);
    ck_assert_ok(mae_rank_write(&r, ds, json, &err));
    text = (char *)mae_test_read(json, &size);
    ck_assert_ok(mae_json_parse(&array, text, size, "r", &err));
    ck_assert_uint_eq(mae_json_size(array), r.count);
    ck_assert(mae_json_get_real(mae_json_at(array, 3), "error", &error));
    ck_assert_double_eq_tol(error, r.items[3].error, 1e-12);
    ck_assert_ptr_nonnull(mae_json_get_text(mae_json_at(array, 3), "class"));
    mae_json_free(array);
    free(text);
    ck_assert_fails(mae_rank_write(&r, ds, "r.txt", &err), MAE_ERR_ARG, "r.txt");
    ck_assert_fails(mae_rank_write(&r, ds, "no/such/r.csv", &err), MAE_ERR_IO, "no/such");
    mae_rank_done(&r);
}
END_TEST

START_TEST(failures_are_reported)
{
    MaeRanking r;

    ck_assert_fails(rank(&r, 5, 1, 0, 0.0), MAE_ERR_ARG, "hides patches");
    ck_assert_fails(rank(&r, 5, 1, 0, 1.0), MAE_ERR_ARG, "ratio");
    w[model.decoder_pred.bias.off] = NAN;
    ck_assert_fails(rank(&r, 5, 1, 0, 0.5), MAE_ERR_NUMERIC, "c0/000.png");
    ck_assert_ptr_null(r.items);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval rank");
    TCase *tc = tcase_create("rank");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, errors_are_those_of_the_images);
    tcase_add_test(tc, order_does_not_depend_on_how_it_is_computed);
    tcase_add_test(tc, files_hold_all_images);
    tcase_add_test(tc, failures_are_reported);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
