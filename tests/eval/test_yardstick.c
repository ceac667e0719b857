#include "eval/yardstick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

enum { SAMPLES = 3 };

/* Target [L,P] of an image, as the model builds it. */
static float *target_of(const float *image, const MaePatchGrid *g, bool norm_pix)
{
    const size_t count = mae_patch_count(g), values = mae_patch_values(g);
    float *target = mae_test_alloc(count * values * sizeof *target);

    mae_patchify(target, image, g);
    for (size_t l = 0; norm_pix && l < count; l++) {
        float *t = target + l * values;
        double mean = 0.0, var = 0.0;

        for (size_t i = 0; i < values; i++)
            mean += (double)t[i] / (double)values;
        for (size_t i = 0; i < values; i++)
            var += ((double)t[i] - mean) * ((double)t[i] - mean) / (double)(values - 1);
        for (size_t i = 0; i < values; i++)
            t[i] = (float)(((double)t[i] - mean) / sqrt(var + 1e-6));
    }
    return target;
}

/* Adds the losses of both predictors, by their definitions, to sums. */
static void naive(double sums[2], const float *image, const unsigned char *mask,
                  const MaePatchGrid *g, bool norm_pix)
{
    const size_t count = mae_patch_count(g), values = mae_patch_values(g);
    float *target = target_of(image, g, norm_pix);
    double colour[8] = {0}, visible = 0.0;

    for (size_t l = 0; l < count; l++) {
        for (size_t i = 0; i < values && mask[l] == 0; i++)
            colour[i % g->channels] += (double)target[l * values + i];
        visible += mask[l] == 0 ? (double)(g->patch * g->patch) : 0.0;
    }
    for (size_t l = 0; l < count; l++) {
        const float *t = target + l * values;
        double mean = 0.0;

        if (mask[l] == 0)
            continue;
        for (size_t i = 0; i < values; i++)
            mean += (double)t[i] / (double)values;
        for (size_t i = 0; i < values; i++) {
            const double tint = visible > 0.0 ? colour[i % g->channels] / visible : 0.0;

            sums[0] += ((double)t[i] - mean) * ((double)t[i] - mean) / (double)values;
            sums[1] += ((double)t[i] - tint) * ((double)t[i] - tint) / (double)values;
        }
    }
    free(target);
}

/* Loop: bit 0 norm_pix, bit 1 hides everything. */
START_TEST(equals_the_definition)
{
    const MaePatchGrid grid = {5, 20, 30, 5};
    const size_t n = 5 * 20 * 30, count = mae_patch_count(&grid);
    const bool norm_pix = _i & 1;
    MaeYardstick y;
    MaeError err = {0};
    double sums[2] = {0}, hidden = 0.0;
    unsigned char mask[24];

    ck_assert_ok(mae_yardstick_open(&y, &grid, norm_pix, &err));
    ck_assert(isnan(mae_yardstick_patch_mean(&y)) &&
              isnan(mae_yardstick_visible_mean(&y)));
    for (size_t s = 0; s < SAMPLES; s++) {
        float *image = mae_test_normal(n, 3, s);

        for (size_t i = 0; i < n; i++) /* a tint a channel, a slope over columns */
            image[i] += (float)(i / 600) - 0.1f * (float)(i % 30);
        for (size_t l = 0; l < count; l++)
            mask[l] = (_i & 2) || (l + s) % 4 != 0 ? 1 : 0;
        for (size_t l = 0; l < count; l++)
            hidden += (double)mask[l];
        mae_yardstick_add(&y, image, mask);
        naive(sums, image, mask, &grid, norm_pix);
        free(image);
    }
    ck_assert_double_eq_tol(mae_yardstick_patch_mean(&y), sums[0] / hidden, 1e-5);
    ck_assert_double_eq_tol(mae_yardstick_visible_mean(&y), sums[1] / hidden, 1e-5);
    mae_yardstick_close(&y);
}
END_TEST

/* MAE-pytorch#50: a run stuck at predicting nothing sits at (P-1)/P. */
START_TEST(norm_pix_plateau)
{
    const MaePatchGrid grid = {1, 32, 32, 8};
    float *image = mae_test_normal(32 * 32, 4, 0);
    unsigned char mask[16];
    MaeError err = {0};
    MaeYardstick y;

    for (size_t l = 0; l < 16; l++)
        mask[l] = l == 5 ? 0 : 1;
    ck_assert_ok(mae_yardstick_open(&y, &grid, true, &err));
    mae_yardstick_add(&y, image, mask);
    ck_assert_double_eq_tol(mae_yardstick_patch_mean(&y), 63.0 / 64.0, 1e-5);
    ck_assert_double_eq_tol(mae_yardstick_visible_mean(&y), 63.0 / 64.0, 1e-5);
    mae_yardstick_close(&y);
    free(image);
}
END_TEST

/* Flat patches (a black background) must not blow up either yardstick. */
START_TEST(flat_patches_stay_small)
{
    const MaePatchGrid grid = {1, 8, 16, 4};
    float image[128] = {0};
    const unsigned char mask[8] = {0, 1, 1, 1, 1, 1, 1, 1};
    MaeError err = {0};
    MaeYardstick y;

    image[0] = 1.0f; /* in the only visible patch */
    for (int norm_pix = 0; norm_pix < 2; norm_pix++) {
        ck_assert_ok(mae_yardstick_open(&y, &grid, norm_pix, &err));
        mae_yardstick_add(&y, image, mask);
        ck_assert_double_eq_tol(mae_yardstick_patch_mean(&y), 0.0, 1e-12);
        ck_assert_double_eq_tol(mae_yardstick_visible_mean(&y),
                                norm_pix ? 0.0 : 1.0 / 256.0, 1e-9);
        mae_yardstick_close(&y);
        mae_yardstick_close(&y);
    }
}
END_TEST

START_TEST(refuses_bad_grids)
{
    const MaePatchGrid bad = {3, 30, 32, 8};
    MaeError err = {0};
    MaeYardstick y;

    ck_assert_fails(mae_yardstick_open(&y, &bad, false, &err), MAE_ERR_SHAPE, "30x32");
    mae_yardstick_close(&y);
    mae_yardstick_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_yardstick");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, equals_the_definition, 0, 4);
    tcase_add_test(tc, norm_pix_plateau);
    tcase_add_test(tc, flat_patches_stay_small);
    tcase_add_test(tc, refuses_bad_grids);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
