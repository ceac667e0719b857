#include "data/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "data/opened.h"
#include "image/resize.h"
#include "store/h5out.h"

static MaePool *pool;
static MaeDataset *packed;
static char *place; /* folder of the packed files */

static void setup(void)
{
    opened_setup();
    place = mae_test_folder();
    packed = NULL;
    pool = NULL;
    ck_assert_ok(mae_pool_open(&pool, 3, &err));
}

static void teardown(void)
{
    mae_dataset_close(packed);
    mae_pool_close(pool);
    mae_test_folder_remove(place);
    opened_teardown();
}

static MaeStatus pack(const char *name, MaePackOptions opt, MaePackResult *result)
{
    opt.pool = pool;
    return mae_pack(ds, fixture_path(place, name), &opt, result, &err);
}

static void open_packed(const char *name)
{
    mae_dataset_close(packed);
    packed = NULL;
    ck_assert_ok(mae_dataset_open(&packed, fixture_path(place, name), NULL, &err));
}

/* Both sets hold the same images, labels and names of classes. */
static void expect_equal(void)
{
    const MaeDatasetInfo *a = mae_dataset_info(ds), *b = mae_dataset_info(packed);
    MaeImage x = {0}, y = {0};
    MaeReadBuffer buffer = {0};

    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->channels, b->channels);
    ck_assert_uint_eq(a->classes, b->classes);
    for (size_t i = 0; i < a->classes; i++)
        ck_assert_str_eq(mae_dataset_class(ds, i), mae_dataset_class(packed, i));
    for (size_t i = 0; i < a->count; i++) {
        ck_assert_ok(mae_dataset_read(ds, i, &x, &buffer, &err));
        ck_assert_ok(mae_dataset_read(packed, i, &y, &buffer, &err));
        ck_assert_uint_eq(x.height, y.height);
        ck_assert_uint_eq(x.width, y.width);
        ck_assert_int_eq(x.type, y.type);
        ck_assert_mem_eq(x.data, y.data, x.height * mae_image_row_bytes(&x));
        ck_assert_int_eq(mae_dataset_label(ds, i), mae_dataset_label(packed, i));
    }
    mae_image_done(&x);
    mae_image_done(&y);
    mae_read_buffer_done(&buffer);
}

static const char *const outputs[] = {"a.tar", "a.h5", "a.hdf5"};

START_TEST(class_folders)
{
    MaePackResult result;

    fixture_classes(root, 3, 101, 6, 7);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(pack(outputs[_i], (MaePackOptions){0}, &result));
    ck_assert_uint_eq(result.images, 303);
    ck_assert_uint_eq(result.left_out, 0);
    open_packed(outputs[_i]);
    expect_equal();
}
END_TEST

START_TEST(idx_files)
{
    MaePackResult result;

    fixture_mnist(root, "train", true, 30, 5, 6);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(pack(outputs[_i], (MaePackOptions){0}, &result));
    open_packed(outputs[_i]);
    expect_equal();
}
END_TEST

/* A file's bytes, from wherever it is stored. */
static void expect_same_file(size_t index)
{
    MaeReadBuffer a = {0}, b = {0};
    size_t m, n;

    ck_assert_ok(mae_dataset_load(ds, index, &a, &m, &err));
    ck_assert_ok(mae_dataset_load(packed, index, &b, &n, &err));
    ck_assert_uint_eq(m, n);
    ck_assert_mem_eq(a.data, b.data, n);
    mae_read_buffer_done(&a);
    mae_read_buffer_done(&b);
}

START_TEST(unlabelled_files_of_all_sizes)
{
    MaePackResult result;
    char name[64];

    fixture_jpeg(fixture_path(root, "a.png"), 8, 9, 3, 1);
    fixture_png(fixture_path(root, "b.jpeg"), 18, 9, 3, 1);
    fixture_png(fixture_path(root, "c\n..png"), 1, 1, 3, 1);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(pack("a.tar", (MaePackOptions){0}, &result));
    open_packed("a.tar");
    ck_assert(!mae_dataset_info(packed)->labelled);
    expect_equal();
    for (size_t i = 0; i < 3; i++)
        expect_same_file(i);
    mae_dataset_name(packed, 0, name, sizeof name);
    ck_assert_str_eq(name, "00000000.jpg");
    mae_dataset_name(packed, 1, name, sizeof name);
    ck_assert_str_eq(name, "00000001.png");
    ck_assert_fails(pack("a.h5", (MaePackOptions){0}, &result), MAE_ERR_SHAPE,
                    "b.jpeg: is 18 x 9 pixels, the first image 8 x 9");
    ck_assert_int_ne(access(fixture_path(place, "a.h5"), F_OK), 0);
    ck_assert_int_ne(access(fixture_path(place, "a.h5.mae-tmp"), F_OK), 0);
}
END_TEST

START_TEST(scaled_to_one_size)
{
    MaeImage img = {0}, want = {0};
    MaeReadBuffer buffer = {0};
    MaePackResult result;

    fixture_png(fixture_path(root, "a.png"), 8, 8, 3, 1);
    fixture_png(fixture_path(root, "b.png"), 20, 30, 3, 2);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(pack("a.h5", (MaePackOptions){.size = 8}, &result));
    open_packed("a.h5");
    ck_assert_uint_eq(mae_dataset_info(packed)->height, 8);
    ck_assert_uint_eq(mae_dataset_info(packed)->width, 8);
    for (size_t i = 0; i < 2; i++) {
        MaeImage scaled = {0};
        MaeFrame frame;

        ck_assert_ok(mae_dataset_read(ds, i, &want, &buffer, &err));
        ck_assert_ok(mae_dataset_read(packed, i, &img, &buffer, &err));
        ck_assert_ok(mae_frame_center(&frame, want.height, want.width, 8, 8, 8, &err));
        ck_assert_ok(mae_image_resize(&scaled, &want, &frame, MAE_BICUBIC, NULL, &err));
        ck_assert_mem_eq(img.data, scaled.data, 8 * 8 * 3);
        mae_image_done(&scaled);
    }
    mae_image_done(&img);
    mae_image_done(&want);
    mae_read_buffer_done(&buffer);
}
END_TEST

START_TEST(bad_images)
{
    MaePackResult result;
    MaeReadBuffer buffer = {0};
    size_t size;

    fixture_png(fixture_path(root, "a.png"), 8, 8, 3, 1);
    mae_test_write(fixture_path(root, "b.jpg"), "\xff\xd8\xff\xe0 and no more", 16);
    mae_test_write(fixture_path(root, "c.jpg"), "text", 4);
    fixture_png(fixture_path(root, "d.png"), 8, 8, 3, 4);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_fails(pack("a.h5", (MaePackOptions){0}, &result), MAE_ERR_FORMAT,
                    "b.jpg: ");
    ck_assert_fails(pack("a.tar", (MaePackOptions){0}, &result), MAE_ERR_FORMAT,
                    "c.jpg: is no JPEG or PNG file");
    for (int i = 0; i < 2; i++) {
        ck_assert_ok(pack(outputs[i], (MaePackOptions){.skip_bad = true}, &result));
        ck_assert_uint_eq(result.images, 2);
        ck_assert_uint_eq(result.left_out, 2);
        open_packed(outputs[i]);
        ck_assert_uint_eq(mae_dataset_info(packed)->count, 2);
        ck_assert_int_eq(mae_dataset_load(packed, 1, &buffer, &size, &err),
                         i == 0 ? MAE_OK : MAE_ERR_ARG);
    }
    mae_read_buffer_done(&buffer);
}
END_TEST

START_TEST(what_a_tar_cannot_hold)
{
    const float pixels[12] = {0};
    const size_t shape[4] = {1, 2, 2, 3};
    const char *path = fixture_path(root, "f.h5");
    MaeH5Out *out = NULL;
    MaePackResult result;

    ck_assert_ok(mae_h5out_create(&out, path, &err));
    mae_h5out_floats(out, "images", pixels, shape, 4);
    ck_assert_ok(mae_h5out_commit(out, &err));
    ck_assert_ok(mae_dataset_open(&ds, path, NULL, &err));
    ck_assert_fails(pack("a.tar", (MaePackOptions){0}, &result), MAE_ERR_ARG,
                    "f.h5[0]: float32 with 3 channels cannot be a PNG");
    ck_assert_ok(pack("a.h5", (MaePackOptions){0}, &result));
    open_packed("a.h5");
    expect_equal();
    ck_assert_fails(pack("a.tar", (MaePackOptions){.size = 8}, &result), MAE_ERR_ARG,
                    "a size is for .h5");
    ck_assert_fails(pack("a.zip", (MaePackOptions){0}, &result), MAE_ERR_ARG,
                    "expected a name ending in .h5, .hdf5 or .tar");
}
END_TEST

/* More than fits the 64 KB of an attribute in an object header. */
START_TEST(many_long_names)
{
    char name[300];
    MaePackResult result;

    for (size_t i = 0; i < 400; i++) {
        const char *folder;

        memset(name, 'a' + (int)(i % 26), sizeof name);
        (void)snprintf(name + 200, 16, "%04zu%s", i, i == 0 && _i == 2 ? "\n" : "");
        folder = fixture_folder(root, name);
        fixture_png(fixture_path(folder, "1.png"), 2, 2, 3, i);
    }
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    if (_i == 2) {
        ck_assert_fails(pack("a.tar", (MaePackOptions){0}, &result), MAE_ERR_ARG,
                        "with a line break; OUT.h5 can");
        return;
    }
    ck_assert_ok(pack(outputs[_i], (MaePackOptions){0}, &result));
    open_packed(outputs[_i]);
    expect_equal();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_pack");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, class_folders, 0, 3);
    tcase_add_loop_test(tc, idx_files, 0, 2);
    tcase_add_test(tc, unlabelled_files_of_all_sizes);
    tcase_add_test(tc, scaled_to_one_size);
    tcase_add_test(tc, bad_images);
    tcase_add_test(tc, what_a_tar_cannot_hold);
    tcase_add_loop_test(tc, many_long_names, 0, 3);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
