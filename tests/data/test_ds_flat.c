#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/opened.h"

START_TEST(images_in_the_root_mean_unlabelled)
{
    char name[64];

    fixture_classes(root, 2, 2, 8, 8);
    fixture_png(fixture_path(root, "b.png"), 8, 8, 3, 9);
    fixture_png(fixture_path(root, "newline\n<script>.png"), 8, 8, 3, 9);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_str_eq(mae_dataset_info(ds)->kind, "flat");
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 6);
    ck_assert_uint_eq(mae_dataset_info(ds)->classes, 0);
    ck_assert(!mae_dataset_info(ds)->labelled);
    ck_assert_int_eq(mae_dataset_label(ds, 0), -1);
    mae_dataset_name(ds, 0, name, sizeof name);
    ck_assert_str_eq(name, "b.png");
    mae_dataset_name(ds, 4, name, sizeof name);
    ck_assert_str_eq(name, "c1/001.png");
    mae_dataset_name(ds, 4, name, 5);
    ck_assert_str_eq(name, "c1/0");
}
END_TEST

/* With and without labels the samples have the same order. */
START_TEST(nested_order_equals_class_order)
{
    static const char *const classes[] = {"a", "a-b", "a.c", "a b"};
    const MaeDatasetOptions opt = {.unlabelled = true};
    MaeDataset *labelled = NULL;

    for (size_t i = 0; i < 4; i++)
        fixture_png(fixture_path(fixture_folder(root, classes[i]), "1.png"), 8, 8, 3, i);
    fixture_png(fixture_path(fixture_folder(root, "a/deep"), "1.png"), 8, 8, 3, 5);
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert_ok(mae_dataset_open(&labelled, root, NULL, &err));
    ck_assert_str_eq(mae_dataset_info(ds)->kind, "flat");
    ck_assert_str_eq(mae_dataset_info(labelled)->kind, "folders");
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 5);
    for (size_t i = 0; i < 5; i++) {
        char one[64], two[64];

        mae_dataset_name(ds, i, one, sizeof one);
        mae_dataset_name(labelled, i, two, sizeof two);
        ck_assert_str_eq(one, two);
    }
    mae_dataset_close(labelled);
}
END_TEST

START_TEST(nothing_to_read)
{
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "expected JPEG or PNG images, found none (0 other files)");
    mae_test_write(fixture_path(root, "a.txt"), "text", 4);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "(1 other files)");
    fixture_png(fixture_path(root, ".hidden.png"), 8, 8, 3, 1);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT, "none");
}
END_TEST

static MaePart corner(const void *ctx, size_t height, size_t width)
{
    (void)ctx;
    ck_assert(height >= 4 && width >= 4);
    return (MaePart){{0, 0, 4, 4}, 1};
}

START_TEST(exif_on_request)
{
    /* APP1 with one entry: orientation 6, put behind SOI. */
    static const unsigned char app1[] = {
        0xff, 0xe1, 0,    34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
        0,    1,    0x01, 0x12, 0,   3,   0,   0,   0, 1, 0,   6,   0, 0,  0, 0, 0, 0};
    MaeDatasetOptions opt = {.in_chans = 3};
    const MaeChooser chooser = {corner, NULL};
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    const char *path = fixture_path(root, "1.jpg");
    unsigned char *plain, all[8192];
    size_t size;

    fixture_jpeg(path, 32, 64, 3, 1);
    plain = mae_test_read(path, &size);
    ck_assert_uint_lt(size + sizeof app1, sizeof all);
    memcpy(all, plain, 2);
    memcpy(all + 2, app1, sizeof app1);
    memcpy(all + 2 + sizeof app1, plain + 2, size - 2);
    mae_test_write(path, all, size + sizeof app1);
    free(plain);
    for (int turn = 0; turn < 2; turn++) {
        opt.exif = turn == 1;
        ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
        ck_assert_ok(mae_dataset_read(ds, 0, &img, &buffer, &err));
        ck_assert_uint_eq(img.height, turn == 1 ? 64 : 32);
        /* boxes refer to upright pictures, so what is turned comes whole */
        ck_assert_ok(mae_dataset_read_part(ds, 0, &chooser, &img, &buffer, &err));
        ck_assert_uint_eq(img.picture.height, turn == 1 ? 64 : 32);
        ck_assert_uint_eq(img.height, turn == 1 ? 64 : 4);
        mae_dataset_close(ds);
        ds = NULL;
    }
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
}
END_TEST

/* Paths as they were given, in their order; what they hold shows when they are read. */
START_TEST(single_files)
{
    char list[3][1024];
    const char *paths[] = {list[0], list[1], list[2]};
    MaeImage img = {0}, want = fixture_image(8, 9, 3, 1);
    MaeReadBuffer buffer = {0};
    char name[1024];

    (void)snprintf(list[0], sizeof list[0], "%s", fixture_path(root, "z.png"));
    (void)snprintf(list[1], sizeof list[1], "%s", fixture_path(root, "wrong.jpg"));
    (void)snprintf(list[2], sizeof list[2], "%s", fixture_path(root, "no ending"));
    fixture_png(list[0], 8, 9, 3, 1);
    mae_test_write(list[1], "text", 4);
    fixture_png(list[2], 5, 5, 1, 2);
    ck_assert(mae_dataset_is_image(list[0]));
    ck_assert(mae_dataset_is_image(list[1])); /* by its name */
    ck_assert(mae_dataset_is_image(list[2])); /* by its content */
    ck_assert(!mae_dataset_is_image(root));
    ck_assert_fails(mae_dataset_open_files(&ds, paths, 0, NULL, &err), MAE_ERR_ARG,
                    "expected at least one image");
    ck_assert_ok(mae_dataset_open_files(&ds, paths, 3, NULL, &err));
    ck_assert_str_eq(mae_dataset_info(ds)->kind, "files");
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 3);
    ck_assert_uint_eq(mae_dataset_info(ds)->channels, 3);
    ck_assert_int_eq(mae_dataset_label(ds, 2), -1);
    mae_dataset_name(ds, 2, name, sizeof name);
    ck_assert_str_eq(name, list[2]);
    ck_assert_ok(mae_dataset_read(ds, 0, &img, &buffer, &err));
    ck_assert_mem_eq(img.data, want.data, 8 * 9 * 3);
    ck_assert_fails(mae_dataset_read(ds, 1, &img, &buffer, &err), MAE_ERR_FORMAT, "");
    ck_assert_ok(mae_dataset_read(ds, 2, &img, &buffer, &err));
    ck_assert_uint_eq(img.channels, 3);
    mae_image_done(&img);
    mae_image_done(&want);
    mae_read_buffer_done(&buffer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_ds_flat");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_test(tc, images_in_the_root_mean_unlabelled);
    tcase_add_test(tc, nested_order_equals_class_order);
    tcase_add_test(tc, nothing_to_read);
    tcase_add_test(tc, exif_on_request);
    tcase_add_test(tc, single_files);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
