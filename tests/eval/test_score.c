#include "eval/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/probe.h"
#include "support/model.h"

enum { CLASSES = 3, TRAIN = 60, TEST = 30, FEATURES = 2, WIDTH = 7 };

static MaeError err;
static TestCompute compute;

/* Feature 0 is noise; feature 1 lies along the axis of its class. */
static MaeFeatures make(size_t count, uint64_t seed)
{
    MaeFeatures f = {.values = mae_test_normal(count * FEATURES * WIDTH, seed, 1),
                     .labels = mae_test_alloc(count * sizeof *f.labels),
                     .samples = mae_test_alloc(count * sizeof *f.samples),
                     .count = count,
                     .features = FEATURES,
                     .width = WIDTH};

    for (size_t i = 0; i < count; i++) {
        f.labels[i] = (int64_t)(i % CLASSES);
        f.samples[i] = i;
        f.values[(i * FEATURES + 1) * WIDTH + i % CLASSES] += 40.0f;
    }
    return f;
}

static const MaeScoreOptions all = {.knn = true,
                                    .ridge = true,
                                    .logistic = true,
                                    .retrieval = true,
                                    .k = 5,
                                    .temperature = 0.07,
                                    .retrieved = 7};

START_TEST(every_score_sees_its_feature)
{
    MaeFeatures train = make(TRAIN, 1), test = make(TEST, 2);
    MaeScores s;

    ck_assert_ok(
        mae_score_feature(&s, &train, &test, 1, CLASSES, &all, &compute.compute, &err));
    ck_assert_uint_eq(s.knn.count, TEST);
    ck_assert_uint_eq(s.knn.top1, TEST);
    ck_assert_uint_eq(s.ridge.top1, TEST);
    ck_assert_uint_eq(s.logistic.top1, TEST);
    ck_assert_double_eq(s.retrieval.precision, 1.0);
    ck_assert_double_eq(s.retrieval.map, 1.0);
    ck_assert_double_eq_tol(s.retrieval.recall, 7.0 / 20.0, 1e-12);
    ck_assert_double_gt(s.lambda, 0.0);
    ck_assert_uint_ge(s.iterations, 1);
    ck_assert_double_le(s.grad_max, MAE_PROBE_TOLERANCE);
    ck_assert_ok(
        mae_score_feature(&s, &train, &test, 0, CLASSES, &all, &compute.compute, &err));
    ck_assert_uint_lt(s.knn.top1, TEST);
    ck_assert_uint_lt(s.ridge.top1, TEST);
    ck_assert_double_lt(s.retrieval.precision, 0.8);
    mae_features_done(&train);
    mae_features_done(&test);
}
END_TEST

START_TEST(what_is_not_asked_stays_empty)
{
    MaeFeatures train = make(TRAIN, 1), test = make(TEST, 2);
    MaeScoreOptions options = {.ridge = true};
    MaeScores s;

    ck_assert_ok(mae_score_feature(&s, &train, &test, 1, CLASSES, &options,
                                   &compute.compute, &err));
    ck_assert_uint_eq(s.ridge.count, TEST);
    ck_assert_uint_eq(s.knn.count + s.logistic.count, 0);
    ck_assert(isnan(s.retrieval.precision));
    options = (MaeScoreOptions){.knn = true, .k = TRAIN + 1, .temperature = 1.0};
    ck_assert_fails(mae_score_feature(&s, &train, &test, 1, CLASSES, &options,
                                      &compute.compute, &err),
                    MAE_ERR_ARG, "k: expected at most 60, the training images, got 61");
    mae_features_done(&train);
    mae_features_done(&test);
}
END_TEST

/* The head of a classifier on features that are what it sees. */
START_TEST(a_classifier_is_scored_by_its_head)
{
    const MaeArch arch = {.grid = {.channels = 1, .height = 8, .width = 8, .patch = 4},
                          .embed_dim = 8,
                          .depth = 1,
                          .heads = 2,
                          .mlp_ratio = 2.0,
                          .classes = CLASSES};
    float values[2 * 8] = {0}, *w;
    int64_t labels[] = {2, 0};
    const MaeFeatures features = {
        .values = values, .labels = labels, .count = 2, .features = 1, .width = 8};
    MaeClassifier model;
    MaeConfusion confusion;
    MaeAccuracy acc;

    ck_assert_ok(mae_confusion_open(&confusion, CLASSES, &err));
    ck_assert_ok(mae_classifier_open(&model, &arch, &err));
    w = mae_test_alloc(model.table.total * sizeof *w);
    for (size_t c = 0; c < CLASSES; c++)
        w[model.head.weight.off + c * 8 + c] = 1.0f;
    w[model.head.bias.off + 1] = 0.5f;
    values[2] = 1.0f; /* logits 0, 0.5, 1 */
    values[8] = 0.4f; /* logits 0.4, 0.5, 0 */
    ck_assert_ok(mae_score_classifier(&acc, &confusion, &model, w, &features, 0,
                                      &compute.compute, &err));
    ck_assert_uint_eq(acc.count, 2);
    ck_assert_uint_eq(acc.top1, 1);
    ck_assert_uint_eq(confusion.cells[2 * CLASSES + 2], 1);
    ck_assert_uint_eq(confusion.cells[0 * CLASSES + 1], 1);
    mae_confusion_close(&confusion);
    free(w);
    mae_classifier_close(&model);
}
END_TEST

static void setup(void)
{
    test_compute_open(&compute, MAE_F32, 2);
}

static void teardown(void)
{
    test_compute_close(&compute);
}

int main(void)
{
    Suite *suite = suite_create("eval_score");
    TCase *tc = tcase_create("scores");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_score_sees_its_feature);
    tcase_add_test(tc, what_is_not_asked_stays_empty);
    tcase_add_test(tc, a_classifier_is_scored_by_its_head);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
