#include "data/badlist.h"

#include <stdio.h>
#include <string.h>

#include "support/test.h"

START_TEST(counts_each_sample_once)
{
    MaeBadList list;
    MaeError err = {0};

    ck_assert_ok(mae_badlist_open(&list, 1000, &err));
    ck_assert(mae_badlist_add(&list, 999, MAE_ERR_FORMAT, "b/1.png", "truncated"));
    ck_assert(!mae_badlist_add(&list, 999, MAE_ERR_FORMAT, "b/1.png", "truncated"));
    ck_assert(mae_badlist_add(&list, 0, MAE_ERR_IO, "a/0.png", "gone"));
    ck_assert_uint_eq(list.count, 2);
    ck_assert_uint_eq(list.by_status[MAE_ERR_FORMAT], 1);
    ck_assert_uint_eq(list.by_status[MAE_ERR_IO], 1);
    ck_assert_uint_eq(list.entries[0].sample, 999);
    ck_assert_str_eq(list.entries[1].name, "a/0.png");
    mae_badlist_close(&list);
    mae_badlist_close(&list);
}
END_TEST

START_TEST(limit_is_a_fraction)
{
    MaeBadList list;
    MaeError err = {0};

    ck_assert_ok(mae_badlist_open(&list, 1000, &err));
    for (size_t i = 0; i < 10; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "%zu.jpg", i);
        mae_badlist_add(&list, i, i < 7 ? MAE_ERR_FORMAT : MAE_ERR_IO, name, "broken");
    }
    ck_assert_ok(mae_badlist_check(&list, 1000, 0.01, &err));
    ck_assert_fails(
        mae_badlist_check(&list, 999, 0.01, &err), MAE_ERR_FORMAT,
        "10 of 999 images are bad, limit 1 %: io 3, format 7; 0.jpg (broken)");
    ck_assert_ptr_nonnull(strstr(err.msg, "4.jpg"));
    ck_assert_ptr_null(strstr(err.msg, "5.jpg"));
    mae_badlist_close(&list);
}
END_TEST

START_TEST(list_is_bounded)
{
    static char name[1000];
    MaeBadList list;
    MaeError err = {0};

    memset(name, 'x', sizeof name - 1);
    ck_assert_ok(mae_badlist_open(&list, 5000, &err));
    for (size_t i = 0; i < 5000; i++)
        ck_assert(mae_badlist_add(&list, i, MAE_ERR_FORMAT, name, name));
    ck_assert_uint_eq(list.count, 5000);
    ck_assert_uint_eq(list.kept, MAE_BAD_KEPT);
    ck_assert_uint_eq(strlen(list.entries[99].name), sizeof list.entries[0].name - 1);
    ck_assert_fails(mae_badlist_check(&list, 5000, 0.5, &err), MAE_ERR_FORMAT,
                    "5000 of 5000");
    mae_badlist_close(&list);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_badlist");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, counts_each_sample_once);
    tcase_add_test(tc, limit_is_a_fraction);
    tcase_add_test(tc, list_is_bounded);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
