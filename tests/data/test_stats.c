#include "data/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/opened.h"

static float mean[3], std[3];
static size_t used;

START_TEST(equals_a_plain_sum)
{
    double sum[3] = {0}, square[3] = {0};

    fixture_classes(root, 2, 5, 8, 9);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    for (uint64_t i = 0; i < 10; i++) {
        MaeImage img = fixture_image(8, 9, 3, i);

        for (size_t k = 0; k < 216; k++) {
            const double v = ((unsigned char *)img.data)[k] / 255.0;

            sum[k % 3] += v / 720.0;
            square[k % 3] += v * v / 720.0;
        }
        mae_image_done(&img);
    }
    ck_assert_ok(mae_stats_measure(mean, std, &used, ds, NULL, 0, 0, NULL, &err));
    ck_assert_uint_eq(used, 10);
    for (size_t c = 0; c < 3; c++) {
        ck_assert_double_eq_tol((double)mean[c], sum[c], 1e-6);
        ck_assert_double_eq_tol((double)std[c], sqrt(square[c] - sum[c] * sum[c]), 1e-6);
    }
}
END_TEST

/* Images of any size count the same; bad ones are left out; constant channels. */
START_TEST(uneven_images)
{
    MaeImage img = {0};
    const size_t subset[] = {0, 2};

    ck_assert_ok(mae_image_reshape(&img, 4, 4, 3, MAE_PIXEL_U8, &err));
    memset(img.data, 255, 48);
    fixture_write_png(fixture_path(root, "1.png"), &img);
    mae_test_write(fixture_path(root, "2.png"), "no image", 8);
    ck_assert_ok(mae_image_reshape(&img, 40, 40, 3, MAE_PIXEL_U8, &err));
    memset(img.data, 0, 4800);
    fixture_write_png(fixture_path(root, "3.png"), &img);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(mae_stats_measure(mean, std, &used, ds, NULL, 0, 0, NULL, &err));
    ck_assert_uint_eq(used, 2);
    ck_assert_double_eq((double)mean[0], 0.5);
    ck_assert_double_eq((double)std[0], 0.5);
    ck_assert_ok(mae_stats_measure(mean, std, &used, ds, subset, 2, 1, NULL, &err));
    ck_assert_uint_eq(used, 1);
    ck_assert_double_eq((double)mean[0], 1.0);
    ck_assert_double_eq((double)std[0], 1.0);
    ck_assert_fails(
        mae_stats_measure(mean, std, &used, ds, (size_t[]){1}, 1, 0, NULL, &err),
        MAE_ERR_FORMAT, "none of 1 images can be read");
    mae_image_done(&img);
}
END_TEST

START_TEST(same_for_any_number_of_threads)
{
    static const size_t threads[] = {1, 2, 3, 8};
    float first[6];

    fixture_classes(root, 3, 9, 8, 9);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    for (size_t t = 0; t < 4; t++) {
        MaePool *pool = NULL;

        ck_assert_ok(mae_pool_open(&pool, threads[t], &err));
        ck_assert_ok(mae_stats_measure(mean, std, NULL, ds, NULL, 0, 20, pool, &err));
        if (t == 0) {
            memcpy(first, mean, sizeof mean);
            memcpy(first + 3, std, sizeof std);
        }
        ck_assert_mem_eq(first, mean, sizeof mean);
        ck_assert_mem_eq(first + 3, std, sizeof std);
        mae_pool_close(pool);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_stats");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_test(tc, equals_a_plain_sum);
    tcase_add_test(tc, uneven_images);
    tcase_add_test(tc, same_for_any_number_of_threads);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
