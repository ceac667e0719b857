#include "eval/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/model.h"
#include "support/test.h"

static MaeError err;

/* Rows whose columns differ less and less, far from 0; what lies behind a row is NaN. */
static float *rows_of(size_t n, size_t width)
{
    float *x = mae_test_normal(n * (width + 2), 3, n);

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < width; j++)
            x[i * (width + 2) + j] = 100.0f + x[i * (width + 2) + j] / (float)(j + 1);
        x[i * (width + 2) + width] = x[i * (width + 2) + width + 1] = NAN;
    }
    return x;
}

/* Distances between rows, which all components together keep. */
static double distance(const float *x, size_t ld, size_t width, size_t a, size_t b)
{
    double sum = 0.0;

    for (size_t j = 0; j < width; j++)
        sum += pow((double)x[a * ld + j] - (double)x[b * ld + j], 2.0);
    return sqrt(sum);
}

/* Tall, wide and square; one row and one column. */
static const size_t SIZES[][2] = {{23, 5}, {5, 23}, {9, 9}, {1, 4}, {6, 1}, {150, 131}};

START_TEST(components_keep_distances_and_fall)
{
    const size_t n = SIZES[_i][0], width = SIZES[_i][1], k = n < width ? n : width;
    float *x = rows_of(n, width), *scores = mae_test_alloc(n * k * sizeof *scores);
    double *shares = mae_test_alloc(k * sizeof *shares), total = 0.0;
    TestCompute compute;

    test_compute_open(&compute, MAE_F32, 2);
    ck_assert_ok(
        mae_pca_scores(scores, shares, x, width + 2, n, width, k, compute.pool, &err));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            ck_assert_double_eq_tol(distance(scores, k, k, i, j),
                                    distance(x, width + 2, width, i, j), 2e-6);
    for (size_t c = 0; c < k; c++) {
        double mean = 0.0;

        for (size_t i = 0; i < n; i++)
            mean += (double)scores[i * k + c] / (double)n;
        ck_assert_double_eq_tol(mean, 0.0, 1e-6);
        ck_assert(c == 0 || shares[c] <= shares[c - 1]);
        total += shares[c];
    }
    ck_assert_double_eq_tol(total, n > 1 ? 1.0 : 0.0, 1e-12);
    test_compute_close(&compute);
    free(x);
    free(scores);
    free(shares);
}
END_TEST

/* On the line (1,2): all variance in the first component, none in the others. */
START_TEST(a_line_has_one_component)
{
    const float x[8] = {0, 0, 1, 2, 3, 6, 4, 8};
    float scores[12];
    double shares[3];

    ck_assert_ok(mae_pca_scores(scores, shares, x, 2, 4, 2, 3, NULL, &err));
    for (size_t i = 0; i < 4; i++) {
        ck_assert_double_eq_tol((double)scores[3 * i],
                                ((double)x[2 * i] - 2.0) * sqrt(5.0), 1e-5);
        ck_assert_double_eq_tol((double)scores[3 * i + 1], 0.0, 1e-6);
        ck_assert(scores[3 * i + 2] == 0.0f);
    }
    ck_assert_double_eq_tol(shares[0], 1.0, 1e-12);
    ck_assert(shares[2] == 0.0);
}
END_TEST

START_TEST(threads_leave_the_bits_alone)
{
    float *x = rows_of(300, 260), *a = mae_test_alloc(2 * 300 * 2 * sizeof *a);
    float *b = a + 600;
    TestCompute compute;

    for (size_t threads = 1; threads <= 5; threads += 2) {
        test_compute_open(&compute, MAE_F32, threads);
        ck_assert_ok(mae_pca_scores(threads == 1 ? a : b, NULL, x, 262, 300, 260, 2,
                                    compute.pool, &err));
        test_compute_close(&compute);
        if (threads > 1)
            ck_assert_mem_eq(a, b, 600 * sizeof *a);
    }
    free(x);
    free(a);
}
END_TEST

START_TEST(refuses_what_is_not_finite)
{
    const float x[4] = {1, 2, NAN, 4};
    float scores[2] = {7, 7};

    ck_assert_fails(mae_pca_scores(scores, NULL, x, 2, 2, 2, 1, NULL, &err),
                    MAE_ERR_NUMERIC, "expected a finite matrix");
    ck_assert(scores[0] == 7.0f && scores[1] == 7.0f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_pca");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, components_keep_distances_and_fall, 0, 6);
    tcase_add_test(tc, a_line_has_one_component);
    tcase_add_test(tc, threads_leave_the_bits_alone);
    tcase_add_test(tc, refuses_what_is_not_finite);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
