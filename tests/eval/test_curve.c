#include "eval/curve.h"

#include <math.h>

#include "support/test.h"

START_TEST(points_stay_as_they_come)
{
    MaeCurve curve;
    MaeError err = {0};

    mae_curve_open(&curve);
    ck_assert(isnan(curve.newest));

    for (size_t i = 0; i < 1000; i++) {
        mae_curve_add(&curve, (double)i, -(double)i);
        mae_curve_add(&curve, (double)i, NAN);
        mae_curve_add(&curve, INFINITY, 1.0);
    }
    ck_assert_ok(mae_curve_check(&curve, &err));
    ck_assert_uint_eq(curve.count, 1000);
    for (size_t i = 0; i < 1000; i++)
        ck_assert(curve.x[i] == (double)i && curve.y[i] == -(double)i);
    ck_assert(curve.newest == -999.0);
    mae_curve_close(&curve);
    ck_assert_uint_eq(curve.count, 0);
    mae_curve_close(NULL);
}
END_TEST

/* A million points with one peak and one dip: bounded, in order, both there. */
START_TEST(peaks_survive_thinning)
{
    MaeCurve curve;
    double low = INFINITY, high = -INFINITY, widest = 0.0;

    mae_curve_open(&curve);
    for (size_t i = 0; i < 1000000; i++)
        mae_curve_add(&curve, (double)i,
                      i == 1234     ? 5.0
                      : i == 777777 ? -5.0
                                    : sin((double)i));
    ck_assert_uint_le(curve.count, MAE_CURVE_POINTS);
    ck_assert_uint_gt(curve.count, MAE_CURVE_POINTS / 4);
    for (size_t i = 0; i < curve.count; i++) {
        low = fmin(low, curve.y[i]);
        high = fmax(high, curve.y[i]);
        if (i > 0) {
            ck_assert_double_ge(curve.x[i], curve.x[i - 1]);
            widest = fmax(widest, curve.x[i] - curve.x[i - 1]);
        }
    }
    ck_assert(low == -5.0 && high == 5.0);
    ck_assert_double_le(widest, 256.0); /* two groups of 128 */
    ck_assert(curve.newest == sin(999999.0));
    mae_curve_close(&curve);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_curve");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, points_stay_as_they_come);
    tcase_add_test(tc, peaks_survive_thinning);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
