#include "eval/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/fixture.h"
#include "support/model.h"

/* 3 classes of 3 images of another size than the model's, the fifth of them bad. */
enum { SETS = 3, EACH = 3, TOTAL = SETS * EACH, BAD = 4, CLASSES = 7, WIDTH = 12 };

static const MaeArch arch = {
    .grid = {.channels = 3, .height = 8, .width = 12, .patch = 4},
    .embed_dim = WIDTH,
    .depth = 2,
    .heads = 3,
    .mlp_ratio = 2.0,
    .classes = CLASSES,
    .pooling = MAE_POOL_MEAN};

static MaeError err;
static char *folder;
static MaeDataset *ds;
static MaeClassifier model;
static float *w;
static TestCompute compute, f32;
static MaeEmbedder embedder;
static MaeTransform transform;
static MaePredictor predictor;

/* In front of what the head sees the embedder has another feature. */
static void setup(void)
{
    MaeEmbedSpec spec;
    float *head;

    folder = mae_test_folder();
    fixture_classes(folder, SETS, EACH, 10, 14);
    mae_test_write(fixture_path(folder, "c1/001.png"), "text", 4);
    ck_assert_ok(mae_dataset_open(&ds, folder, NULL, &err));
    ck_assert_ok(mae_classifier_open(&model, &arch, &err));
    w = mae_test_alloc(model.table.total * sizeof *w);
    mae_classifier_init(&model, w, 3);
    head = mae_test_normal(CLASSES * WIDTH, 5, 1);
    memcpy(w + model.head.weight.off, head, CLASSES * WIDTH * sizeof *w);
    free(head);
    test_compute_open(&compute, MAE_F32, 2);
    test_compute_open(&f32, MAE_F32, 1);
    spec = mae_embed_spec_classifier(&model);
    spec.features[1] = spec.features[0];
    spec.features[0] = (MaeEmbedFeature){1, MAE_POOL_CLS, MAE_EMBED_NORM_NONE};
    spec.count = 2;
    ck_assert_ok(mae_embedder_open(&embedder, &spec, w, &compute.compute, &err));
    transform = mae_transform_default(3, 8, 12, MAE_AUGMENT_EVAL);
    predictor = (MaePredictor){&model, w, &embedder, 1, f32.compute.gemm};
}

static void teardown(void)
{
    mae_embedder_close(&embedder);
    test_compute_close(&compute);
    test_compute_close(&f32);
    mae_classifier_close(&model);
    free(w);
    mae_dataset_close(ds);
    mae_test_folder_remove(folder);
}

/* What was said. */
typedef struct Said {
    size_t count, fail_at;
    size_t samples[TOTAL];
    float p[TOTAL][CLASSES];
} Said;

static MaeStatus listen(void *ctx, size_t sample, const float *p, MaeError *why)
{
    Said *said = ctx;

    if (said->count + 1 == said->fail_at)
        MAE_FAIL(why, MAE_ERR_IO, "the disk is full");
    said->samples[said->count] = sample;
    memcpy(said->p[said->count++], p, CLASSES * sizeof *p);
    return MAE_OK;
}

static MaeStatus predict(Said *said, size_t batch, size_t workers, size_t *bad)
{
    const MaeFeaturesOptions options = {
        .batch = batch, .workers = workers, .max_bad_fraction = 1.0};
    const MaePredictSink sink = {listen, said};

    return mae_predict(&predictor, ds, &transform, &options, &sink, bad, &err);
}

/* Against the classifier's own forward pass, which training evaluates with. */
static void reference(float *p, size_t sample)
{
    MaeReadBuffer buffer = {0};
    MaeTransformScratch scratch = {0};
    MaeClassifierRun run;
    MaeImage img = {0};
    float image[3 * 8 * 12];
    void *owned;
    const MaeWeights weights = test_weights(w, model.table.total, MAE_F32, &owned);

    ck_assert_ok(mae_dataset_read(ds, sample, &img, &buffer, &err));
    ck_assert_ok(
        mae_transform_apply(&transform, image, &img, &scratch, (MaeDraw){0}, &err));
    ck_assert_ok(
        mae_classifier_run_open(&run, &model, &compute.compute, 1, MAE_KEEP_ALL, &err));
    mae_classifier_forward(&run, weights, image, NULL, 1);
    memcpy(p, run.logits, CLASSES * sizeof *p);
    mae_predict_softmax(p, CLASSES);
    mae_classifier_run_close(&run);
    free(owned);
    mae_image_done(&img);
    mae_transform_scratch_done(&scratch);
    mae_read_buffer_done(&buffer);
}

START_TEST(each_image_but_the_bad)
{
    const size_t batches[] = {1, 4, 64};
    Said said = {.count = 0}, again = {.count = 0};
    size_t bad = 0;

    ck_assert_ok(predict(&said, batches[_i], (size_t)_i, &bad));
    ck_assert_uint_eq(said.count, TOTAL - 1);
    ck_assert_uint_eq(bad, 1);
    for (size_t i = 0; i < said.count; i++) {
        float want[CLASSES];
        double sum = 0.0;

        ck_assert_uint_eq(said.samples[i], i < BAD ? i : i + 1);
        reference(want, said.samples[i]);
        mae_test_close("probabilities", said.p[i], want, CLASSES, 0.0, 1e-5);
        for (size_t k = 0; k < CLASSES; k++)
            sum += (double)said.p[i][k];
        ck_assert_double_eq_tol(sum, 1.0, 1e-6);
    }
    ck_assert_ok(predict(&again, 5, 2, NULL));
    ck_assert_mem_eq(said.p, again.p, sizeof said.p);
}
END_TEST

START_TEST(listener_fails)
{
    Said said = {.fail_at = 6};
    size_t bad = 77;

    ck_assert_fails(predict(&said, 2, 1, &bad), MAE_ERR_IO, "the disk is full");
    ck_assert_uint_eq(said.count, 5);
    ck_assert_uint_eq(bad, 77);
}
END_TEST

START_TEST(damaged_head)
{
    Said said = {.count = 0};

    w[model.head.bias.off + 2] = NAN;
    ck_assert_fails(predict(&said, 2, 1, NULL), MAE_ERR_NUMERIC,
                    "logits of c0/000.png: expected finite numbers, got");
    ck_assert_uint_eq(said.count, 0);
}
END_TEST

START_TEST(softmax_of_large_logits)
{
    float p[] = {1000.0f, 998.0f, -1000.0f};

    mae_predict_softmax(p, 3);
    ck_assert_double_eq_tol((double)p[0], 1.0 / (1.0 + exp(-2.0)), 1e-7);
    ck_assert_double_eq_tol((double)p[1], exp(-2.0) / (1.0 + exp(-2.0)), 1e-7);
    ck_assert(p[2] == 0.0f);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    const float *x = *(const float *const *)a, *y = *(const float *const *)b;

    return *x != *y ? (*x < *y) - (*x > *y) : (x > y) - (x < y);
}

/* Against a sort; numbers repeat. */
START_TEST(top_equals_a_sort)
{
    enum { MOST = 41 };
    float *noise = mae_test_normal(MOST, 9, 1);
    const float *order[MOST];
    size_t best[MOST];

    for (size_t i = 0; i < MOST; i++) {
        noise[i] = floorf(4.0f * noise[i]);
        order[i] = noise + i;
    }
    qsort(order, MOST, sizeof *order, by_value);
    for (size_t n = 0; n <= MOST; n++) {
        mae_predict_top(best, n, noise, MOST);
        for (size_t i = 0; i < n; i++)
            ck_assert_uint_eq(best[i], (size_t)(order[i] - noise));
    }
    free(noise);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval predict");
    TCase *tc = tcase_create("predict");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, each_image_but_the_bad, 0, 3);
    tcase_add_test(tc, listener_fails);
    tcase_add_test(tc, damaged_head);
    tcase_add_test(tc, softmax_of_large_logits);
    tcase_add_test(tc, top_equals_a_sort);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
