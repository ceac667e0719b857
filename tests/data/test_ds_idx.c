#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/opened.h"
#include "support/cost.h"

#define FASHION "/usr/share/datasets/fashion-mnist"

/* Sizes, labels and pixels of a set made by fixture_mnist. */
static void check_set(const char *path, size_t count, const char *name)
{
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    const MaeDatasetInfo *info;
    char text[128];

    ck_assert_ok(mae_dataset_open(&ds, path, NULL, &err));
    info = mae_dataset_info(ds);
    ck_assert_str_eq(info->kind, "idx");
    ck_assert_uint_eq(info->count, count);
    ck_assert_uint_eq(info->classes, 10);
    ck_assert_uint_eq(info->channels, 1);
    ck_assert_uint_eq(info->height, 5);
    ck_assert_uint_eq(info->width, 6);
    ck_assert_str_eq(mae_dataset_class(ds, 9), "9");
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(mae_dataset_label(ds, i), (int)(i % 10));
        ck_assert_ok(mae_dataset_read(ds, i, &img, &buffer, &err));
        for (size_t k = 0; k < 30; k++)
            ck_assert_uint_eq(((unsigned char *)img.data)[k], (7 * i + k) % 256);
    }
    mae_dataset_name(ds, 3, text, sizeof text);
    ck_assert_str_eq(text, name);
    mae_dataset_close(ds);
    ds = NULL;
    mae_image_done(&img);
}

START_TEST(folder_and_file)
{
    const bool gz = _i == 1;
    char path[600], name[64];

    fixture_mnist(root, "train", gz, 50, 5, 6);
    fixture_mnist(root, "t10k", gz, 20, 5, 6);
    (void)snprintf(name, sizeof name, "train-images-idx3-ubyte%s[3]", gz ? ".gz" : "");
    check_set(root, 50, name);
    (void)snprintf(path, sizeof path, "%s:train", root);
    check_set(path, 50, name);
    (void)snprintf(name, sizeof name, "t10k-images-idx3-ubyte%s[3]", gz ? ".gz" : "");
    (void)snprintf(path, sizeof path, "%s:test", root);
    check_set(path, 20, name);
    name[strlen(name) - 3] = '\0';
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    strcat(name, "[3]");
    check_set(path, 20, name);
}
END_TEST

START_TEST(labels_zipped_or_not_or_missing)
{
    const MaeDatasetOptions opt = {.unlabelled = true};

    fixture_mnist(root, "train", false, 20, 5, 6);
    ck_assert_int_eq(unlink(fixture_path(root, "train-labels-idx1-ubyte")), 0);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert(!mae_dataset_info(ds)->labelled);
    mae_dataset_close(ds);
    fixture_mnist(root, "train", true, 20, 5, 6);
    ck_assert_int_eq(unlink(fixture_path(root, "train-images-idx3-ubyte.gz")), 0);
    check_set(root, 20, "train-images-idx3-ubyte[3]");
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    ck_assert(!mae_dataset_info(ds)->labelled);
}
END_TEST

START_TEST(several_sets_or_none)
{
    char path[600];

    fixture_mnist(root, "emnist-letters-train", true, 10, 5, 6);
    check_set(root, 10, "emnist-letters-train-images-idx3-ubyte.gz[3]");
    (void)snprintf(path, sizeof path, "%s:test", root);
    ck_assert_fails(mae_dataset_open(&ds, path, NULL, &err), MAE_ERR_FORMAT,
                    "no t10k-images-idx3-ubyte[.gz] in this folder");
    fixture_mnist(root, "emnist-digits-train", true, 10, 5, 6);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_ARG,
                    "holds 2 sets of images ('emnist-digits-train-images-idx3-ubyte.gz', "
                    "'emnist-letters-train-images-idx3-ubyte.gz', ...): name the file");
}
END_TEST

/* Damage a good pair of files in one way; everything must be a clean FORMAT error. */
START_TEST(damaged_files)
{
    const bool gz = _i % 2 == 1;
    const char *ending = gz ? ".gz" : "";
    const uint32_t dims[3] = {4, 5, 6}, zero[3] = {4, 0, 6}, many[3] = {5, 5, 6};
    const uint32_t huge[3] = {0x7fffffff, 0xffff, 0xff}, wide[3] = {4, 70000, 70000};
    const unsigned char bytes[130] = {0};
    char images[600], labels[600];

    (void)snprintf(images, sizeof images, "%s/train-images-idx3-ubyte%s", root, ending);
    (void)snprintf(labels, sizeof labels, "%s/train-labels-idx1-ubyte%s", root, ending);
    fixture_idx(images, gz, 3, dims, bytes, 119);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT, "truncated");
    fixture_idx(images, gz, 3, dims, bytes, 121);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    gz ? "bytes beyond the 120" : "expected 136 bytes, found 137");
    fixture_idx(images, gz, 1, dims, bytes, 40);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "(magic 00000803), found magic 00000801");
    fixture_idx(images, gz, 3, zero, bytes, 0);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "dimension 1 is 0");
    fixture_idx(images, gz, 3, huge, bytes, 120);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT, "truncated");
    fixture_idx(images, gz, 3, wide, bytes, 120);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "images of 70000 x 70000");
    fixture_idx(images, gz, 3, dims, bytes, 120);
    fixture_idx(labels, gz, 1, many, bytes, 5);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "5 labels for 4 images");
    fixture_idx(labels, gz, 1, dims, bytes, 3);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "labels-idx1");
    fixture_idx(labels, gz, 1, dims, bytes, 4);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
}
END_TEST

/* Every length and every flipped bit of a small gzipped file. */
START_TEST(damaged_gzip)
{
    const char *path = fixture_path(root, "train-images-idx3-ubyte.gz");
    unsigned char *good;
    size_t size;

    fixture_mnist(root, "train", true, 3, 5, 6);
    good = mae_test_read(path, &size);
    for (size_t cut = 1; cut < size; cut++) {
        mae_test_write(path, good, cut);
        ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                        "train-images-idx3-ubyte.gz: ");
    }
    for (size_t bit = 8 * 10; bit < 8 * size; bit++) { /* behind gzip's header */
        if (bit / 8 == size - 9)
            continue; /* partly padding */
        good[bit / 8] ^= (unsigned char)(1u << bit % 8);
        mae_test_write(path, good, size);
        ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT, ": ");
        good[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(good);
}
END_TEST

static void open_bomb(void *ctx)
{
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    (const char *)ctx);
}

/* 256 MB of zeros behind a header that asks for 120 bytes; and a header that asks for
 * 3 GB, which 260 KB cannot hold. */
START_TEST(gzip_bombs)
{
    const uint32_t dims[3] = {4, 5, 6}, huge[3] = {50000, 256, 256};
    const char *path = fixture_path(root, "train-images-idx3-ubyte.gz");
    const size_t size = (size_t)256 << 20;
    void *zeros = mae_test_alloc(size);

    fixture_idx(path, true, 3, dims, zeros, size);
    test_costs_less(16, 1.0, open_bomb, (char[]){"bytes beyond the 120"});
    fixture_idx(path, true, 3, huge, zeros, size);
    test_costs_less(16, 1.0, open_bomb, (char[]){"gzipped ones cannot hold them"});
    free(zeros);
}
END_TEST

START_TEST(file_that_shrinks)
{
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};

    fixture_mnist(root, "train", false, 20, 5, 6);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_int_eq(truncate(fixture_path(root, "train-images-idx3-ubyte"), 100), 0);
    ck_assert_fails(mae_dataset_read(ds, 19, &img, &buffer, &err), MAE_ERR_IO, "shorter");
    mae_image_done(&img);
}
END_TEST

START_TEST(fifo_for_a_file)
{
    ck_assert_int_eq(mkfifo(fixture_path(root, "train-images-idx3-ubyte"), 0666), 0);
    ck_assert_fails(mae_dataset_open(&ds, root, NULL, &err), MAE_ERR_FORMAT,
                    "expected a regular file");
}
END_TEST

START_TEST(fashion_mnist)
{
    if (access(FASHION, R_OK) != 0)
        return;
    ck_assert_ok(mae_dataset_open(&ds, FASHION, NULL, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 60000);
    ck_assert_uint_eq(mae_dataset_info(ds)->classes, 10);
    ck_assert_int_eq(mae_dataset_label(ds, 0), 9);
    mae_dataset_close(ds);
    ck_assert_ok(mae_dataset_open(&ds, FASHION ":test", NULL, &err));
    ck_assert_uint_eq(mae_dataset_info(ds)->count, 10000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_ds_idx");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_loop_test(tc, folder_and_file, 0, 2);
    tcase_add_test(tc, labels_zipped_or_not_or_missing);
    tcase_add_test(tc, several_sets_or_none);
    tcase_add_loop_test(tc, damaged_files, 0, 2);
    tcase_add_test(tc, damaged_gzip);
    tcase_add_test(tc, gzip_bombs);
    tcase_add_test(tc, file_that_shrinks);
    tcase_add_test(tc, fifo_for_a_file);
    tcase_add_test(tc, fashion_mnist);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
