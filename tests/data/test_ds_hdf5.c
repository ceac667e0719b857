#include <hdf5.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/opened.h"

static void put(hid_t file, const char *name, hid_t type, int ndim, const hsize_t *dims,
                const void *data)
{
    const hid_t space = H5Screate_simple(ndim, dims, NULL);
    const hid_t set =
        H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    ck_assert(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

/* @param userblock bytes in front of the signature: 0, 512, 1024 ... */
static const char *stack_file(hid_t type, int ndim, const hsize_t *dims, const void *data,
                              const int *labels, hsize_t userblock)
{
    const char *path = fixture_path(root, "stack.h5");
    const hid_t create = H5Pcreate(H5P_FILE_CREATE);
    hid_t file;

    H5Pset_userblock(create, userblock);
    file = H5Fcreate(path, H5F_ACC_TRUNC, create, H5P_DEFAULT);
    ck_assert(file >= 0);
    put(file, "images", type, ndim, dims, data);
    if (labels != NULL)
        put(file, "labels", H5T_NATIVE_INT, 1, dims, labels);
    H5Fclose(file);
    H5Pclose(create);
    return path;
}

START_TEST(labelled_stack)
{
    const hsize_t dims[4] = {6, 4, 5, 7};
    const int labels[6] = {0, 3, 1, 1, 0, 2};
    uint16_t pixels[6 * 140];
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    const MaeDatasetInfo *info;
    const char *path;
    char name[32];

    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++)
        pixels[i] = (uint16_t)(i * 77);
    path = stack_file(H5T_NATIVE_UINT16, 4, dims, pixels, labels, _i == 0 ? 0 : 1024);
    ck_assert_ok(mae_dataset_open(&ds, path, NULL, &err));
    info = mae_dataset_info(ds);
    ck_assert_str_eq(info->kind, "hdf5");
    ck_assert(!info->serial && info->labelled && !info->encoded);
    ck_assert_uint_eq(info->count, 6);
    ck_assert_uint_eq(info->classes, 4);
    ck_assert_uint_eq(info->height, 4);
    ck_assert_uint_eq(info->width, 5);
    ck_assert_uint_eq(info->channels, 7);
    ck_assert_str_eq(mae_dataset_class(ds, 3), "3");
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(mae_dataset_label(ds, i), labels[i]);
        ck_assert_ok(mae_dataset_read(ds, i, &img, &buffer, &err));
        ck_assert_int_eq(img.type, MAE_PIXEL_U16);
        ck_assert_mem_eq(img.data, pixels + i * 140, 280);
    }
    mae_dataset_name(ds, 2, name, sizeof name);
    ck_assert_str_eq(name, "stack.h5[2]");
    mae_image_done(&img);
}
END_TEST

START_TEST(bad_pixels_and_channels)
{
    const hsize_t dims[4] = {2, 2, 2, 2};
    float pixels[16] = {0};
    const MaeDatasetOptions opt = {.in_chans = 3};
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    const char *path;

    pixels[13] = NAN;
    path = stack_file(H5T_NATIVE_FLOAT, 4, dims, pixels, NULL, 0);
    ck_assert_fails(mae_dataset_open(&ds, path, &opt, &err), MAE_ERR_ARG, "in_chans 3");
    ck_assert_ok(mae_dataset_open(&ds, path, NULL, &err));
    ck_assert(!mae_dataset_info(ds)->labelled);
    ck_assert_ok(mae_dataset_read(ds, 0, &img, &buffer, &err));
    ck_assert_fails(mae_dataset_read(ds, 1, &img, &buffer, &err), MAE_ERR_NUMERIC,
                    "pixel (1, 0) channel 1 is nan");
    mae_image_done(&img);
}
END_TEST

START_TEST(hostile_files)
{
    const hsize_t dims[4] = {2, 2, 2, 2};
    const float pixels[16] = {0};
    const int labels[2] = {1 << 30, 0};
    const char *path = stack_file(H5T_NATIVE_FLOAT, 1, dims, pixels, NULL, 0);
    unsigned char *bytes;
    size_t size;

    ck_assert_fails(mae_dataset_open(&ds, path, NULL, &err), MAE_ERR_FORMAT, "images");
    path = stack_file(H5T_NATIVE_FLOAT, 4, dims, pixels, labels, 0);
    ck_assert_fails(mae_dataset_open(&ds, path, NULL, &err), MAE_ERR_FORMAT, "label");
    path = stack_file(H5T_NATIVE_FLOAT, 4, dims, pixels, NULL, 0);
    bytes = mae_test_read(path, &size);
    mae_test_write(path, bytes, size / 2);
    ck_assert_fails(mae_dataset_open(&ds, path, NULL, &err), MAE_ERR_FORMAT, "stack.h5");
    free(bytes);
}
END_TEST

static void *read_many(void *arg)
{
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    MaeError mine = {0};

    (void)arg;
    for (size_t i = 0; i < 200; i++) {
        if (mae_dataset_read(ds, i % 6, &img, &buffer, &mine) != MAE_OK ||
            ((unsigned char *)img.data)[3] != i % 6) {
            mae_image_done(&img);
            return &ds;
        }
    }
    mae_image_done(&img);
    return NULL;
}

START_TEST(reads_from_many_threads)
{
    const hsize_t dims[3] = {6, 4, 5};
    unsigned char pixels[120];
    pthread_t threads[4];

    for (size_t i = 0; i < 120; i++)
        pixels[i] = (unsigned char)(i / 20);
    ck_assert_ok(mae_dataset_open(
        &ds, stack_file(H5T_NATIVE_UCHAR, 3, dims, pixels, NULL, 0), NULL, &err));
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_many, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed = NULL;

        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_ds_hdf5");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_loop_test(tc, labelled_stack, 0, 2);
    tcase_add_test(tc, bad_pixels_and_channels);
    tcase_add_test(tc, hostile_files);
    tcase_add_test(tc, reads_from_many_threads);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
