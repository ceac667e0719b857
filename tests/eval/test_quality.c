#include "eval/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

/* Two related pictures in 0 .. 1. */
static void pictures(float **a, float **b, const MaePatchGrid *grid)
{
    const size_t n = grid->channels * grid->height * grid->width;

    *a = mae_test_normal(n, 1, 0);
    *b = mae_test_normal(n, 1, 1);
    for (size_t i = 0; i < n; i++) {
        (*a)[i] = 0.5f + 0.2f * tanhf((*a)[i]);
        (*b)[i] = 0.7f * (*a)[i] + 0.1f + 0.1f * tanhf((*b)[i]);
    }
}

static double ssim_of(const float *a, const float *b, const unsigned char *mask,
                      const MaePatchGrid *grid)
{
    MaeError err = {0};
    double ssim = NAN;

    ck_assert_ok(mae_quality_ssim(&ssim, a, b, mask, grid, &err));
    return ssim;
}

START_TEST(psnr_by_hand)
{
    const MaePatchGrid grid = {2, 2, 4, 2};
    static const unsigned char mask[2] = {0, 1}, none[2] = {0, 0};
    float a[16] = {0}, b[16] = {0};

    ck_assert(isinf(mae_quality_psnr(a, b, mask, &grid)));
    for (size_t i = 0; i < 16; i++)
        b[i] = i % 4 < 2 ? 1.0f : 0.1f; /* visible columns are wrong by 1 */
    ck_assert_double_eq_tol(mae_quality_psnr(a, b, mask, &grid), 20.0, 1e-5);
    ck_assert_double_eq_tol(mae_quality_psnr(b, a, mask, &grid), 20.0, 1e-5);
    ck_assert_double_eq_tol(mae_quality_psnr(a, b, NULL, &grid), -10 * log10(0.505),
                            1e-5);
    ck_assert(isnan(mae_quality_psnr(a, b, none, &grid)));
    ck_assert(isnan(ssim_of(a, b, none, &grid)));
}
END_TEST

/* The definition, one 2-D window a pixel. */
static double naive_ssim(const float *a, const float *b, const unsigned char *mask,
                         const MaePatchGrid *g)
{
    double sum = 0.0, count = 0.0;

    for (size_t n = 0; n < g->channels * g->height * g->width; n++) {
        const long x = (long)(n % g->width), y = (long)(n / g->width % g->height);
        const long p = (long)g->patch;
        const size_t plane = n / (g->width * g->height) * g->width * g->height;
        double w = 0, ma = 0, mb = 0, va = 0, vb = 0, cab = 0;

        if (mask[y / p * ((long)g->width / p) + x / p] == 0)
            continue;
        for (int pass = 0; pass < 2; pass++) {
            for (long v = y - 5; v <= y + 5; v++)
                for (long u = x - 5; u <= x + 5; u++) {
                    const size_t at = plane + (size_t)(v * (long)g->width + u);
                    const double d = (double)((u - x) * (u - x) + (v - y) * (v - y));
                    const double k = exp(-d / 4.5);

                    if (u < 0 || v < 0 || u >= (long)g->width || v >= (long)g->height)
                        continue;
                    if (pass == 0) {
                        w += k;
                        ma += k * (double)a[at];
                        mb += k * (double)b[at];
                    } else {
                        va += k * ((double)a[at] - ma) * ((double)a[at] - ma) / w;
                        vb += k * ((double)b[at] - mb) * ((double)b[at] - mb) / w;
                        cab += k * ((double)a[at] - ma) * ((double)b[at] - mb) / w;
                    }
                }
            if (pass == 0) {
                ma /= w;
                mb /= w;
            }
        }
        sum += (2 * ma * mb + 1e-4) * (2 * cab + 9e-4) /
               ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4));
        count += 1.0;
    }
    return sum / count;
}

START_TEST(ssim_equals_the_definition)
{
    static const MaePatchGrid grids[] = {{2, 24, 40, 8}, {1, 6, 4, 2}, {3, 16, 16, 16}};
    const MaePatchGrid *grid = &grids[_i];
    unsigned char mask[64];
    float *a, *b;

    for (size_t l = 0; l < mae_patch_count(grid); l++)
        mask[l] = l % 3 != 1 ? 1 : 0;
    pictures(&a, &b, grid);
    ck_assert_double_eq_tol(ssim_of(a, b, mask, grid), naive_ssim(a, b, mask, grid),
                            1e-9);
    free(a);
    free(b);
}
END_TEST

START_TEST(ssim_by_hand)
{
    /* Flat pictures: only the luminance term is left. One pixel is a flat picture. */
    const MaePatchGrid grids[] = {{1, 30, 20, 10}, {1, 1, 1, 1}};
    const double want = (2 * 0.25 * 0.75 + 1e-4) / (0.25 * 0.25 + 0.75 * 0.75 + 1e-4);
    float a[600], b[600];

    for (size_t i = 0; i < 600; i++) {
        a[i] = 0.25f;
        b[i] = 0.75f;
    }
    ck_assert_double_eq_tol(ssim_of(a, b, NULL, &grids[0]), want, 1e-9);
    ck_assert_double_eq_tol(ssim_of(a, b, NULL, &grids[1]), want, 1e-9);
}
END_TEST

START_TEST(ssim_invariants)
{
    const MaePatchGrid grid = {3, 32, 32, 8};
    const size_t n = 3 * 32 * 32;
    unsigned char mask[16] = {0};
    float *a, *b;
    double near;

    mask[0] = 1;
    pictures(&a, &b, &grid);
    near = ssim_of(a, b, mask, &grid);
    ck_assert(near > -1.0 && near < 1.0);
    ck_assert_double_eq_tol(ssim_of(b, a, mask, &grid), near, 1e-12);
    ck_assert_double_eq_tol(ssim_of(a, a, mask, &grid), 1.0, 1e-12);
    for (size_t i = 0; i < n; i++) /* out of the windows' reach: rows 13 and below */
        if (i / 32 % 32 >= 13)
            b[i] = 0.0f;
    ck_assert_double_eq_tol(ssim_of(a, b, mask, &grid), near, 1e-12);
    for (size_t i = 0; i < n; i++) /* the negative has the opposite structure */
        b[i] = 1.0f - a[i];
    ck_assert_double_lt(ssim_of(a, b, mask, &grid), 0.0);
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_quality");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, psnr_by_hand);
    tcase_add_loop_test(tc, ssim_equals_the_definition, 0, 3);
    tcase_add_test(tc, ssim_by_hand);
    tcase_add_test(tc, ssim_invariants);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
