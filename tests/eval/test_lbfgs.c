#include "eval/lbfgs.h"

#include <math.h>
#include <string.h>

#include "support/test.h"

static MaeError err;

static void open_memory(MaeLbfgs *lbfgs, MaeArena *memory, size_t count)
{
    MaeArena arena = mae_arena_measure();

    mae_lbfgs_reserve(lbfgs, &arena, count);
    ck_assert_ok(mae_arena_open(memory, &arena, "lbfgs", &err));
    mae_lbfgs_reserve(lbfgs, memory, count);
    ck_assert_ok(mae_arena_check(memory, "lbfgs", &err));
}

static double rosenbrock(void *ctx, double *grad, const double *x)
{
    const double a = 1.0 - x[0], b = x[1] - x[0] * x[0];

    (void)ctx;
    grad[0] = -2.0 * a - 400.0 * x[0] * b;
    grad[1] = 200.0 * b;
    return a * a + 100.0 * b * b;
}

START_TEST(follows_a_bent_valley)
{
    const MaeLbfgsGoal goal = {rosenbrock, NULL, NULL, 1e-9, 100};
    double x[2] = {-1.2, 1.0};
    MaeArena memory;
    MaeLbfgs l;

    open_memory(&l, &memory, 2);
    ck_assert_ok(mae_lbfgs_run(&l, x, &goal, &err));
    ck_assert_double_eq_tol(x[0], 1.0, 1e-8);
    ck_assert_double_eq_tol(x[1], 1.0, 1e-8);
    ck_assert_double_le(l.grad_max, 1e-9);
    ck_assert_double_eq_tol(l.value, 0.0, 1e-16);
    ck_assert_uint_le(l.iterations, 60);
    ck_assert_uint_ge(l.evaluations, l.iterations + 1);

    /* What is at the minimum stays there. */
    ck_assert_ok(mae_lbfgs_run(&l, x, &goal, &err));
    ck_assert_uint_eq(l.iterations, 0);
    mae_arena_close(&memory);
}
END_TEST

enum { MANY = 61 };

/* Curvatures from 1 to 10,000 around a point far away. */
static double bowl(void *ctx, double *grad, const double *x)
{
    double sum = 0.0;

    (void)ctx;
    for (size_t i = 0; i < MANY; i++) {
        const double h = pow(10.0, 4.0 * (double)i / (MANY - 1)), at = x[i] - (double)i;

        grad[i] = h * at;
        sum += 0.5 * h * at * at;
    }
    return sum;
}

static void divide_by_curvature(void *ctx, double *x)
{
    (void)ctx;
    for (size_t i = 0; i < MANY; i++)
        x[i] *= 7.0 / pow(10.0, 4.0 * (double)i / (MANY - 1));
}

START_TEST(copes_with_unequal_curvatures)
{
    MaeLbfgsGoal goal = {bowl, NULL, NULL, 1e-6, 1000};
    double x[MANY] = {0};
    MaeArena memory;
    MaeLbfgs l;

    open_memory(&l, &memory, MANY);
    ck_assert_ok(mae_lbfgs_run(&l, x, &goal, &err));
    ck_assert_double_le(l.grad_max, 1e-6);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_double_eq_tol(x[i], (double)i, 1e-6);

    memset(x, 0, sizeof x);
    goal.iterations = 3;
    ck_assert_ok(mae_lbfgs_run(&l, x, &goal, &err));
    ck_assert_uint_eq(l.iterations, 3);
    ck_assert_double_gt(l.grad_max, 1e-6);

    /* With the inverse Hessian, but for a factor, two steps arrive. */
    memset(x, 0, sizeof x);
    goal.scale = divide_by_curvature;
    ck_assert_ok(mae_lbfgs_run(&l, x, &goal, &err));
    ck_assert_double_le(l.grad_max, 1e-6);
    ck_assert_uint_le(l.iterations, 2);
    mae_arena_close(&memory);
}
END_TEST

/* Finite between -1 and 1 only, its minimum at 0.9. */
static double fenced(void *ctx, double *grad, const double *x)
{
    (void)ctx;
    if (!(fabs(x[0]) < 1.0))
        return grad[0] = (double)NAN;
    grad[0] = 1e3 * (x[0] - 0.9);
    return 5e2 * (x[0] - 0.9) * (x[0] - 0.9);
}

/* Says that it falls, and does not. */
static double liar(void *ctx, double *grad, const double *x)
{
    (void)ctx;
    grad[0] = -1.0;
    return 1.0 + fabs(x[0]);
}

START_TEST(turns_back_from_what_is_not_finite)
{
    const MaeLbfgsGoal goal = {fenced, NULL, NULL, 1e-6, 100},
                       bad = {liar, NULL, NULL, 1e-6, 100};
    double x = -0.5, outside = 2.0, y = 0.5;
    MaeArena memory;
    MaeLbfgs l;

    open_memory(&l, &memory, 1);
    ck_assert_ok(mae_lbfgs_run(&l, &x, &goal, &err));
    ck_assert_double_eq_tol(x, 0.9, 1e-8);
    ck_assert_fails(mae_lbfgs_run(&l, &outside, &goal, &err), MAE_ERR_NUMERIC,
                    "lbfgs: expected a finite function at the start, got value nan");
    ck_assert_ok(mae_lbfgs_run(&l, &y, &bad, &err));
    ck_assert_double_gt(l.grad_max, 1e-6);
    mae_arena_close(&memory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_lbfgs");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, follows_a_bent_valley);
    tcase_add_test(tc, copes_with_unequal_curvatures);
    tcase_add_test(tc, turns_back_from_what_is_not_finite);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
