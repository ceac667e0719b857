#include <hdf5.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/config.h"
#include "paths.h"
#include "store/h5images.h"
#include "store/h5out.h"
#include "support/test.h"

/** Write a data set with stock libhdf5; chunk NULL: contiguous. */
static void put(const char *path, const char *name, hid_t file_type, hid_t type, int rank,
                const hsize_t *dims, const hsize_t *chunk, const void *data)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t set;

    if (chunk != NULL) {
        (void)H5Pset_chunk(list, rank, chunk);
        (void)H5Pset_shuffle(list);
        (void)H5Pset_deflate(list, 4);
        (void)H5Pset_fletcher32(list);
    }
    set = H5Dcreate2(file, name, file_type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    ck_assert(set >= 0);
    ck_assert(data == NULL ||
              H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
    (void)H5Pclose(list);
    (void)H5Fclose(file);
}

static void create(const char *path)
{
    (void)H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
}

/* Types and layouts, big-endian and compressed ones too. */
START_TEST(stacks_are_read_row_by_row)
{
    static const hsize_t dims[] = {5, 3, 4, 2}, chunk[] = {2, 3, 3, 1}, n = 5;
    static const int16_t labels[] = {2, 0, 7, 1, 2};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "s.h5");
    uint16_t pixels[120], row[24];
    size_t count, height, width, channels;
    MaeError err = {0};
    MaeH5Images *h;
    int pixel;

    for (size_t i = 0; i < 120; i++)
        pixels[i] = (uint16_t)(i * 500);
    for (int variant = 0; variant < 3; variant++) {
        create(path.text);
        put(path.text, "images", variant == 2 ? H5T_NATIVE_UINT16 : H5T_STD_U16BE,
            H5T_NATIVE_UINT16, 4, dims, variant == 1 ? chunk : NULL, pixels);
        put(path.text, "labels", H5T_STD_I16LE, H5T_NATIVE_INT16, 1, &n, NULL, labels);
        ck_assert_ok(mae_h5images_open(&h, path.text, &err));
        mae_h5images_shape(h, &count, &height, &width, &channels, &pixel);
        ck_assert(count == 5 && height == 3 && width == 4 && channels == 2);
        ck_assert_int_eq(pixel, MAE_H5IMAGES_U16);
        ck_assert(mae_h5images_has_labels(h));
        ck_assert_uint_eq(mae_h5images_classes(h), 8);
        ck_assert_ptr_null(mae_h5images_class(h, 7));
        ck_assert_int_eq(mae_h5images_parallel(h), variant == 2);
        for (size_t i = 5; i-- > 0;) {
            ck_assert_ok(mae_h5images_read(h, i, row, &err));
            ck_assert_int_eq(mae_h5images_label(h, i), labels[i]);
            ck_assert_mem_eq(row, pixels + 24 * i, sizeof row);
        }
        mae_h5images_close(h);
    }
    mae_test_folder_remove(folder);
}
END_TEST

static atomic_bool reading;

static void *read_on(void *ctx)
{
    uint16_t row[24];
    MaeError err = {0};

    while (atomic_load(&reading))
        ck_assert_ok(mae_h5images_read(ctx, 0, row, &err));
    return NULL;
}

/* Opening forks, and the child must not wait for a lock that the reader has. */
START_TEST(files_open_while_others_are_read)
{
    static const hsize_t dims[] = {5, 3, 4, 2}, chunk[] = {1, 3, 4, 2};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "s.h5");
    const uint16_t pixels[120] = {0};
    MaeH5Images *h, *other;
    MaeError err = {0};
    pthread_t reader;

    create(path.text);
    put(path.text, "images", H5T_NATIVE_UINT16, H5T_NATIVE_UINT16, 4, dims, chunk,
        pixels);
    ck_assert_ok(mae_h5images_open(&h, path.text, &err));
    atomic_store(&reading, true);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_on, h), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_ok(mae_h5images_open(&other, path.text, &err));
        mae_h5images_close(other);
    }
    atomic_store(&reading, false);
    (void)pthread_join(reader, NULL);
    mae_h5images_close(h);
    mae_test_folder_remove(folder);
}
END_TEST

/* A stack with as many names as @p names, and labels up to 2. */
static void write_named(const char *path, size_t names)
{
    static const char *const texts[] = {"cat", "dog", "old horse", "none of them"};
    static const size_t shape[] = {3, 2, 2, 1};
    static const int64_t labels[] = {2, 0, 1};
    MaeH5Out *out = NULL;
    MaeError err = {0};

    ck_assert_ok(mae_h5out_create(&out, path, &err));
    mae_h5out_define_as(out, "images", MAE_H5_ELEMENT_U8, shape, 4);
    mae_h5out_rows_as(out, "images", MAE_H5_ELEMENT_U8, 1, 2, "abcdefgh");
    mae_h5out_ints(out, "labels", labels, shape, 1);
    mae_h5out_texts(out, "class_names", texts, names);
    ck_assert_ok(mae_h5out_commit(out, &err));
}

START_TEST(names_of_classes)
{
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "s.h5");
    unsigned char row[4];
    MaeError err = {0};
    MaeH5Images *h = NULL;

    write_named(path.text, 4);
    ck_assert_ok(mae_h5images_open(&h, path.text, &err));
    ck_assert(mae_h5images_parallel(h));
    ck_assert_uint_eq(mae_h5images_classes(h), 4);
    ck_assert_str_eq(mae_h5images_class(h, 2), "old horse");
    ck_assert_str_eq(mae_h5images_class(h, 3), "none of them");
    ck_assert_ok(mae_h5images_read(h, 2, row, &err));
    ck_assert_mem_eq(row, "efgh", 4);
    ck_assert_int_eq(truncate(path.text, 700), 0);
    ck_assert_fails(mae_h5images_read(h, 2, row, &err), MAE_ERR_FORMAT, "ends at byte");
    mae_h5images_close(h);
    write_named(path.text, 2);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT,
                    "class_names: 2 names, but labels up to 2");
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(grey_stacks_without_labels)
{
    static const hsize_t dims[] = {2, 3, 2};
    static const float pixels[12] = {0, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "s.h5");
    size_t count, height, width, channels;
    unsigned char bytes[6];
    MaeError err = {0};
    MaeH5Images *h;
    float row[6];
    int pixel;

    create(path.text);
    put(path.text, "images", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 3, dims, NULL, pixels);
    ck_assert_ok(mae_h5images_open(&h, path.text, &err));
    mae_h5images_shape(h, &count, &height, &width, &channels, &pixel);
    ck_assert_uint_eq(channels, 1);
    ck_assert_int_eq(pixel, MAE_H5IMAGES_F32);
    ck_assert(!mae_h5images_has_labels(h));
    ck_assert_uint_eq(mae_h5images_classes(h), 0);
    ck_assert_ok(mae_h5images_read(h, 1, row, &err));
    ck_assert_int_eq(mae_h5images_label(h, 1), -1);
    ck_assert_mem_eq(row, pixels + 6, sizeof row);
    mae_h5images_close(h);
    create(path.text);
    put(path.text, "images", H5T_STD_U8LE, H5T_NATIVE_FLOAT, 3, dims, NULL, pixels);
    ck_assert_ok(mae_h5images_open(&h, path.text, &err));
    ck_assert_ok(mae_h5images_read(h, 1, bytes, &err));
    ck_assert_uint_eq(bytes[5], 11);
    mae_h5images_close(h);
    mae_test_folder_remove(folder);
}
END_TEST

/* One file per way of not being a stack. */
START_TEST(other_files_are_refused_by_name)
{
    static const hsize_t flat[] = {6, 2}, cube[] = {2, 3, 2}, empty[] = {0, 3, 2},
                         three = 3, two = 2;
    static const int negative[] = {0, -1};
    static const hsize_t deep[] = {1, 1, 1, MAE_CONFIG_CHANNELS + 1};
    static const float zeros[MAE_CONFIG_CHANNELS + 1] = {0};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "s.h5");
    MaeH5Images *h = NULL;
    MaeError err = {0};

    create(path.text);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT,
                    "s.h5: images: missing");
    put(path.text, "images", H5T_STD_U8LE, H5T_NATIVE_FLOAT, 4, deep, NULL, zeros);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT,
                    "[1,1,1,4097] is empty or too large");
    create(path.text);
    put(path.text, "images", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, flat, NULL, zeros);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT,
                    "expected [N,H,W] or [N,H,W,C], found [6,2]");
    create(path.text);
    put(path.text, "images", H5T_STD_I8LE, H5T_NATIVE_FLOAT, 3, cube, NULL, zeros);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT, "found int8");
    create(path.text);
    put(path.text, "images", H5T_STD_U8LE, H5T_NATIVE_FLOAT, 3, empty, NULL, zeros);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT, "0 images");
    create(path.text);
    put(path.text, "images", H5T_STD_U8LE, H5T_NATIVE_FLOAT, 3, cube, NULL, NULL);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT,
                    "0 bytes stored, expected 12");
    create(path.text);
    put(path.text, "images", H5T_STD_U8LE, H5T_NATIVE_FLOAT, 3, cube, NULL, zeros);
    put(path.text, "labels", H5T_STD_I32LE, H5T_NATIVE_FLOAT, 1, &three, NULL, zeros);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_SHAPE,
                    "labels: expected [2], got [3]");
    create(path.text);
    put(path.text, "images", H5T_STD_U8LE, H5T_NATIVE_FLOAT, 3, cube, NULL, zeros);
    put(path.text, "labels", H5T_STD_I32LE, H5T_NATIVE_INT, 1, &two, NULL, negative);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT,
                    "labels[1]: expected 0 to");
    mae_test_write(path.text, "not hdf5", 8);
    ck_assert_fails(mae_h5images_open(&h, path.text, &err), MAE_ERR_FORMAT,
                    "not an HDF5 file");
    ck_assert_fails(mae_h5images_open(&h, folder, &err), MAE_ERR_FORMAT, "a folder");
    ck_assert_ptr_null(h);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_h5images");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, stacks_are_read_row_by_row);
    tcase_add_test(tc, files_open_while_others_are_read);
    tcase_add_test(tc, names_of_classes);
    tcase_add_test(tc, grey_stacks_without_labels);
    tcase_add_test(tc, other_files_are_refused_by_name);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
