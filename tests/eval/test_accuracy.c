#include "eval/accuracy.h"

#include <math.h>
#include <string.h>

#include "support/test.h"

START_TEST(counts_and_merges)
{
    static const float logits[4][7] = {
        {9, 8, 7, 6, 5, 4, 3},
        {9, 8, 7, 6, 5, 4, 3},
        {9, 8, 7, 6, 5, 4, 3},
        {0, -1, INFINITY, -INFINITY, 2, 2, 2},
    };
    static const int64_t labels[4] = {0, 4, 5, 2};
    MaeAccuracy acc = {0}, part = {0};

    ck_assert(isnan(mae_accuracy_top1(&acc)) && isnan(mae_accuracy_top5(&acc)));
    mae_accuracy_add(&acc, logits[0], labels, 4, 7);
    ck_assert_uint_eq(acc.count, 4);
    ck_assert_uint_eq(acc.top1, 2);
    ck_assert_uint_eq(acc.top5, 3);
    mae_accuracy_add(&part, logits[0], labels, 1, 7);
    mae_accuracy_merge(&acc, &part);
    ck_assert_double_eq(mae_accuracy_top1(&acc), 0.6);
    ck_assert_double_eq(mae_accuracy_top5(&acc), 0.8);
}
END_TEST

START_TEST(ties_go_to_the_lower_index)
{
    static const float flat[6] = {1, 1, 1, 1, 1, 1};

    for (int64_t label = 0; label < 6; label++) {
        MaeAccuracy acc = {0};

        mae_accuracy_add(&acc, flat, &label, 1, 6);
        ck_assert_uint_eq(acc.top1, label == 0);
        ck_assert_uint_eq(acc.top5, label < 5);
    }
}
END_TEST

START_TEST(nan_and_foreign_labels_are_wrong)
{
    static const float logits[3][2] = {{NAN, 1}, {1, NAN}, {2, 1}};
    static const int64_t labels[3] = {1, 0, 0}, foreign[3] = {-1, 2, INT64_MAX};
    MaeAccuracy acc = {0};

    mae_accuracy_add(&acc, logits[0], labels, 3, 2);
    ck_assert_uint_eq(acc.top1, 1);
    ck_assert_uint_eq(acc.top5, 1);
    mae_accuracy_add(&acc, logits[0], foreign, 3, 2);
    ck_assert_uint_eq(acc.count, 6);
    ck_assert_uint_eq(acc.top5, 1);
}
END_TEST

START_TEST(few_classes_are_always_in_the_top_five)
{
    static const float logits[2][2] = {{0, 1}, {1, 0}};
    static const int64_t labels[2] = {0, 0};
    MaeAccuracy acc = {0};

    mae_accuracy_add(&acc, logits[0], labels, 2, 2);
    ck_assert_double_eq(mae_accuracy_top1(&acc), 0.5);
    ck_assert_double_eq(mae_accuracy_top5(&acc), 1.0);
}
END_TEST

/* The formula, worked out apart from this code. */
START_TEST(interval_is_wilsons)
{
    double low, high;

    mae_accuracy_interval(&low, &high, 8, 10);
    ck_assert_double_eq_tol(low, 0.4901625, 1e-6);
    ck_assert_double_eq_tol(high, 0.9433178, 1e-6);
    mae_accuracy_interval(&low, &high, 0, 20);
    ck_assert_double_eq_tol(low, 0.0, 1e-12);
    ck_assert_double_eq_tol(high, 0.1611252, 1e-6);
    mae_accuracy_interval(&low, &high, 0, 0);
    ck_assert(isnan(low) && isnan(high));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_accuracy");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, counts_and_merges);
    tcase_add_test(tc, ties_go_to_the_lower_index);
    tcase_add_test(tc, nan_and_foreign_labels_are_wrong);
    tcase_add_test(tc, few_classes_are_always_in_the_top_five);
    tcase_add_test(tc, interval_is_wilsons);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
