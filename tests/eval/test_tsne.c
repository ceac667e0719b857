#include "eval/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/model.h"
#include "support/test.h"

static MaeError err;

static const MaeTsneOptions USUAL = {.perplexity = 10.0, .iterations = 300};

/* --- perplexity ------------------------------------------------------------------- */

static double perplexity_of(const float *p, size_t n)
{
    double entropy = 0.0;

    for (size_t j = 0; j < n; j++)
        if (p[j] > 0.0f)
            entropy -= (double)p[j] * log((double)p[j]);
    return exp(entropy);
}

/* Over many scales, with distances that hardly differ among large ones. */
START_TEST(rows_have_the_perplexity)
{
    static const double wanted[] = {1.0 + 1e-3, 5.0, 30.0, 97.5};
    const float scale = powf(10.0f, (float)(_i - 3) * 4.0f);
    float *normal = mae_test_normal(99, 1, (uint64_t)_i), row[99];

    for (size_t w = 0; w < 4; w++) {
        double sum = 0.0;

        for (size_t j = 0; j < 99; j++)
            row[j] = (normal[j] * normal[j] + (w % 2 == 1 ? 50.0f : 0.0f)) * scale;
        mae_tsne_calibrate(row, 99, 7, wanted[w]);
        ck_assert_double_eq_tol(perplexity_of(row, 99), wanted[w], 1e-3);
        for (size_t j = 0; j < 99; j++)
            sum += (double)row[j];
        ck_assert_double_eq_tol(sum, 1.0, 1e-6);
        ck_assert(row[7] == 0.0f);
    }
    free(normal);
}
END_TEST

START_TEST(nearer_rows_weigh_more)
{
    float row[5] = {4.0f, 0.0f, 1.0f, 9.0f, 2.0f};

    mae_tsne_calibrate(row, 5, 1, 2.5);
    ck_assert(row[2] > row[4] && row[4] > row[0] && row[0] > row[3]);
    /* log p falls with the squared distance in a straight line */
    ck_assert_double_eq_tol(log((double)row[2] / (double)row[4]),
                            log((double)row[4] / (double)row[0]) / 2.0, 1e-4);
}
END_TEST

/* Three rows are nearest and equal: two of perplexity cannot be had. All are equal. */
START_TEST(ties_share_the_row)
{
    float tied[6] = {0.0f, 1.0f, 1.0f, 1.0f, 5.0f, 6.0f}, equal[4] = {3, 3, 0, 3};

    mae_tsne_calibrate(tied, 6, 0, 2.0);
    for (size_t j = 1; j < 4; j++)
        ck_assert_double_eq_tol((double)tied[j], 1.0 / 3.0, 1e-6);
    ck_assert(tied[4] == 0.0f && tied[5] == 0.0f);
    mae_tsne_calibrate(equal, 4, 2, 1.5);
    ck_assert_double_eq_tol((double)equal[0], 1.0 / 3.0, 1e-6);
    ck_assert(equal[2] == 0.0f);
}
END_TEST

START_TEST(affinities_are_those_of_the_formula)
{
    enum { N = 41, D = 7, LD = 9 };
    float *x = mae_test_normal(N * LD, 2, 0), *p = mae_test_alloc(N * N * sizeof *p);
    float rows[N][N];
    double sum = 0.0;
    TestCompute compute;

    test_compute_open(&compute, MAE_F32, 2);
    for (size_t i = 0; i < N; i++) {
        x[i * LD] += 1000.0f; /* far from 0, which must not matter */
        x[i * LD + D] = x[i * LD + D + 1] = NAN;
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            double d = 0.0;

            for (size_t c = 0; c < D; c++)
                d += pow((double)x[i * LD + c] - (double)x[j * LD + c], 2.0);
            rows[i][j] = (float)d;
        }
        mae_tsne_calibrate(rows[i], N, i, 6.0);
    }
    ck_assert_ok(mae_tsne_affinities(p, x, LD, N, D, 6.0, &compute.compute, &err));
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            const double want = ((double)rows[i][j] + (double)rows[j][i]) / (2.0 * N);

            ck_assert_double_eq_tol((double)p[i * N + j], want, 2e-7);
            ck_assert(p[i * N + j] == p[j * N + i]);
            sum += (double)p[i * N + j];
        }
    }
    ck_assert_double_eq_tol(sum, 1.0, 1e-6);
    test_compute_close(&compute);
    free(x);
    free(p);
}
END_TEST

/* --- gradient --------------------------------------------------------------------- */

/* KL with p times @p exaggeration, whose gradient is asked for; in double. */
static double divergence(const float *p, const double *y, size_t n, double exaggeration)
{
    double z = 0.0, sum = 0.0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (i != j)
                z += 1.0 / (1.0 + pow(y[i] - y[j], 2.0) + pow(y[n + i] - y[n + j], 2.0));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (i != j)
                sum += exaggeration * (double)p[i * n + j] *
                       log(1.0 + pow(y[i] - y[j], 2.0) + pow(y[n + i] - y[n + j], 2.0));
    return sum + log(z);
}

START_TEST(gradient_equals_differences)
{
    const size_t n = (size_t[]){3, 8, 37}[_i];
    const float exaggeration = _i == 1 ? 12.0f : 1.0f;
    float *p = mae_test_alloc(n * n * sizeof *p), *x = mae_test_normal(n * 4, 4, 0);
    float *y = mae_test_normal(2 * n, 5, 0), *got = mae_test_alloc(5 * n * sizeof *got);
    float *want = mae_test_alloc(2 * n * sizeof *want);
    double *at = mae_test_alloc(2 * n * sizeof *at);
    TestCompute compute;

    test_compute_open(&compute, MAE_F32, 2);
    ck_assert_ok(mae_tsne_affinities(p, x, 4, n, 4, 1.5, &compute.compute, &err));
    for (size_t i = 0; i < 2 * n; i++)
        at[i] = (double)y[i];
    for (size_t i = 0; i < 2 * n; i++) {
        const double kept = at[i], h = 1e-5;
        double above;

        at[i] = kept + h;
        above = divergence(p, at, n, (double)exaggeration);
        at[i] = kept - h;
        want[i] = (float)((above - divergence(p, at, n, (double)exaggeration)) / (2 * h));
        at[i] = kept;
    }
    (void)mae_tsne_gradient(got, got + 2 * n, p, y, n, exaggeration, compute.pool);
    mae_test_close("gradient", got, want, 2 * n, 0.0, 1e-5);
    test_compute_close(&compute);
    free(p);
    free(x);
    free(y);
    free(got);
    free(want);
    free(at);
}
END_TEST

/* --- maps ------------------------------------------------------------------------- */

/* Row i belongs to cluster i % 2, ten standard deviations from the other. */
static float *two_clusters(size_t n, size_t width)
{
    float *x = mae_test_normal(n * width, 6, 0);

    for (size_t i = 0; i < n; i++)
        x[i * width + 1] += i % 2 == 0 ? 10.0f : 0.0f;
    return x;
}

static double apart(const float *y, size_t i, size_t j)
{
    return hypot((double)y[2 * i] - (double)y[2 * j],
                 (double)y[2 * i + 1] - (double)y[2 * j + 1]);
}

/* From either start every point's nearest is of its own cluster, and the centre is 0. */
START_TEST(clusters_stay_apart)
{
    enum { N = 83, D = 5 };
    float *x = two_clusters(N, D), y[2 * N];
    MaeTsneOptions options = USUAL;
    double kl = 0.0, mean = 0.0;
    TestCompute compute;

    options.start = _i == 0 ? MAE_TSNE_PCA : MAE_TSNE_RANDOM;
    options.iterations = 1000;
    test_compute_open(&compute, MAE_F32, 2);
    ck_assert_ok(mae_tsne(y, &kl, x, D, N, D, &options, &compute.compute, &err));
    ck_assert_double_gt(kl, 0.0);
    ck_assert_double_lt(kl, 1.0);
    for (size_t i = 0; i < N; i++) {
        size_t nearest = i == 0;

        for (size_t j = 0; j < N; j++)
            if (j != i && apart(y, i, j) < apart(y, i, nearest))
                nearest = j;
        ck_assert_uint_eq(nearest % 2, i % 2);
        mean += (double)y[2 * i];
    }
    ck_assert_double_eq_tol(mean, 0.0, 1e-3);
    test_compute_close(&compute);
    free(x);
}
END_TEST

static void count_calls(void *ctx, size_t done, size_t total)
{
    ck_assert_uint_eq(done, ++*(size_t *)ctx);
    ck_assert_uint_eq(total, 300);
}

START_TEST(threads_leave_the_bits_alone)
{
    enum { N = 101, D = 6 };
    float *x = two_clusters(N, D), y[2][2 * N];
    double kl[2];
    size_t calls = 0;
    MaeTsneOptions options = USUAL;
    TestCompute compute;

    options.watch = (MaeWatch){count_calls, &calls};
    for (size_t threads = 1; threads <= 7; threads += 3) {
        const size_t at = threads > 1;

        calls = 0;
        test_compute_open(&compute, MAE_F32, threads);
        ck_assert_ok(
            mae_tsne(y[at], &kl[at], x, D, N, D, &options, &compute.compute, &err));
        test_compute_close(&compute);
        ck_assert_uint_eq(calls, 300);
        ck_assert_mem_eq(y[0], y[at], sizeof y[0]);
        ck_assert_mem_eq(&kl[0], &kl[at], sizeof kl[0]);
    }
    free(x);
}
END_TEST

/* Nothing to tell rows apart, the fewest rows, one column: all is finite. */
START_TEST(odd_input_has_a_map)
{
    const size_t n = (size_t[]){3, 20, 30}[_i], width = (size_t[]){1, 4, 2}[_i];
    float *x = mae_test_normal(n * width, 8, 0), *y = mae_test_alloc(2 * n * sizeof *y);
    MaeTsneOptions options = {.perplexity = 1.5, .iterations = 60};
    TestCompute compute;

    for (size_t i = 0; _i > 0 && i < n * width; i++) /* all equal; then ten kinds */
        x[i] = _i == 1 ? 5.0f : (float)(i / width % 10);
    test_compute_open(&compute, MAE_F32, 1);
    ck_assert_ok(mae_tsne(y, NULL, x, width, n, width, &options, &compute.compute, &err));
    for (size_t i = 0; i < 2 * n; i++)
        ck_assert(isfinite(y[i]));
    test_compute_close(&compute);
    free(x);
    free(y);
}
END_TEST

START_TEST(refuses)
{
    float x[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, NAN}, y[10] = {7};
    MaeTsneOptions options = {.perplexity = 3.0, .iterations = 10};
    TestCompute compute;

    test_compute_open(&compute, MAE_F32, 1);
    ck_assert_fails(mae_tsne(y, NULL, x, 1, 2, 1, &options, &compute.compute, &err),
                    MAE_ERR_ARG, "expected 3 to 10000 rows, got 2");
    ck_assert_fails(mae_tsne(y, NULL, x, 1, 10001, 1, &options, &compute.compute, &err),
                    MAE_ERR_ARG, "got 10001");
    ck_assert_fails(mae_tsne(y, NULL, x, 1, 4, 1, &options, &compute.compute, &err),
                    MAE_ERR_ARG, "perplexity from 1 to below 3, the other rows, got 3");
    ck_assert_fails(mae_tsne(y, NULL, x, 2, 5, 2, &options, &compute.compute, &err),
                    MAE_ERR_NUMERIC, "NaN or infinity in row 4");
    options.perplexity = (double)NAN;
    ck_assert_fails(mae_tsne(y, NULL, x, 2, 5, 2, &options, &compute.compute, &err),
                    MAE_ERR_ARG, "got nan");
    ck_assert(y[0] == 7.0f);
    test_compute_close(&compute);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_tsne");
    TCase *tc = tcase_create("grad");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, rows_have_the_perplexity, 0, 7);
    tcase_add_test(tc, nearer_rows_weigh_more);
    tcase_add_test(tc, ties_share_the_row);
    tcase_add_test(tc, affinities_are_those_of_the_formula);
    tcase_add_loop_test(tc, gradient_equals_differences, 0, 3);
    tcase_add_loop_test(tc, clusters_stay_apart, 0, 2);
    tcase_add_test(tc, threads_leave_the_bits_alone);
    tcase_add_loop_test(tc, odd_input_has_a_map, 0, 3);
    tcase_add_test(tc, refuses);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
