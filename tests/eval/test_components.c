#include "eval/components.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/gemm.h"
#include "support/test.h"

static MaeError err;

/* Rows that differ most along known directions; not centred. */
static float *cloud(size_t n, size_t width)
{
    float *x = mae_test_normal(n * width, 3, n);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            x[i * width + j] = x[i * width + j] / (float)(1 + j) + (float)j;
    return x;
}

static double *covariance(const float *x, size_t n, size_t width)
{
    double *mean = mae_test_alloc(width * sizeof *mean);
    double *cov = mae_test_alloc(width * width * sizeof *cov);

    for (size_t i = 0; i < n * width; i++)
        mean[i % width] += (double)x[i] / (double)n;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < width; i++)
            for (size_t j = 0; j < width; j++)
                cov[i * width + j] += ((double)x[r * width + i] - mean[i]) *
                                      ((double)x[r * width + j] - mean[j]) / (double)n;
    free(mean);
    return cov;
}

/* Every axis is a unit eigenvector of the plain covariance, in falling order. */
START_TEST(axes_are_eigenvectors_of_the_covariance)
{
    static const size_t sizes[][3] = {{300, 5, 5}, {9, 31, 4}, {40, 40, 7}, {2, 3, 1}};
    const size_t n = sizes[_i][0], width = sizes[_i][1], count = sizes[_i][2];
    float *x = cloud(n, width);
    double *cov = covariance(x, n, width), trace = 0.0;
    MaeComponents c;

    ck_assert_ok(mae_components_fit(&c, x, width, n, width, count, NULL, &err));
    for (size_t j = 0; j < width; j++)
        trace += cov[j * width + j];
    for (size_t k = 0; k < count; k++) {
        const double *axis = c.axes + k * width, value = pow(c.deviation[k], 2.0);
        size_t largest = 0;
        double square = 0.0;

        ck_assert(k == 0 || c.deviation[k] <= c.deviation[k - 1]);
        ck_assert_double_eq_tol(c.share[k], value / trace, 1e-12);
        for (size_t i = 0; i < width; i++) {
            double product = 0.0;

            for (size_t j = 0; j < width; j++)
                product += cov[i * width + j] * axis[j];
            ck_assert_double_eq_tol(product, value * axis[i], 1e-12);
            square += axis[i] * axis[i];
            largest = fabs(axis[i]) > fabs(axis[largest]) ? i : largest;
        }
        ck_assert_double_eq_tol(square, 1.0, 1e-12);
        ck_assert_double_gt(axis[largest], 0.0);
    }
    mae_components_close(&c);
    free(cov);
    free(x);
}
END_TEST

START_TEST(all_components_give_the_rows_back)
{
    const size_t n = 20, width = 6;
    float *x = cloud(n, width);
    MaeComponents c;

    ck_assert_ok(mae_components_fit(&c, x, width, n, width, width, NULL, &err));
    for (size_t i = 0; i < n; i++) {
        double row[6];

        memcpy(row, c.mean, sizeof row);
        for (size_t k = 0; k < width; k++)
            for (size_t j = 0; j < width; j++)
                row[j] +=
                    mae_components_score(&c, x + i * width, k) * c.axes[k * width + j];
        for (size_t j = 0; j < width; j++)
            ck_assert_double_eq_tol(row[j], (double)x[i * width + j], 1e-12);
    }
    mae_components_close(&c);
    free(x);
}
END_TEST

/* Rows whose columns differ less and less, far from 0; what lies behind a row is NaN. */
static float *rows_apart(size_t n, size_t width)
{
    float *x = mae_test_normal(n * (width + 2), 3, n);

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < width; j++)
            x[i * (width + 2) + j] = 100.0f + x[i * (width + 2) + j] / (float)(j + 1);
        x[i * (width + 2) + width] = x[i * (width + 2) + width + 1] = NAN;
    }
    return x;
}

static double distance(const float *x, size_t ld, size_t width, size_t a, size_t b)
{
    double sum = 0.0;

    for (size_t j = 0; j < width; j++)
        sum += pow((double)x[a * ld + j] - (double)x[b * ld + j], 2.0);
    return sqrt(sum);
}

/* Tall, wide and square; one row and one column. All components keep all distances. */
START_TEST(scores_keep_distances)
{
    static const size_t sizes[][2] = {{23, 5}, {5, 23}, {9, 9},
                                      {1, 4},  {6, 1},  {150, 131}};
    const size_t n = sizes[_i][0], width = sizes[_i][1], ld = width + 2;
    const size_t k = n < width ? n : width;
    float *x = rows_apart(n, width), *scores = mae_test_alloc(n * k * sizeof *scores);
    double total = 0.0;
    MaeComponents c;

    ck_assert_ok(mae_components_fit(&c, x, ld, n, width, k, NULL, &err));
    mae_components_scores(scores, &c, x, ld, n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            ck_assert_double_eq_tol(distance(scores, k, k, i, j),
                                    distance(x, ld, width, i, j), 2e-6);
    for (size_t a = 0; a < k; a++) {
        double mean = 0.0;

        for (size_t i = 0; i < n; i++)
            mean += (double)scores[i * k + a] / (double)n;
        ck_assert_double_eq_tol(mean, 0.0, 1e-6);
        total += c.share[a];
    }
    ck_assert_double_eq_tol(total, n > 1 ? 1.0 : 0.0, 1e-12);
    mae_components_close(&c);
    free(x);
    free(scores);
}
END_TEST

START_TEST(what_is_not_there_is_zero)
{
    const float same[] = {1, 2, 1, 2, 1, 2}, line[] = {0, 0, 3, 4};
    MaeComponents c;

    ck_assert_ok(mae_components_fit(&c, same, 2, 3, 2, 2, NULL, &err));
    ck_assert(c.share[0] == 0.0 && c.axes[0] == 0.0 && c.mean[1] == 2.0);
    mae_components_close(&c);
    ck_assert_ok(mae_components_fit(&c, line, 2, 2, 2, 3, NULL, &err));
    ck_assert_double_eq_tol(c.axes[0], 0.6, 1e-15);
    ck_assert_double_eq_tol(c.axes[1], 0.8, 1e-15);
    ck_assert_double_eq_tol(c.share[0], 1.0, 1e-15);
    ck_assert(c.share[1] == 0.0 && c.share[2] == 0.0 && c.axes[2] == 0.0);
    mae_components_close(&c);
}
END_TEST

START_TEST(threads_do_not_change_the_bits)
{
    const size_t n = 700, width = 150;
    float *x = cloud(n, width);
    MaeComponents one, three;
    MaePool *pool;

    ck_assert_ok(mae_pool_open(&pool, 3, &err));
    ck_assert_ok(mae_components_fit(&one, x, width, n, width, 4, NULL, &err));
    ck_assert_ok(mae_components_fit(&three, x, width, n, width, 4, pool, &err));
    ck_assert_mem_eq(one.axes, three.axes, 4 * width * sizeof *one.axes);
    mae_components_close(&one);
    mae_components_close(&three);
    mae_pool_close(pool);
    free(x);
}
END_TEST

START_TEST(refuses_what_it_cannot_do)
{
    const float nan[] = {1, NAN, 2, 3};
    MaeComponents c;

    ck_assert_fails(mae_components_fit(&c, nan, 2, 2, 2, 1, NULL, &err), MAE_ERR_NUMERIC,
                    "finite");
    ck_assert_ptr_null(c.axes);
    ck_assert_fails(mae_components_fit(&c, nan, 9000, 10000, 9000, 1, NULL, &err),
                    MAE_ERR_SHAPE, "at most 8192, got [10000,9000]");
    mae_components_close(&c);
    mae_components_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_components");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, axes_are_eigenvectors_of_the_covariance, 0, 4);
    tcase_add_test(tc, all_components_give_the_rows_back);
    tcase_add_loop_test(tc, scores_keep_distances, 0, 6);
    tcase_add_test(tc, what_is_not_there_is_zero);
    tcase_add_test(tc, threads_do_not_change_the_bits);
    tcase_add_test(tc, refuses_what_it_cannot_do);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
