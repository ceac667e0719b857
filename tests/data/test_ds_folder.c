#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/opened.h"

static void check_name(size_t index, const char *want)
{
    char name[64];

    mae_dataset_name(ds, index, name, sizeof name);
    ck_assert_str_eq(name, want);
}

START_TEST(classes_in_byte_order)
{
    const MaeDatasetInfo *info;
    MaeImage img = {0}, want;
    MaeReadBuffer buffer = {0};

    fixture_png(fixture_path(fixture_folder(root, "b"), "1.png"), 8, 9, 3, 1);
    fixture_jpeg(fixture_path(fixture_folder(root, "B"), "2.JPEG"), 8, 9, 3, 2);
    fixture_png(fixture_path(fixture_folder(root, "a-c"), "3.png"), 5, 4, 3, 3);
    fixture_png(fixture_path(fixture_folder(root, "a"), "4.png"), 8, 9, 1, 4);
    fixture_png(fixture_path(root, "a/0.png"), 8, 9, 3, 5);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    info = mae_dataset_info(ds);
    ck_assert_str_eq(info->kind, "folders");
    ck_assert_uint_eq(info->count, 5);
    ck_assert_uint_eq(info->classes, 4);
    ck_assert_uint_eq(info->channels, 3);
    ck_assert_uint_eq(info->height, 0);
    ck_assert(info->labelled && !info->serial);
    ck_assert_str_eq(mae_dataset_class(ds, 0), "B");
    ck_assert_str_eq(mae_dataset_class(ds, 1), "a");
    ck_assert_str_eq(mae_dataset_class(ds, 2), "a-c");
    ck_assert_str_eq(mae_dataset_class(ds, 3), "b");
    check_name(1, "a/0.png");
    check_name(2, "a/4.png");
    ck_assert_int_eq(mae_dataset_label(ds, 3), 2);
    ck_assert_ok(mae_dataset_read(ds, 3, &img, &buffer, &err));
    want = fixture_image(5, 4, 3, 3);
    ck_assert_uint_eq(img.height, 5);
    ck_assert_mem_eq(img.data, want.data, 60);
    ck_assert_ok(mae_dataset_read(ds, 2, &img, &buffer, &err)); /* grey among RGB */
    ck_assert_uint_eq(img.channels, 3);
    mae_image_done(&img);
    mae_image_done(&want);
    mae_read_buffer_done(&buffer);
}
END_TEST

/* The folder must not become what the process reads as its input. */
START_TEST(standard_input_stays_closed)
{
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};

    fixture_classes(root, 2, 1, 8, 9);
    ck_assert_int_eq(close(STDIN_FILENO), 0);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(mae_dataset_read(ds, 1, &img, &buffer, &err));
    ck_assert_int_eq(open("/dev/null", O_RDONLY), STDIN_FILENO); /* was free */
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
}
END_TEST

START_TEST(nested_hidden_and_foreign_files)
{
    FixtureLog log;
    MaeDatasetOptions opt = {0};

    fixture_log(&log);
    opt.log = &log.log;
    fixture_png(fixture_path(fixture_folder(root, "cat"), "1.png"), 8, 8, 3, 1);
    fixture_png(fixture_path(root, "cat/no ending"), 8, 8, 3, 2); /* found by content */
    fixture_png(fixture_path(root, "cat/.hidden.png"), 8, 8, 3, 3);
    fixture_png(fixture_path(fixture_folder(root, "cat/sub"), "0.png"), 8, 8, 3, 4);
    mae_test_write(fixture_path(root, "cat/notes.txt"), "text", 4);
    mae_test_write(fixture_path(root, "README"), "text", 4);
    fixture_png(fixture_path(fixture_folder(root, ".cache"), "1.png"), 8, 8, 3, 5);
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->classes, 1);
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 3);
    check_name(0, "cat/1.png");
    check_name(1, "cat/no ending");
    check_name(2, "cat/sub/0.png");
    ck_assert_uint_eq(log.lines, 1);
    ck_assert_ptr_nonnull(
        strstr(log.last, "1 files are no images, first 'cat/notes.txt'"));
}
END_TEST

START_TEST(links_and_loops)
{
    FixtureLog log;
    MaeDatasetOptions opt = {0};

    fixture_log(&log);
    opt.log = &log.log;
    fixture_classes(root, 2, 2, 8, 8);
    ck_assert_int_eq(symlink("..", fixture_path(root, "c0/up")), 0);
    ck_assert_int_eq(symlink(".", fixture_path(root, "c0/self")), 0);
    ck_assert_int_eq(symlink("../c1/000.png", fixture_path(root, "c0/linked.png")), 0);
    ck_assert_int_eq(symlink("loop.png", fixture_path(root, "c0/loop.png")), 0);
    ck_assert_int_eq(symlink("c1", fixture_path(root, "z")), 0); /* a class by link */
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->classes, 3);
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 8);
    check_name(2, "c0/linked.png");
    check_name(3, "c0/loop.png");
    check_name(7, "z/001.png");
    ck_assert_ptr_nonnull(strstr(log.last, "2 links to folders met before"));
}
END_TEST

/* 2^40 paths lead to one folder. */
START_TEST(diamonds_of_links_end)
{
    char text[256];
    const char *folder = root;

    folder = fixture_folder(folder, "c");
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(symlink("d", fixture_path(folder, "e")), 0);
        (void)snprintf(text, sizeof text, "%s", folder);
        folder = fixture_folder(text, "d");
    }
    fixture_png(fixture_path(folder, "1.png"), 8, 8, 3, 1);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 1);
}
END_TEST

START_TEST(class_without_images)
{
    const MaeDatasetOptions unlabelled = {.unlabelled = true};

    fixture_classes(root, 2, 1, 8, 8);
    mae_test_write(fixture_path(fixture_folder(root, "c1b"), "x.txt"), "text", 4);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "class folder 'c1b' holds no JPEG or PNG image (1 other files)");
    ck_assert_ptr_null(ds);
    ck_assert_ok(mae_dataset_open(&ds, root, &unlabelled, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 2);
    ck_assert_int_eq(mae_dataset_label(ds, 1), -1);
}
END_TEST

START_TEST(bad_files_show_when_read)
{
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    MaeDatasetOptions opt = {.in_chans = 3, .limits = {.max_memory = 100000}};
    unsigned char *big = mae_test_alloc(200000);

    fixture_png(fixture_path(fixture_folder(root, "c"), "0.png"), 8, 8, 3, 1);
    mae_test_write(fixture_path(root, "c/1.png"), "", 0);
    mae_test_write(fixture_path(root, "c/2.png"), "no image", 8);
    ck_assert_int_eq(mkfifo(fixture_path(root, "c/3.png"), 0666), 0);
    ck_assert_int_eq(symlink("nowhere", fixture_path(root, "c/4.png")), 0);
    mae_test_write(fixture_path(root, "c/5.png"), big, 200000);
    fixture_png(fixture_path(root, "c/6.png"), 8, 8, 3, 2);
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 6); /* the FIFO is no sample */
    ck_assert_fails(mae_dataset_read(ds, 1, &img, &buffer, &err), MAE_ERR_FORMAT,
                    "empty");
    ck_assert_fails(mae_dataset_read(ds, 2, &img, &buffer, &err), MAE_ERR_FORMAT, "");
    ck_assert_fails(mae_dataset_read(ds, 3, &img, &buffer, &err), MAE_ERR_IO,
                    "No such file");
    ck_assert_fails(mae_dataset_read(ds, 4, &img, &buffer, &err), MAE_ERR_FORMAT,
                    "200000 bytes exceed the limit of 100000");
    ck_assert_int_eq(unlink(fixture_path(root, "c/6.png")), 0); /* becomes a FIFO */
    ck_assert_int_eq(mkfifo(fixture_path(root, "c/6.png"), 0666), 0);
    ck_assert_fails(mae_dataset_read(ds, 5, &img, &buffer, &err), MAE_ERR_FORMAT,
                    "not a regular file");
    ck_assert_ok(mae_dataset_read(ds, 0, &img, &buffer, &err));
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
    free(big);
}
END_TEST

START_TEST(unreadable_class)
{
    if (geteuid() == 0)
        return; /* root reads everything */
    fixture_classes(root, 2, 1, 8, 8);
    ck_assert_int_eq(chmod(fixture_path(root, "c1"), 0), 0);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_IO, "c1");
    ck_assert_int_eq(chmod(fixture_path(root, "c1"), 0777), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_ds_folder");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_test(tc, classes_in_byte_order);
    tcase_add_test(tc, standard_input_stays_closed);
    tcase_add_test(tc, nested_hidden_and_foreign_files);
    tcase_add_test(tc, links_and_loops);
    tcase_add_test(tc, diamonds_of_links_end);
    tcase_add_test(tc, class_without_images);
    tcase_add_test(tc, bad_files_show_when_read);
    tcase_add_test(tc, unreadable_class);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
