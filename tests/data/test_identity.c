#include "data/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/pool.h"
#include "data/opened.h"
#include "data/pack.h"

static char *place;
static MaeIdentity first;

static MaeIdentity take(const char *path)
{
    MaeIdentity id = {0};

    mae_dataset_close(ds);
    ds = NULL;
    ck_assert_ok(mae_dataset_open(&ds, path, NULL, &err));
    ck_assert_ok(mae_identity_take(&id, ds, &err));
    ck_assert_uint_eq(id.count, mae_dataset_info(ds)->count);
    return id;
}

static void setup(void)
{
    opened_setup();
    place = mae_test_folder();
    fixture_classes(root, 3, 101, 6, 7);
    first = take(root);
}

static void teardown(void)
{
    mae_test_folder_remove(place);
    opened_teardown();
}

static void expect_same(const char *path, bool same)
{
    const MaeIdentity now = take(path);

    ck_assert(mae_identity_same(first, now) == same);
    ck_assert(mae_identity_same(now, first) == same);
}

static void at(char *path, size_t size, const char *name)
{
    (void)snprintf(path, size, "%s/%s", root, name);
}

START_TEST(a_set_may_move)
{
    char moved[1200];

    (void)snprintf(moved, sizeof moved, "%s/elsewhere", place);
    ck_assert_int_eq(rename(root, moved), 0);
    expect_same(moved, true);
    ck_assert_int_eq(rename(moved, root), 0);
}
END_TEST

START_TEST(its_archive_is_the_same)
{
    const char *tar = fixture_path(place, "all.tar");
    MaePackOptions opt = {0};
    MaePackResult result;

    ck_assert_ok(mae_pool_open(&opt.pool, 2, &err));
    ck_assert_ok(mae_pack(ds, tar, &opt, &result, &err));
    mae_pool_close(opt.pool);
    expect_same(tar, true);
}
END_TEST

START_TEST(one_image_more_or_less)
{
    char path[1200];

    at(path, sizeof path, "c1/0505.png");
    fixture_png(path, 6, 7, 3, 9999);
    expect_same(root, false);
    ck_assert_int_eq(unlink(path), 0);
    expect_same(root, true);
    at(path, sizeof path, "c2/100.png");
    ck_assert_int_eq(unlink(path), 0);
    expect_same(root, false);
}
END_TEST

/* The last one is always looked at; one that cannot be read is a change, too. */
START_TEST(another_image)
{
    char path[1200];

    at(path, sizeof path, "c2/100.png");
    fixture_png(path, 6, 7, 3, 9999);
    expect_same(root, false);
    mae_test_write(path, "", 0);
    first = take(root);
    expect_same(root, true);
    fixture_png(path, 6, 7, 3, 302);
    expect_same(root, false);
}
END_TEST

/* Number and images stay, the order does not. */
START_TEST(another_order)
{
    char from[1200], to[1200];

    at(from, sizeof from, "c0/000.png");
    at(to, sizeof to, "c0/999.png");
    ck_assert_int_eq(rename(from, to), 0);
    ck_assert_uint_eq(take(root).count, first.count);
    expect_same(root, false);
}
END_TEST

START_TEST(labels_and_pixels_of_idx)
{
    const char *folder = fixture_folder(place, "idx");
    uint32_t count = 40;
    unsigned char labels[40] = {0};

    fixture_mnist(folder, "train", false, count, 4, 5);
    first = take(folder);
    expect_same(folder, true);
    labels[7] = 3;
    fixture_idx(fixture_path(folder, "train-labels-idx1-ubyte"), false, 1, &count, labels,
                sizeof labels);
    expect_same(folder, false);
}
END_TEST

START_TEST(unknown_is_like_everything)
{
    const MaeIdentity unknown = {0};

    ck_assert(mae_identity_same(unknown, first));
    ck_assert(mae_identity_same(first, unknown));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_identity");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_set_may_move);
    tcase_add_test(tc, its_archive_is_the_same);
    tcase_add_test(tc, one_image_more_or_less);
    tcase_add_test(tc, another_image);
    tcase_add_test(tc, another_order);
    tcase_add_test(tc, labels_and_pixels_of_idx);
    tcase_add_test(tc, unknown_is_like_everything);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
