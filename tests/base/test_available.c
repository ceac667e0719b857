#include "base/available.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/test.h"

static char *root;

static void setup(void)
{
    root = mae_test_folder();
}

static void teardown(void)
{
    mae_test_folder_remove(root);
}

/* Create "root/folder" and a limit in it. */
static void group(const char *folder, const char *file, const char *limit)
{
    char path[1024];

    (void)snprintf(path, sizeof path, "%s/%s", root, folder);
    (void)mkdir(path, 0777);
    (void)snprintf(path, sizeof path, "%s/%s/%s", root, folder, file);
    mae_test_write(path, limit, strlen(limit));
}

START_TEST(something_is_available)
{
    ck_assert_uint_gt(mae_available_memory(), (size_t)1 << 20);
}
END_TEST

START_TEST(no_limits)
{
    ck_assert_uint_eq(mae_available_group_limit("", root), SIZE_MAX);
    ck_assert_uint_eq(mae_available_group_limit("0::/\n", root), SIZE_MAX);
    ck_assert_uint_eq(mae_available_group_limit("no such format", root), SIZE_MAX);
    group("job", "memory.max", "max\n");
    ck_assert_uint_eq(mae_available_group_limit("0::/job\n", root), SIZE_MAX);
}
END_TEST

/* The smallest on the way up counts. */
START_TEST(limits_of_both_versions)
{
    group("job", "memory.max", "5000000\n");
    group("job/step", "memory.max", "7000000\n");
    group("job/step/task", "memory.max", "max\n");
    group("memory", "memory.limit_in_bytes", "9223372036854771712\n");
    group("memory/batch", "memory.limit_in_bytes", "6000000\n");
    ck_assert_uint_eq(mae_available_group_limit("0::/job/step/task\n", root), 5000000);
    ck_assert_uint_eq(
        mae_available_group_limit("3:cpuset:/\n4:memory:/batch/x\n0::/\n", root),
        6000000);
    ck_assert_uint_eq(mae_available_group_limit("4:memory:/batch\n0::/job/step", root),
                      5000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("available");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, something_is_available);
    tcase_add_test(tc, no_limits);
    tcase_add_test(tc, limits_of_both_versions);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
