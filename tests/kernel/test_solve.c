#include "kernel/solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/operand.h"
#include "support/test.h"

static MaeError err;

static double *normal(size_t n, uint64_t salt)
{
    float *x = mae_test_normal(n, 5, salt);
    double *made = mae_test_alloc(n * sizeof *made);

    for (size_t i = 0; i < n; i++)
        made[i] = (double)x[i];
    free(x);
    return made;
}

START_TEST(gram_adds_products_of_columns)
{
    static const size_t sizes[][2] = {{1, 1}, {37, 5}, {9, 128}, {0, 131}, {70, 300}};
    const size_t rows = sizes[_i][0], n = sizes[_i][1];
    double *x = normal(rows * n, 1), *gram = normal(n * n, 2), *want = normal(n * n, 2);

    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                want[i * n + j] += 2.0 * x[r * n + i] * x[r * n + j];
    for (size_t tile = 0; tile < mae_solve_gram_tiles(n); tile++) {
        mae_solve_gram(gram, x, rows, n, tile);
        mae_solve_gram(gram, x, rows, n, tile);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            ck_assert_double_eq_tol(gram[i * n + j], want[i * n + j], 1e-11);
    free(x);
    free(gram);
    free(want);
}
END_TEST

/* Both halves of the solver. */
static MaeStatus solve(double *a, double *b, size_t n, size_t m)
{
    MAE_TRY(mae_solve_factor(a, n, &err));
    mae_solve_factored(a, b, n, m);
    return MAE_OK;
}

/* X^T X + I, with what is below the diagonal spoilt. */
static double *definite(size_t n)
{
    double *x = normal(n * n, 3), *a = mae_test_alloc(n * n * sizeof *a);

    for (size_t i = 0; i < n; i++)
        a[i * n + i] = 1.0;
    for (size_t tile = 0; tile < mae_solve_gram_tiles(n); tile++)
        mae_solve_gram(a, x, n, n, tile);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            a[i * n + j] = (double)NAN;
    free(x);
    return a;
}

START_TEST(finds_known_solutions)
{
    static const size_t sizes[][2] = {{1, 1}, {2, 5}, {7, 3}, {150, 2}, {301, 11}};
    const size_t n = sizes[_i][0], m = sizes[_i][1];
    double *a = definite(n), *want = normal(m * n, 4);
    double *b = mae_test_alloc(m * n * sizeof *b);

    for (size_t k = 0; k < m; k++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                b[k * n + i] += (i < j ? a[i * n + j] : a[j * n + i]) * want[k * n + j];
    ck_assert_ok(solve(a, b, n, m));
    for (size_t i = 0; i < m * n; i++)
        ck_assert_double_eq_tol(b[i], want[i], 1e-9);
    free(a);
    free(b);
    free(want);
}
END_TEST

START_TEST(solves_by_hand)
{
    double a[4] = {4.0, 2.0, 77.0, 3.0}, b[4] = {8.0, 7.0, 2.0, 5.0};

    ck_assert_ok(solve(a, b, 2, 2));
    ck_assert_double_eq_tol(b[0], 1.25, 1e-15);
    ck_assert_double_eq_tol(b[1], 1.5, 1e-15);
    ck_assert_double_eq_tol(b[2], -0.5, 1e-15);
    ck_assert_double_eq_tol(b[3], 2.0, 1e-15);
}
END_TEST

START_TEST(refuses_what_is_not_definite)
{
    double a[9] = {1, 0, 0, 0, 2, 3, 0, 3, 1}, zero[1] = {0};
    double spoilt[4] = {1, (double)NAN, 0, 1};

    ck_assert_fails(mae_solve_factor(a, 3, &err), MAE_ERR_NUMERIC,
                    "solve: expected a positive definite matrix [3,3], got one that is "
                    "not from row 2 on");
    ck_assert_fails(mae_solve_factor(zero, 1, &err), MAE_ERR_NUMERIC, "row 0");
    ck_assert_fails(mae_solve_factor(spoilt, 2, &err), MAE_ERR_NUMERIC, "row 1");
    ck_assert_int_eq(mae_solve_factor(zero, 1, NULL), MAE_ERR_NUMERIC);
}
END_TEST

/* --- eigenvectors ----------------------------------------------------------------- */

/* A V = V l, V orthonormal, values fall, and every vector points its largest way. */
START_TEST(eigenvectors_are_those_of_the_matrix)
{
    const size_t n = (size_t[]){1, 2, 7, 40, 131}[_i];
    double *a = definite(n), *v = mae_test_alloc(n * n * sizeof *v);
    double *values = mae_test_alloc(n * sizeof *values), largest;

    a[0] -= 5.0; /* not definite */
    memcpy(v, a, n * n * sizeof *v);
    ck_assert_ok(mae_solve_eigen(values, v, n, &err));
    for (size_t r = 0; r < n; r++) {
        const double *x = v + r * n;
        size_t top = 0;

        ck_assert(r == 0 || values[r] <= values[r - 1]);
        largest = fmax(fabs(values[0]), fabs(values[n - 1]));
        for (size_t i = 0; i < n; i++) {
            double product = 0.0, inner = 0.0;

            for (size_t j = 0; j < n; j++) {
                product += (i < j ? a[i * n + j] : a[j * n + i]) * x[j];
                inner += v[i * n + j] * x[j];
            }
            ck_assert_double_eq_tol(product, values[r] * x[i], 1e-13 * (1.0 + largest));
            ck_assert_double_eq_tol(inner, i == r ? 1.0 : 0.0, 1e-12);
            top = fabs(x[i]) > fabs(x[top]) ? i : top;
        }
        ck_assert_double_gt(x[top], 0.0);
    }
    free(a);
    free(v);
    free(values);
}
END_TEST

START_TEST(eigenvectors_by_hand)
{
    double a[4] = {2.0, 1.0, 77.0, 2.0}, zero[9] = {0}, values[3];

    ck_assert_ok(mae_solve_eigen(values, a, 2, &err));
    ck_assert_double_eq_tol(values[0], 3.0, 1e-15);
    ck_assert_double_eq_tol(values[1], 1.0, 1e-15);
    ck_assert_double_eq_tol(a[0], sqrt(0.5), 1e-15);
    ck_assert_double_eq_tol(a[1], sqrt(0.5), 1e-15);
    ck_assert_double_eq_tol(a[2], -a[3], 1e-15);
    ck_assert_ok(mae_solve_eigen(values, zero, 3, &err));
    ck_assert(values[0] == 0.0 && values[2] == 0.0);
}
END_TEST

START_TEST(eigenvectors_of_what_is_not_finite_are_refused)
{
    double nan[9] = {1, 2, 3, 0, 1, (double)NAN, 0, 0, 1}, values[3];
    double inf[1] = {(double)INFINITY};

    ck_assert_fails(mae_solve_eigen(values, nan, 3, &err), MAE_ERR_NUMERIC,
                    "eigenvectors: expected a finite matrix [3,3], got nan in row 1");
    ck_assert_fails(mae_solve_eigen(values, inf, 1, &err), MAE_ERR_NUMERIC, "inf");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_solve");
    TCase *tc = tcase_create("ref");

    tcase_add_loop_test(tc, gram_adds_products_of_columns, 0, 5);
    tcase_add_loop_test(tc, finds_known_solutions, 0, 5);
    tcase_add_test(tc, solves_by_hand);
    tcase_add_test(tc, refuses_what_is_not_definite);
    tcase_add_loop_test(tc, eigenvectors_are_those_of_the_matrix, 0, 5);
    tcase_add_test(tc, eigenvectors_by_hand);
    tcase_add_test(tc, eigenvectors_of_what_is_not_finite_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
