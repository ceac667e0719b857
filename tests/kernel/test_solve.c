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

int main(void)
{
    Suite *suite = suite_create("kernel_solve");
    TCase *tc = tcase_create("ref");

    tcase_add_loop_test(tc, gram_adds_products_of_columns, 0, 5);
    tcase_add_loop_test(tc, finds_known_solutions, 0, 5);
    tcase_add_test(tc, solves_by_hand);
    tcase_add_test(tc, refuses_what_is_not_definite);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
