#include "data/dataset.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/opened.h"

START_TEST(paths_that_are_no_datasets)
{
    ck_assert_fails(mae_dataset_open(&ds, fixture_path(root, "none"), NULL, &err),
                    MAE_ERR_ARG, "none': No such file");
    ck_assert_int_eq(mkfifo(fixture_path(root, "fifo"), 0666), 0);
    ck_assert_fails(mae_dataset_open(&ds, fixture_path(root, "fifo"), NULL, &err),
                    MAE_ERR_ARG, "found a FIFO");
    ck_assert_fails(mae_dataset_open(&ds, "/dev/null", NULL, &err), MAE_ERR_ARG,
                    "found a device");
    fixture_png(fixture_path(root, "1.png"), 8, 8, 3, 1);
    ck_assert_fails(mae_dataset_open(&ds, fixture_path(root, "1.png"), NULL, &err),
                    MAE_ERR_FORMAT, "a single image (give its folder)");
    mae_test_write(fixture_path(root, "empty"), "", 0);
    ck_assert_fails(mae_dataset_open(&ds, fixture_path(root, "empty"), NULL, &err),
                    MAE_ERR_FORMAT, "found an empty file");
    mae_test_write(fixture_path(root, "text"), "text", 4);
    ck_assert_fails(mae_dataset_open(&ds, fixture_path(root, "text"), NULL, &err),
                    MAE_ERR_FORMAT, "a file of another kind");
    ck_assert_fails(mae_dataset_open(&ds, fixture_path(root, "text/x"), NULL, &err),
                    MAE_ERR_ARG, "Not a directory");
    ck_assert_int_eq(symlink("loop", fixture_path(root, "loop")), 0);
    ck_assert_fails(mae_dataset_open(&ds, fixture_path(root, "loop"), NULL, &err),
                    MAE_ERR_IO, "loop");
    ck_assert_ptr_null(ds);
    mae_dataset_close(NULL);
}
END_TEST

START_TEST(suffix_is_for_idx_only)
{
    char path[600];

    fixture_png(fixture_path(root, "1.png"), 8, 8, 3, 1);
    (void)snprintf(path, sizeof path, "%s:test", root);
    ck_assert_fails(mae_dataset_open(&ds, path, NULL, &err), MAE_ERR_ARG,
                    "':test' and ':train' are for folders of IDX files");
    fixture_png(fixture_path(fixture_folder(root, "odd:test"), "1.png"), 8, 8, 3, 1);
    ck_assert_ok(mae_dataset_open(&ds, fixture_path(root, "odd:test"), NULL, &err));
}
END_TEST

START_TEST(channels_follow_the_data)
{
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    MaeDatasetOptions opt = {0};

    fixture_png(fixture_path(root, "0.png"), 8, 8, 1, 1);
    fixture_png(fixture_path(root, "1.png"), 8, 8, 1, 2);
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->channels, 1);
    mae_dataset_close(ds);
    opt.in_chans = 3;
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert_ok(mae_dataset_read(ds, 1, &img, &buffer, &err));
    ck_assert_uint_eq(img.channels, 3);
    mae_dataset_close(ds);
    fixture_png(fixture_path(root, "2.png"), 8, 8, 3, 2);
    opt.in_chans = 0;
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->channels, 3);
    mae_dataset_close(ds);
    ds = NULL;
    opt.in_chans = 4;
    ck_assert_fails(mae_dataset_open(&ds, root, &opt, &err), MAE_ERR_ARG,
                    "in_chans 4 cannot be made of images with 1 or 3 channels");
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
}
END_TEST

START_TEST(nothing_can_be_read)
{
    mae_test_write(fixture_path(root, "1.png"), "no image", 8);
    mae_test_write(fixture_path(root, "2.png"), "", 0);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "none of 2 images can be read: ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_dataset");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_test(tc, paths_that_are_no_datasets);
    tcase_add_test(tc, suffix_is_for_idx_only);
    tcase_add_test(tc, channels_follow_the_data);
    tcase_add_test(tc, nothing_can_be_read);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
