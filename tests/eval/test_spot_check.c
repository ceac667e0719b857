#include "eval/spot_check.h"

#include <math.h>
#include <stdlib.h>

#include "data/fixture.h"
#include "labelled_fixture.h"
#include "support/model.h"

static MaeError err;
static LabelledFixture f;

static void setup(void)
{
    labelled_fixture_open(&f);
}

static void teardown(void)
{
    labelled_fixture_close(&f);
}

static MaeScores run(const MaeSpotCheck *check, size_t threads)
{
    MaeScores scores = {0};
    TestCompute compute;

    test_compute_open(&compute, MAE_F32, threads);
    ck_assert_ok(mae_spot_check_run(&scores, check, &f.loaded, &compute.compute, NULL,
                                    (MaeWatch){0}, &err));
    test_compute_close(&compute);
    return scores;
}

START_TEST(every_third_image_asks)
{
    MaeSpotCheck check;

    ck_assert_ok(mae_spot_check_open(&check, f.ds, 100, 0, &err));
    ck_assert_uint_eq(check.query_count, 7);
    ck_assert_uint_eq(check.memory_count, 14);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(check.queries[i], 3 * i + 2);
        ck_assert_uint_eq(check.memory[2 * i], 3 * i);
        ck_assert_uint_eq(check.memory[2 * i + 1], 3 * i + 1);
    }
    ck_assert_uint_eq(check.retrieved, 10);
    ck_assert_uint_eq(check.k, 14);
    /* Queries 2, 5 | 8, 11 | 14, 17, 20 (two of class 0, two of 1, three of 2): of the
     * 14 others 5, 5 and 4 are alike. */
    ck_assert_double_eq_tol(check.chance, (2 * 5.0 + 2 * 5.0 + 3 * 4.0) / (7.0 * 14.0),
                            1e-12);
    mae_spot_check_close(&check);
    mae_spot_check_close(&check);
    mae_spot_check_close(NULL);
}
END_TEST

/* The numbers are those of mae_score_feature on features read by hand. */
START_TEST(scores_are_those_of_the_parts)
{
    const MaeScoreOptions options = {
        .knn = true, .retrieval = true, .k = 14, .temperature = 0.07, .retrieved = 10};
    const MaeEmbedSpec spec = mae_features_usual(&f.loaded);
    const MaeTransform transform = mae_features_transform(&f.loaded);
    MaeFeatures memory = {0}, queries = {0};
    MaeEmbedder embedder = {0};
    MaeSpotCheck check;
    MaeScores got, want;
    TestCompute compute;

    ck_assert_ok(mae_spot_check_open(&check, f.ds, 21, 0, &err));
    test_compute_open(&compute, MAE_F32, 1);
    ck_assert_ok(
        mae_embedder_open(&embedder, &spec, f.loaded.weights, &compute.compute, &err));
    ck_assert_ok(mae_features_read(
        &memory, &embedder, f.ds, &transform,
        &(MaeFeaturesOptions){.indices = check.memory, .index_count = 14}, &err));
    ck_assert_ok(mae_features_read(
        &queries, &embedder, f.ds, &transform,
        &(MaeFeaturesOptions){.indices = check.queries, .index_count = 7}, &err));
    ck_assert_ok(mae_score_feature(&want, &memory, &queries, 0, 3, &options,
                                   &compute.compute, &err));
    mae_embedder_close(&embedder);
    test_compute_close(&compute);
    for (size_t threads = 1; threads < 4; threads += 2) {
        got = run(&check, threads);
        ck_assert_uint_eq(got.knn.count, 7);
        ck_assert_uint_eq(got.knn.top1, want.knn.top1);
        ck_assert_uint_eq(got.retrieval.queries, 7);
        ck_assert_double_eq(got.retrieval.precision, want.retrieval.precision);
        ck_assert_double_gt(got.retrieval.precision, 0.0);
    }
    mae_features_done(&memory);
    mae_features_done(&queries);
    mae_spot_check_close(&check);
}
END_TEST

START_TEST(samples_are_drawn_by_the_seed)
{
    MaeSpotCheck a, b, c;

    ck_assert_ok(mae_spot_check_open(&a, f.ds, 9, 1, &err));
    ck_assert_ok(mae_spot_check_open(&b, f.ds, 9, 1, &err));
    ck_assert_ok(mae_spot_check_open(&c, f.ds, 9, 2, &err));
    ck_assert_uint_eq(a.query_count + a.memory_count, 9);
    ck_assert_mem_eq(a.memory, b.memory, a.memory_count * sizeof *a.memory);
    ck_assert_mem_ne(a.memory, c.memory, a.memory_count * sizeof *a.memory);
    mae_spot_check_close(&a);
    mae_spot_check_close(&b);
    mae_spot_check_close(&c);
}
END_TEST

/* Two images answer one: of ten neighbours there are two. */
START_TEST(three_images_are_enough)
{
    MaeSpotCheck check;
    MaeScores scores;

    ck_assert_ok(mae_spot_check_open(&check, f.ds, 3, 5, &err));
    ck_assert_uint_eq(check.query_count, 1);
    ck_assert_uint_eq(check.retrieved, 2);
    scores = run(&check, 2);
    ck_assert_uint_eq(scores.knn.count, 1);
    if (isnan(check.chance)) /* nothing to be found */
        ck_assert(isnan(scores.retrieval.precision));
    else
        ck_assert_double_eq(scores.retrieval.precision, check.chance);
    mae_spot_check_close(&check);
    ck_assert_fails(mae_spot_check_open(&check, f.ds, 2, 5, &err), MAE_ERR_ARG,
                    "spot check: expected at least 3 images, got 2");
}
END_TEST

START_TEST(labels_are_needed)
{
    MaeDataset *flat = NULL;
    MaeSpotCheck check;

    ck_assert_ok(mae_dataset_open(&flat, f.folder,
                                  &(MaeDatasetOptions){.unlabelled = true}, &err));
    ck_assert_fails(mae_spot_check_open(&check, flat, 21, 0, &err), MAE_ERR_ARG,
                    "spot check: expected data with labels, got none");
    mae_dataset_close(flat);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_spot_check");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_third_image_asks);
    tcase_add_test(tc, scores_are_those_of_the_parts);
    tcase_add_test(tc, samples_are_drawn_by_the_seed);
    tcase_add_test(tc, three_images_are_enough);
    tcase_add_test(tc, labels_are_needed);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
