/* Classes of two things, compared; the functions are declared in data/dataset.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "support/test.h"

#define NAMED(what_, ...)                                                                \
    ((MaeClasses){.what = what_,                                                         \
                  .path = "/" what_,                                                     \
                  .count = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),       \
                  .names = (const char *const[]){__VA_ARGS__}})

static MaeError err;

START_TEST(the_same)
{
    const MaeClasses a = NAMED("a", "cat", "dog"), b = NAMED("b", "cat", "dog");
    const MaeClasses any = {.what = "c", .path = "/c", .count = 2};

    ck_assert_ok(mae_classes_expect_same(&a, &b, &err));
    ck_assert_ok(mae_classes_expect_same(&a, &any, &err));
    ck_assert_ok(mae_classes_expect_same(&any, &b, &err));
    ck_assert_str_eq(mae_classes_name(&a, 1), "dog");
    ck_assert_ptr_null(mae_classes_name(&any, 1));
}
END_TEST

START_TEST(missing_and_extra_names)
{
    const MaeClasses a = NAMED("train", "ant", "cat", "dog", "owl", "pig", "rat");
    const MaeClasses b = NAMED("val", "cat", "cow", "dog");

    ck_assert_fails(mae_classes_expect_same(&a, &b, &err), MAE_ERR_ARG,
                    "classes differ: train /train has 6, val /val has 3; 4 only in the "
                    "first: \"ant\", \"owl\", \"pig\" and 1 more; 1 only in the second: "
                    "\"cow\"");
    ck_assert_fails(mae_classes_expect_same(&b, &a, &err), MAE_ERR_ARG,
                    "1 only in the first: \"cow\"; 4 only in the second: \"ant\"");
}
END_TEST

START_TEST(one_is_part_of_the_other)
{
    const MaeClasses a = NAMED("a", "x", "y", "z"), b = NAMED("b", "x", "z");

    ck_assert_fails(mae_classes_expect_same(&a, &b, &err), MAE_ERR_ARG,
                    "1 only in the first: \"y\"; 0 only in the second");
}
END_TEST

/* Names that come twice count twice. */
START_TEST(repeated_names)
{
    const MaeClasses a = NAMED("a", "x", "x", "y"), b = NAMED("b", "x", "y", "y");

    ck_assert_fails(mae_classes_expect_same(&a, &b, &err), MAE_ERR_ARG,
                    "1 only in the first: \"x\"; 1 only in the second: \"y\"");
}
END_TEST

START_TEST(another_order)
{
    const MaeClasses a = NAMED("a", "x", "y", "z"), b = NAMED("b", "x", "z", "y");

    ck_assert_fails(mae_classes_expect_same(&a, &b, &err), MAE_ERR_ARG,
                    "in another order: class 1 is \"y\" in the first and \"z\" in the "
                    "second");
}
END_TEST

/* Without names on one side there are only numbers. */
START_TEST(other_numbers)
{
    const MaeClasses a = NAMED("a", "x", "y", "z");
    const MaeClasses b = {.what = "b", .path = "/b", .count = 2};

    ck_assert_fails(mae_classes_expect_same(&a, &b, &err), MAE_ERR_ARG,
                    "classes differ: a /a has 3, b /b has 2");
    ck_assert_ptr_null(strstr(err.msg, "only"));
}
END_TEST

/* Long names and paths leave room for both sides; a million names take no time. */
START_TEST(large_ones)
{
    enum { N = 300000, LONG = 3000 };
    char *text = mae_test_alloc(LONG + 1), *numbers = mae_test_alloc((size_t)N * 8);
    const char **a = mae_test_alloc(N * sizeof *a), **b = mae_test_alloc(N * sizeof *b);
    const MaeClasses left = {.what = "a", .path = text, .count = N, .names = a};
    const MaeClasses right = {.what = "b", .path = text, .count = N, .names = b};

    memset(text, 'q', LONG);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(numbers + i * 8, 8, "%zu", i);
        a[i] = b[N - 1 - i] = numbers + i * 8;
    }
    a[17] = a[18] = a[19] = a[20] = text;
    ck_assert_fails(mae_classes_expect_same(&left, &right, &err), MAE_ERR_ARG,
                    "4 only in the second: \"17\", \"18\", \"19\" and 1 more");
    free(text);
    free(numbers);
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classes");
    TCase *tc = tcase_create("classes");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, the_same);
    tcase_add_test(tc, missing_and_extra_names);
    tcase_add_test(tc, one_is_part_of_the_other);
    tcase_add_test(tc, repeated_names);
    tcase_add_test(tc, another_order);
    tcase_add_test(tc, other_numbers);
    tcase_add_test(tc, large_ones);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
