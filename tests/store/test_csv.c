#include "store/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

START_TEST(fields_are_quoted)
{
    static const char *const texts[] = {"", "a,b", "\"", "say \"hi\"\n", "plain"};
    char *folder = mae_test_folder(), path[1100];
    MaeError err = {0};
    MaeOutput out;
    size_t size;
    char *got;

    (void)snprintf(path, sizeof path, "%s/a.csv", folder);
    ck_assert_ok(mae_output_open(&out, path, NULL, &err));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        mae_csv_text(&out, texts[i]);
        mae_output_append(&out, "|", 1);
    }
    ck_assert_ok(mae_output_commit(&out, &err));
    got = (char *)mae_test_read(path, &size);
    ck_assert_str_eq(got, "\"\"|\"a,b\"|\"\"\"\"|\"say \"\"hi\"\"\n\"|\"plain\"|");
    free(got);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("csv");
    TCase *tc = tcase_create("csv");

    tcase_add_test(tc, fields_are_quoted);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
