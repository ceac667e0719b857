#include "base/status.h"

#include <string.h>

#include "support/test.h"

START_TEST(every_status_has_a_name_of_its_own)
{
    for (int a = MAE_OK; a <= MAE_ERR_INTERRUPTED; a++) {
        ck_assert_str_ne(mae_status_name((MaeStatus)a), "unknown");
        for (int b = MAE_OK; b < a; b++)
            ck_assert_str_ne(mae_status_name((MaeStatus)a),
                             mae_status_name((MaeStatus)b));
    }
    ck_assert_str_eq(mae_status_name((MaeStatus)(MAE_ERR_INTERRUPTED + 1)), "unknown");
}
END_TEST

START_TEST(who_does_not_ask_gets_the_status)
{
    ck_assert_int_eq(mae_error_set(NULL, MAE_ERR_IO, "f.c", 3, "%d", 1), MAE_ERR_IO);
}
END_TEST

START_TEST(a_long_message_is_cut)
{
    MaeError err = {0};

    ck_assert_int_eq(mae_error_set(&err, MAE_ERR_FORMAT, "f.c", 3, "a%2000d", 1),
                     MAE_ERR_FORMAT);
    ck_assert(err.status == MAE_ERR_FORMAT && err.line == 3);
    ck_assert_str_eq(err.file, "f.c");
    ck_assert_uint_lt(strlen(err.msg), sizeof err.msg);
    ck_assert_int_eq(err.msg[0], 'a');
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tc = tcase_create("status");

    tcase_add_test(tc, every_status_has_a_name_of_its_own);
    tcase_add_test(tc, who_does_not_ask_gets_the_status);
    tcase_add_test(tc, a_long_message_is_cut);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
