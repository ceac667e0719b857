#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/test.h"

enum { BATCH = 4096 };

/* Distance in units of the last place of a float near want. */
static double ulps(float got, double want)
{
    int exponent;

    (void)frexp(want, &exponent);
    return fabs((double)got - want) /
           ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
}

typedef void (*Compare)(const MaeRowsTable *t, float x, float y, double *worst);
typedef void (*Each)(float *y, const float *x, size_t n);

/* Largest error of fn over `count` evenly spaced points. */
static double sweep(const MaeRowsTable *t, Each fn, Compare compare, double from,
                    double to, size_t count)
{
    float x[BATCH], y[BATCH];
    double worst = 0.0;

    for (size_t done = 0; done < count; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++)
            x[i] =
                (float)fmin(to, from + (to - from) * (double)(done + i) / (double)count);
        fn(y, x, BATCH);
        for (size_t i = 0; i < BATCH; i++)
            compare(t, x[i], y[i], &worst);
    }
    return worst;
}

static void compare_exp(const MaeRowsTable *t, float x, float y, double *worst)
{
    const double off = ulps(y, exp((double)x));

    ck_assert_msg(off <= 2.0, "%s exp(%.9g) = %.9g is %.2f ulp off", t->name, (double)x,
                  (double)y, off);
    *worst = fmax(*worst, off);
}

/* Absolute everywhere, relative in the lower tail (exp's argument is rounded there). */
static void compare_normal(const MaeRowsTable *t, float x, float y, double *worst)
{
    const double want = 0.5 * erfc(-(double)x / sqrt(2.0));
    const double off = fabs((double)y - want);
    const double relative = (1.0 + 0.5 * (double)x * (double)x) * 2.4e-7;

    ck_assert_msg(off <= 1e-7 && (x > 0.0f || x < -13.0f || off <= relative * want),
                  "%s Phi(%.9g) = %.9g, want %.9g, off %.3g", t->name, (double)x,
                  (double)y, want, off);
    *worst = fmax(*worst, off);
}

START_TEST(exp_is_close_to_libm)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    if (t == NULL)
        return;
    (void)fprintf(stderr, "%s exp: %.2f ulp on [-86.5, 88.7]\n", t->name,
                  sweep(t, t->exp, compare_exp, -86.5, 88.7, 400000));
    (void)fprintf(stderr, "%s exp: %.2f ulp on [-1, 1]\n", t->name,
                  sweep(t, t->exp, compare_exp, -1.0, 1.0, 200000));
}
END_TEST

START_TEST(normal_is_close_to_libm)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    if (t == NULL)
        return;
    (void)fprintf(stderr, "%s Phi: %.3g absolute on [-14, 14]\n", t->name,
                  sweep(t, t->normal, compare_normal, -14.0, 14.0, 400000));
    (void)fprintf(stderr, "%s Phi: %.3g absolute on [-1, 1]\n", t->name,
                  sweep(t, t->normal, compare_normal, -1.0, 1.0, 200000));
}
END_TEST

START_TEST(special_values)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);
    const float x[] = {0.0f,  -0.0f, INFINITY, -INFINITY, NAN,
                       89.0f, 1e30f, -88.0f,   -1e30f};
    float y[9];

    if (t == NULL)
        return;
    t->exp(y, x, 9);
    ck_assert(y[0] == 1.0f && y[1] == 1.0f);
    ck_assert(isinf(y[2]) && isinf(y[5]) && isinf(y[6]));
    ck_assert(y[3] == 0.0f && y[7] == 0.0f && y[8] == 0.0f);
    ck_assert(isnan(y[4]));
    t->normal(y, x, 9);
    ref_near(y[0], 0.5f, 1e-7f);
    ck_assert(y[2] == 1.0f && y[5] == 1.0f && y[6] == 1.0f);
    ck_assert(y[3] == 0.0f && y[7] == 0.0f && y[8] == 0.0f);
    ck_assert(isnan(y[4]));
}
END_TEST

START_TEST(tables_are_ordered)
{
    size_t count = 0;

    while (mae_rows_table(count) != NULL)
        count++;
    ck_assert(count >= 1 && count <= REF_TABLES);
    ck_assert_ptr_eq(mae_rows_best(), mae_rows_table(count - 1));
    ck_assert_ptr_eq(mae_rows_best(), mae_rows_best());
    ck_assert_str_eq(mae_rows_table(0)->name, "portable");
    ck_assert_ptr_null(mae_rows_table(99));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_rows_math");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, exp_is_close_to_libm, 0, REF_TABLES);
    tcase_add_loop_test(tc, normal_is_close_to_libm, 0, REF_TABLES);
    tcase_add_loop_test(tc, special_values, 0, REF_TABLES);
    tcase_add_test(tc, tables_are_ordered);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
