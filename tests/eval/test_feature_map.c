#include "eval/feature_map.h"

#include <stdlib.h>
#include <string.h>

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

static MaeStatus draw(char **svg, const MaeFeatureMap *map, size_t threads)
{
    TestCompute compute;
    MaeStatus status;

    test_compute_open(&compute, MAE_F32, threads);
    status = mae_feature_map_draw(svg, map, &compute.compute, &err);
    test_compute_close(&compute);
    return status;
}

static MaeFeatureMap usual(void)
{
    return (MaeFeatureMap){.models = {{"a<b", &f.loaded}, {"random", &f.loaded}},
                           .model_count = 1,
                           .ds = f.ds,
                           .images = 2000,
                           .perplexity = 30.0};
}

/* All images twice, each with its name; the same from any number of threads. */
START_TEST(shows_every_image_in_both_ways)
{
    MaeFeatureMap map = usual();
    char *svg = NULL, *again = NULL;

    ck_assert_ok(draw(&svg, &map, 1));
    ck_assert_uint_eq(mae_test_count(svg, " dot\""), 2 * 21);
    ck_assert_uint_eq(mae_test_count(svg, "<title>c2/006.png: c2</title>"), 2);
    ck_assert_ptr_nonnull(strstr(svg, "t-SNE, perplexity 6.67: a&lt;b</text>"));
    ck_assert_ptr_null(strstr(svg, "<image"));
    map.workers = 3;
    ck_assert_ok(draw(&again, &map, 3));
    ck_assert_str_eq(svg, again);
    free(svg);
    free(again);
}
END_TEST

START_TEST(compares_models_on_images_that_were_drawn)
{
    MaeFeatureMap map = usual();
    char *svg = NULL;

    map.model_count = 2;
    map.images = 9;
    map.thumbnails = true;
    ck_assert_ok(draw(&svg, &map, 2));
    ck_assert_uint_eq(mae_test_count(svg, " dot\""), 4 * 9);
    ck_assert_uint_eq(mae_test_count(svg, "<image id="), 9);
    ck_assert_uint_eq(mae_test_count(svg, ": random</text>"), 2);
    free(svg);
}
END_TEST

START_TEST(needs_no_classes)
{
    MaeFeatureMap map = usual();
    char *svg = NULL;

    mae_dataset_close(f.ds);
    ck_assert_ok(mae_dataset_open(&f.ds, f.folder,
                                  &(MaeDatasetOptions){.unlabelled = true}, &err));
    map.ds = f.ds;
    ck_assert_ok(draw(&svg, &map, 2));
    ck_assert_uint_eq(mae_test_count(svg, "class=\"k dot\""), 2 * 21);
    ck_assert_ptr_null(strstr(svg, "<text x=\"20\""));
    free(svg);
}
END_TEST

START_TEST(too_few_images_are_refused)
{
    MaeFeatureMap map = usual();
    char *svg = NULL;

    map.images = 3;
    ck_assert_fails(draw(&svg, &map, 1), MAE_ERR_ARG,
                    "map: expected at least 4 images, got 3");
    ck_assert_ptr_null(svg);
    map.images = 4;
    ck_assert_ok(draw(&svg, &map, 1));
    free(svg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_feature_map");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, shows_every_image_in_both_ways);
    tcase_add_test(tc, compares_models_on_images_that_were_drawn);
    tcase_add_test(tc, needs_no_classes);
    tcase_add_test(tc, too_few_images_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
