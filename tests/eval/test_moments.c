#include "eval/moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

START_TEST(measures_by_hand)
{
    /* Two channels, two patches of 2x2 side by side. */
    static const float image[2 * 2 * 4] = {
        1, 2, 5, 5, /* channel 0 */
        3, 4, 5, 5, 5, 6, 5, 5, 7, 8, 5, 5,
    };
    const MaePatchGrid grid = {2, 2, 4, 2};
    double mean[2], std[2];

    mae_moments_measure(mean, std, image, &grid);
    ck_assert_double_eq_tol(mean[0], 4.5, 1e-12);
    ck_assert_double_eq_tol(std[0], sqrt(6.0 + 1e-6), 1e-12);
    ck_assert_double_eq_tol(mean[1], 5.0, 1e-12);
    ck_assert_double_eq_tol(std[1], 1e-3, 1e-12);
}
END_TEST

START_TEST(a_single_value_has_no_variance)
{
    static const float image[2] = {3, -3};
    const MaePatchGrid grid = {1, 1, 2, 1};
    double mean[2], std[2];

    mae_moments_measure(mean, std, image, &grid);
    ck_assert_double_eq(mean[1], -3.0);
    ck_assert_double_eq_tol(std[1], 1e-3, 1e-12);
}
END_TEST

/* The reference's norm_pix_loss from its prediction and our moments. */
START_TEST(golden_loss)
{
    char *path = strdup(mae_test_golden(_i == 0 ? "mae_rgb.h5" : "mae_gray.h5"));
    const size_t channels = (size_t)mae_test_h5_attr(path, "/", "in_chans");
    const size_t patch = (size_t)mae_test_h5_attr(path, "/", "patch_size");
    const size_t batch = (size_t)mae_test_h5_attr(path, "/", "batch");
    size_t n, masks, one, side = 0;
    float *images = mae_test_h5_floats(path, "images", &n);
    float *target = mae_test_h5_floats(path, "norm_pix_1/target", &n);
    float *pred = mae_test_h5_floats(path, "norm_pix_1/pred", &n);
    float *mask = mae_test_h5_floats(path, "norm_pix_1/mask", &masks);
    float *want = mae_test_h5_floats(path, "norm_pix_1/loss", &one), got;
    const size_t count = masks / batch, values = n / masks;
    double *mean = mae_test_alloc(count * sizeof *mean), sum = 0.0, hidden = 0.0;
    double *std = mae_test_alloc(count * sizeof *std);

    while (batch * channels * side * side < n)
        side++;
    for (size_t b = 0; b < batch; b++) {
        const MaePatchGrid grid = {channels, side, side, patch};

        mae_moments_measure(mean, std, images + b * count * values, &grid);
        for (size_t l = 0; l < count; l++)
            for (size_t i = 0; i < values && mask[b * count + l] > 0.0f; i++) {
                const size_t at = (b * count + l) * values + i;
                const double t = ((double)target[at] - mean[l]) / std[l];

                sum += ((double)pred[at] - t) * ((double)pred[at] - t);
                hidden += 1.0;
            }
    }
    got = (float)(sum / hidden);
    mae_test_close("loss", &got, want, one, 0.0, 1e-5);
    free(path);
    free(images);
    free(target);
    free(pred);
    free(mask);
    free(want);
    free(mean);
    free(std);
}
END_TEST

START_TEST(estimates_by_distance)
{
    /* One row of four; the hidden entries are poisoned and must not be read. */
    const MaePatchGrid grid = {1, 2, 8, 2};
    static const unsigned char mask[4] = {0, 1, 1, 0};
    double mean[4] = {0, NAN, NAN, 9}, std[4] = {2, NAN, NAN, 1};

    mae_moments_estimate(mean, std, mask, &grid);
    ck_assert_double_eq(mean[0], 0.0);
    ck_assert_double_eq_tol(mean[1], 9.0 / 5.0, 1e-12);
    ck_assert_double_eq_tol(mean[2], 36.0 / 5.0, 1e-12);
    ck_assert_double_eq(mean[3], 9.0);
    ck_assert_double_eq_tol(std[1], (4 * 2.0 + 1.0) / 5.0, 1e-12);
    ck_assert_double_eq_tol(std[2], (2.0 + 4 * 1.0) / 5.0, 1e-12);
}
END_TEST

START_TEST(estimate_is_even_handed)
{
    /* Centre of a 3x3 grid between its four sides: their plain average. */
    const MaePatchGrid grid = {1, 6, 6, 2};
    static const unsigned char mask[9] = {1, 0, 1, 0, 1, 0, 1, 0, 1};
    double mean[9], std[9];

    for (size_t l = 0; l < 9; l++) {
        mean[l] = (double)l;
        std[l] = 1.0 + (double)l;
    }
    mae_moments_estimate(mean, std, mask, &grid);
    ck_assert_double_eq_tol(mean[4], 4.0, 1e-12);
    ck_assert_double_eq_tol(std[4], 5.0, 1e-12);
    for (size_t l = 0; l < 9; l++)
        ck_assert(mean[l] >= 1.0 && mean[l] <= 7.0 && std[l] > 0.0);
}
END_TEST

START_TEST(nothing_visible_leaves_the_data_moments)
{
    const MaePatchGrid grid = {1, 2, 4, 2};
    static const unsigned char mask[2] = {1, 1};
    double mean[2] = {NAN, NAN}, std[2] = {NAN, NAN};

    mae_moments_estimate(mean, std, mask, &grid);
    ck_assert(mean[0] == 0.0 && mean[1] == 0.0 && std[0] == 1.0 && std[1] == 1.0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_moments");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, measures_by_hand);
    tcase_add_test(tc, a_single_value_has_no_variance);
    tcase_add_loop_test(tc, golden_loss, 0, 2);
    tcase_add_test(tc, estimates_by_distance);
    tcase_add_test(tc, estimate_is_even_handed);
    tcase_add_test(tc, nothing_visible_leaves_the_data_moments);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
