#include "eval/feature_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/fixture.h"
#include "support/model.h"

/* 2 classes of 5 images of another size than the model's, the seventh of them bad. */
enum { CLASSES = 2, EACH = 5, TOTAL = CLASSES * EACH, BAD = 6 };

static MaeError err;
static char *folder;
static MaeDataset *ds;
static MaeLoadedModel loaded;
static TestCompute compute;
static MaeEmbedder embedder;

static void setup(void)
{
    MaeEmbedSpec spec;

    folder = mae_test_folder();
    fixture_classes(folder, CLASSES, EACH, 10, 14);
    mae_test_write(fixture_path(folder, "c1/001.png"), "text", 4);
    ck_assert_ok(mae_dataset_open(&ds, folder, NULL, &err));
    test_loaded_open(&loaded, MAE_SNAPSHOT_AUTOENCODER, &test_small_arch, 3);
    test_compute_open(&compute, MAE_F32, 2);
    spec = mae_features_spec(&loaded);
    ck_assert_uint_eq(spec.count, 0);
    spec.features[spec.count++] = (MaeEmbedFeature){1, MAE_POOL_CLS, MAE_EMBED_NORM_NONE};
    spec.features[spec.count++] =
        (MaeEmbedFeature){2, MAE_POOL_MEAN, MAE_EMBED_NORM_TOKENS};
    ck_assert_ok(
        mae_embedder_open(&embedder, &spec, loaded.weights, &compute.compute, &err));
}

static void teardown(void)
{
    mae_embedder_close(&embedder);
    test_compute_close(&compute);
    mae_loaded_model_close(&loaded);
    mae_dataset_close(ds);
    mae_test_folder_remove(folder);
}

static void watch(void *ctx, size_t done, size_t total)
{
    size_t *seen = ctx;

    ck_assert_uint_ge(done, *seen); /* a batch of bad images adds none */
    ck_assert_uint_le(done, total);
    *seen = done;
}

/* The embedder's own features of sample @p index [2,D]. */
static void embed_one(float *out, size_t index)
{
    const MaeTransform transform = mae_features_transform(&loaded);
    float images[3 * 8 * 12];
    MaeReadBuffer buffer = {0};
    MaeTransformScratch scratch = {0};
    MaeImage img = {0};

    ck_assert_ok(mae_dataset_read(ds, index, &img, &buffer, &err));
    ck_assert_ok(
        mae_transform_apply(&transform, images, &img, &scratch, (MaeDraw){0}, &err));
    mae_embedder_run(&embedder, out, images, 1);
    mae_image_done(&img);
    mae_transform_scratch_done(&scratch);
    mae_read_buffer_done(&buffer);
}

START_TEST(reads_all_but_the_bad)
{
    const size_t batches[] = {1, 3, 64};
    size_t seen = 0;
    const MaeFeaturesOptions options = {.batch = batches[_i],
                                        .workers = (size_t)_i,
                                        .max_bad_fraction = 0.2,
                                        .watch = {watch, &seen}};
    const MaeTransform transform = mae_features_transform(&loaded);
    MaeFeatures features;
    float one[2 * 12];

    ck_assert_ok(mae_features_read(&features, &embedder, ds, &transform, &options, &err));
    ck_assert_uint_eq(features.count, TOTAL - 1);
    ck_assert_uint_eq(seen, TOTAL - 1);
    ck_assert_uint_eq(mae_features_stride(&features), 2 * 12);
    ck_assert_ptr_eq(mae_features_at(&features, 1), features.values + 12);
    for (size_t i = 0; i < features.count; i++) {
        const size_t sample = i < BAD ? i : i + 1;

        ck_assert_uint_eq(features.samples[i], sample);
        ck_assert_int_eq(features.labels[i], (int64_t)(sample / EACH));
        embed_one(one, sample);
        ck_assert_mem_eq(features.values + i * 24, one, sizeof one);
    }
    mae_features_done(&features);
    mae_features_done(&features);
    mae_features_done(NULL);
}
END_TEST

START_TEST(reads_a_subset)
{
    const size_t indices[] = {1, 4, 8};
    const MaeFeaturesOptions options = {.indices = indices, .index_count = 3};
    const MaeTransform transform = mae_features_transform(&loaded);
    MaeFeatures features;

    ck_assert_ok(mae_features_read(&features, &embedder, ds, &transform, &options, &err));
    ck_assert_uint_eq(features.count, 3);
    ck_assert_mem_eq(features.samples, indices, sizeof indices);
    mae_features_done(&features);
}
END_TEST

START_TEST(too_many_bad_images)
{
    const MaeFeaturesOptions options = {.max_bad_fraction = 0.01};
    const MaeTransform transform = mae_features_transform(&loaded);
    MaeFeatures features;

    ck_assert_fails(
        mae_features_read(&features, &embedder, ds, &transform, &options, &err),
        MAE_ERR_FORMAT, "c1/001.png");
    ck_assert_ptr_null(features.values);
}
END_TEST

START_TEST(damaged_weights)
{
    const MaeFeaturesOptions options = {.max_bad_fraction = 0.2};
    const MaeTransform transform = mae_features_transform(&loaded);
    MaeFeatures features;

    loaded.weights[loaded.model.as.autoencoder.encoder.cls_token.off] = NAN;
    ck_assert_fails(
        mae_features_read(&features, &embedder, ds, &transform, &options, &err),
        MAE_ERR_NUMERIC, "features of c0/000.png: expected finite numbers");
    ck_assert_ptr_null(features.values);
}
END_TEST

START_TEST(names)
{
    char name[32];

    mae_features_name(&embedder.spec, 0, name, sizeof name);
    ck_assert_str_eq(name, "1-cls");
    mae_features_name(&embedder.spec, 1, name, sizeof name);
    ck_assert_str_eq(name, "2-mean-norm");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_feature_set");
    TCase *tc = tcase_create("features");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, reads_all_but_the_bad, 0, 3);
    tcase_add_test(tc, reads_a_subset);
    tcase_add_test(tc, too_many_bad_images);
    tcase_add_test(tc, damaged_weights);
    tcase_add_test(tc, names);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
