#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/opened.h"
#include "store/tar.h"

/* An archive that is being made, and one of its members. */
static MaeOutput out;

static void begin(const char *name)
{
    ck_assert_ok(mae_output_open(&out, fixture_path(root, name), NULL, &err));
}

static void text(const char *name, const char *content)
{
    mae_tar_put(&out, name, content, strlen(content));
}

/* A grey PNG [6,7] of stream @p seed. */
static void image(const char *name, uint64_t seed)
{
    MaeImage img = fixture_image(6, 7, 1, seed);
    uint8_t *bytes = NULL;
    size_t size = 0;

    ck_assert_ok(mae_image_encode_png(&bytes, &size, &img, &err));
    mae_tar_put(&out, name, bytes, size);
    free(bytes);
    mae_image_done(&img);
}

static void end(void)
{
    mae_tar_end(&out);
    ck_assert_ok(mae_output_commit(&out, &err));
}

/* Sample @p index is the image of stream @p seed and has this name and label. */
static void expect(size_t index, const char *name, uint64_t seed, int64_t label)
{
    MaeImage img = {0}, want = fixture_image(6, 7, 1, seed);
    MaeReadBuffer buffer = {0};
    char found[256];

    ck_assert_ok(mae_dataset_read(ds, index, &img, &buffer, &err));
    ck_assert_uint_eq(img.height, 6);
    ck_assert_uint_eq(img.width, 7);
    ck_assert_mem_eq(img.data, want.data, 42);
    mae_dataset_name(ds, index, found, sizeof found);
    ck_assert_str_eq(found, name);
    ck_assert_int_eq(mae_dataset_label(ds, index), label);
    mae_image_done(&img);
    mae_image_done(&want);
    mae_read_buffer_done(&buffer);
}

static void refuse(const char *path, const char *message)
{
    ck_assert_fails(mae_dataset_open(&ds, path, NULL, &err), MAE_ERR_FORMAT, message);
}

START_TEST(samples_of_one_file)
{
    const char *path = fixture_path(root, "set.any"); /* content counts, not the name */
    const MaeDatasetOptions unlabelled = {.unlabelled = true};
    const MaeDatasetInfo *info;

    begin("set.any");
    text("__classes__", "cat\ndog\nold horse\n");
    image("b/1.png", 1);
    text("b/1.cls", "2");
    text("2.cls", " 0\n");
    image("2.JPG", 2); /* a PNG, as its content says */
    text("2.json", "{}");
    text("2.seg.png", "no image of ours");
    text(".hidden.jpg", "");
    text("README", "");
    image("b/c.d/3.jpeg", 3);
    text("b/c.d/3.cls", "1");
    end();
    ck_assert_ok(mae_dataset_open(&ds, path, NULL, &err));
    info = mae_dataset_info(ds);
    ck_assert_str_eq(info->kind, "tar");
    ck_assert(info->encoded);
    ck_assert_uint_eq(info->count, 3);
    ck_assert_uint_eq(info->channels, 1);
    ck_assert_uint_eq(info->classes, 3);
    ck_assert_str_eq(mae_dataset_class(ds, 2), "old horse");
    expect(0, "b/1.png", 1, 2);
    expect(1, "2.JPG", 2, 0);
    expect(2, "b/c.d/3.jpeg", 3, 1);
    mae_dataset_close(ds);
    ds = NULL;
    ck_assert_ok(mae_dataset_open(&ds, path, &unlabelled, &err));
    ck_assert(!mae_dataset_info(ds)->labelled);
    expect(0, "b/1.png", 1, -1);
}
END_TEST

START_TEST(folder_of_shards)
{
    char name[64], want[80];

    for (size_t i = 70; i-- > 0;) { /* more than stay open */
        (void)snprintf(name, sizeof name, "s-%02zu.tar", i);
        begin(name);
        if (i != 5) { /* an empty shard is fine */
            image("a.png", i);
            text("a.cls", "3");
        }
        end();
    }
    mae_test_write(fixture_path(root, ".hidden.tar"), "x", 1);
    mae_test_write(fixture_path(root, "sizes.json"), "x", 1);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 69);
    ck_assert_uint_eq(mae_dataset_info(ds)->classes, 4);
    ck_assert_str_eq(mae_dataset_class(ds, 3), "3");
    for (size_t i = 0; i < 69; i++) {
        const size_t shard = i < 5 ? i : i + 1;

        (void)snprintf(want, sizeof want, "s-%02zu.tar:a.png", shard);
        expect(i, want, shard, 3);
    }
}
END_TEST

/* Class folders with an archive beside them are class folders. */
START_TEST(folders_win)
{
    fixture_classes(root, 2, 2, 6, 7);
    begin("all.tar");
    image("1.png", 1);
    end();
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_str_eq(mae_dataset_info(ds)->kind, "folders");
}
END_TEST

START_TEST(keys_without_images)
{
    FixtureLog log;
    MaeDatasetOptions opt = {.log = &log.log};

    fixture_log(&log);
    begin("a.tar");
    text("0.cls", "1");
    text("0.txt", "caption");
    image("1.png", 1);
    end();
    ck_assert_ok(mae_dataset_open(&ds, fixture_path(root, "a.tar"), &opt, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 1);
    ck_assert(!mae_dataset_info(ds)->labelled);
    ck_assert_ptr_nonnull(
        strstr(log.last, "1 samples without a JPEG or PNG image, first '0'"));
    begin("b.tar");
    text("0.cls", "1");
    end();
    refuse(fixture_path(root, "b.tar"), "expected images KEY.jpg");
}
END_TEST

/* Images first, classes behind them: no longer the same sample. */
START_TEST(labels_apart_from_images)
{
    begin("a.tar");
    image("1.png", 1);
    image("2.png", 2);
    text("2.cls", "0");
    text("1.cls", "0");
    end();
    refuse(root, "'1.png' has no .cls, as 1 of 2 images have");
}
END_TEST

/* @p content as the label of a sample. */
static void refuse_label(const char *content, const char *message)
{
    begin("a.tar");
    image("1.png", 1);
    text("1.cls", content);
    end();
    refuse(root, message);
}

START_TEST(labels_that_are_none)
{
    refuse_label(
        "cat", "a.tar: '1.cls': expected a class number of 0 to 1048575, found \"cat\"");
    refuse_label("", "found \"\"");
    refuse_label("-1", "found \"-1\"");
    refuse_label("1.5", "found \"1.5\"");
    refuse_label("1048576", "found \"1048576\"");
    refuse_label("99999999999999999999999", "found");
    refuse_label("1                                  ", "found");
    begin("a.tar");
    image("1.png", 1);
    text("1.cls", "2");
    text("__classes__", "cat\ndog");
    end();
    refuse(root, "'1.png' is of class 2, of 2 names");
    begin("a.tar");
    image("1.png", 1);
    text("1.cls", "0");
    text("1.CLS", "0");
    end();
    refuse(root, "'1.CLS': the sample has a .cls already");
    begin("a.tar");
    text("__classes__", "");
    end();
    refuse(root, "'__classes__': expected 1 to 1048576 lines of text, found 0");
}
END_TEST

START_TEST(archives_that_are_damaged)
{
    const char *path = fixture_path(root, "a.tar");
    unsigned char *bytes;
    size_t size;

    begin("a.tar");
    image("1.png", 1);
    image("1.jpg", 1);
    end();
    refuse(root, "'1.jpg': the sample has an image already");
    begin("a.tar");
    image("x/../../1.png", 1);
    end();
    refuse(path, "'x/../../1.png': the name leads out of the archive");
    begin("a.tar");
    image("1.png", 1);
    end();
    bytes = mae_test_read(path, &size);
    mae_test_write(path, bytes, size - 1024);
    refuse(path, "truncated: no end-of-archive marker");
    mae_test_write(path, bytes, 600);
    refuse(path, "truncated: member at byte 0");
    bytes[0] ^= 1;
    mae_test_write(path, bytes, size);
    refuse(path, "wrong checksum");
    mae_test_write(path, "", 0);
    refuse(root, "a.tar: truncated");
    refuse(path, "found an empty file");
    mae_test_write(path, bytes + 1, size - 1);
    refuse(path, "expected a folder of images, a tar, IDX or HDF5 file");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0666), 0);
    refuse(root, "expected a regular file, found a FIFO");
    free(bytes);
}
END_TEST

/* A bad image is a bad sample; a shard that shrinks makes its samples bad. */
START_TEST(bad_samples)
{
    const char *path = fixture_path(root, "a.tar");
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    size_t size;

    begin("a.tar");
    text("0.jpg", "");
    text("1.jpg", "text");
    image("2.png", 2);
    end();
    ck_assert_ok(mae_dataset_open(&ds, path, NULL, &err));
    ck_assert_fails(mae_dataset_read(ds, 0, &img, &buffer, &err), MAE_ERR_FORMAT,
                    "the file is empty");
    ck_assert_fails(mae_dataset_read(ds, 1, &img, &buffer, &err), MAE_ERR_FORMAT, "");
    ck_assert_ok(mae_dataset_load(ds, 1, &buffer, &size, &err));
    ck_assert_uint_eq(size, 4);
    ck_assert_mem_eq(buffer.data, "text", 4);
    expect(2, "2.png", 2, -1);
    ck_assert_int_eq(truncate(path, 1800), 0);
    ck_assert_fails(mae_dataset_read(ds, 2, &img, &buffer, &err), MAE_ERR_FORMAT,
                    "a.tar: ends at byte");
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_ds_tar");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_test(tc, samples_of_one_file);
    tcase_add_test(tc, folder_of_shards);
    tcase_add_test(tc, folders_win);
    tcase_add_test(tc, keys_without_images);
    tcase_add_test(tc, labels_apart_from_images);
    tcase_add_test(tc, labels_that_are_none);
    tcase_add_test(tc, archives_that_are_damaged);
    tcase_add_test(tc, bad_samples);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
