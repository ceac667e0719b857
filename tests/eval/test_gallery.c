#include "eval/gallery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/h5out.h"
#include "support/test.h"

static const float data_mean[3] = {0.5f, 0.5f, 0.5f};
static const float data_std[3] = {0.25f, 0.25f, 0.25f};

/* "<folder>/<name>"; the last 8 results are valid. */
static const char *join(const char *folder, const char *name)
{
    static char texts[8][1200];
    static size_t next;
    char *text = texts[next++ % 8];

    (void)snprintf(text, sizeof texts[0], "%s/%s", folder, name);
    return text;
}

/* A PNG [height,width] of one level. */
static const char *write_flat(const char *folder, const char *name, size_t height,
                              size_t width, size_t channels, int level)
{
    const char *path = join(folder, name);
    MaeImage img = {0};
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_ok(mae_image_reshape(&img, height, width, channels, MAE_PIXEL_U8, &err));
    memset(img.data, level, height * mae_image_row_bytes(&img));
    ck_assert_ok(mae_image_encode_png(&bytes, &size, &img, &err));
    mae_test_write(path, bytes, size);
    free(bytes);
    mae_image_done(&img);
    return path;
}

static MaeTransform transform_to(size_t channels)
{
    MaeTransform t = mae_transform_default(channels, 8, 12, MAE_AUGMENT_EVAL);

    t.mean = data_mean;
    t.std = data_std;
    return t;
}

START_TEST(files_become_normalised_images)
{
    const MaeTransform t = transform_to(3);
    char *folder = mae_test_folder();
    const char *paths[3];
    MaeGallery g;
    MaeError err = {0};

    paths[0] = write_flat(folder, "grey", 8, 12, 1, 255);
    paths[1] = write_flat(folder, "tall.txt", 90, 30, 3, 51);
    paths[2] = write_flat(folder, "b.png", 1, 1, 3, 0);
    ck_assert_ok(mae_gallery_files(&g, &t, paths, 3, NULL, &err));
    ck_assert_uint_eq(g.count, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(g.names[i], paths[i]);
    for (size_t i = 0; i < 3 * 8 * 12; i++) {
        ck_assert_double_eq_tol((double)g.images[i], 2.0, 1e-6);
        ck_assert_double_eq_tol((double)g.images[3 * 96 + i], -1.2, 1e-6);
        ck_assert_double_eq_tol((double)g.images[6 * 96 + i], -2.0, 1e-6);
    }
    ck_assert(g.low == 0.0f && g.high == 1.0f);
    mae_gallery_close(&g);
    mae_gallery_close(&g);
    mae_gallery_close(NULL);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(bad_files_are_named)
{
    const MaeTransform t = transform_to(3);
    const MaeTransform five = mae_transform_default(5, 8, 12, MAE_AUGMENT_EVAL);
    char *folder = mae_test_folder();
    const char *paths[2] = {write_flat(folder, "good.png", 20, 20, 3, 9), NULL};
    size_t size;
    unsigned char *bytes = mae_test_read(paths[0], &size);
    MaeGallery g = {0};
    MaeError err = {0};

    paths[1] = join(folder, "missing.png");
    ck_assert_fails(mae_gallery_files(&g, &t, paths, 2, NULL, &err), MAE_ERR_IO,
                    paths[1]);
    ck_assert_ptr_null(g.images);
    paths[1] = join(folder, "cut.png");
    mae_test_write(paths[1], bytes, size - 15);
    ck_assert_fails(mae_gallery_files(&g, &t, paths, 2, NULL, &err), MAE_ERR_FORMAT,
                    "cut.png");
    mae_test_write(paths[1], bytes, 0);
    ck_assert_fails(mae_gallery_files(&g, &t, paths, 2, NULL, &err), MAE_ERR_FORMAT,
                    "cut.png");
    mae_test_write(paths[1], "GIF89a??", 8);
    ck_assert_fails(mae_gallery_files(&g, &t, paths, 2, NULL, &err), MAE_ERR_FORMAT,
                    "cut.png");
    paths[1] = folder;
    ck_assert_fails(mae_gallery_files(&g, &t, paths, 2, NULL, &err), MAE_ERR_FORMAT,
                    folder);
    ck_assert_int_eq(mkfifo(join(folder, "fifo"), 0600), 0);
    paths[1] = join(folder, "fifo");
    ck_assert_fails(mae_gallery_files(&g, &t, paths, 2, NULL, &err), MAE_ERR_FORMAT,
                    "fifo");
    ck_assert_fails(mae_gallery_files(&g, &five, paths, 1, NULL, &err), MAE_ERR_SHAPE,
                    "good.png");
    ck_assert_fails(mae_gallery_files(&g, &t, paths, 0, NULL, &err), MAE_ERR_ARG,
                    "1 to 256");
    ck_assert_fails(mae_gallery_files(&g, &t, paths, 257, NULL, &err), MAE_ERR_ARG,
                    "got 257");
    free(bytes);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(pixels_are_limited)
{
    const MaeImageLimits tight = {.max_pixels = 399}, wide = {.max_pixels = 400};
    const MaeTransform t = transform_to(3);
    char *folder = mae_test_folder();
    const char *path = write_flat(folder, "a.png", 20, 20, 3, 9);
    MaeGallery g;
    MaeError err = {0};

    ck_assert_fails(mae_gallery_files(&g, &t, &path, 1, &tight, &err), MAE_ERR_FORMAT,
                    "limit of 399 pixels (max_pixels)");
    ck_assert_fails(mae_gallery_dataset(&g, &t, folder, 1, &tight, NULL, &err),
                    MAE_ERR_FORMAT, "limit of 399 pixels (max_pixels)");
    ck_assert_ok(mae_gallery_files(&g, &t, &path, 1, &wide, &err));
    mae_gallery_close(&g);
    ck_assert_ok(mae_gallery_dataset(&g, &t, folder, 1, &wide, NULL, &err));
    mae_gallery_close(&g);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(samples_are_spread_over_a_dataset)
{
    const MaeTransform t = transform_to(3);
    static const char *const expected[] = {"00.png", "03.png", "06.png"};
    char *folder = mae_test_folder(), name[16];
    MaeGallery g;
    MaeError err = {0};

    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "%02d.png", i);
        (void)write_flat(folder, name, 8, 12, 1, 10 * i);
    }
    ck_assert_ok(mae_gallery_dataset(&g, &t, folder, 3, NULL, NULL, &err));
    ck_assert_uint_eq(g.count, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_msg(strstr(g.names[i], expected[i]) != NULL, "%s", g.names[i]);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(g.samples[i], 3 * i);
    mae_gallery_close(&g);
    ck_assert_ok(mae_gallery_dataset(&g, &t, folder, 100, NULL, NULL, &err));
    ck_assert_uint_eq(g.count, 10);
    mae_gallery_close(&g);
    mae_test_write(join(folder, "03.png"), "\x89PNG\r\n\x1a\n", 8);
    ck_assert_fails(mae_gallery_dataset(&g, &t, folder, 3, NULL, NULL, &err),
                    MAE_ERR_FORMAT, "03.png");
    ck_assert_fails(mae_gallery_dataset(&g, &t, join(folder, "no"), 3, NULL, NULL, &err),
                    MAE_ERR_ARG, "no");
    ck_assert_fails(mae_gallery_dataset(&g, &t, folder, 0, NULL, NULL, &err), MAE_ERR_ARG,
                    "got 0");
    mae_test_folder_remove(folder);
}
END_TEST

/* Floats mean what they mean: the range is left to whoever draws. */
START_TEST(float_images_have_no_known_range)
{
    const MaeTransform t = transform_to(1);
    const size_t shape[] = {4, 8, 12};
    float *pixels = mae_test_normal(4 * 8 * 12, 1, 0);
    char *folder = mae_test_folder();
    const char *path = join(folder, "f.h5");
    MaeH5Out *out;
    MaeGallery g;
    MaeError err = {0};

    ck_assert_ok(mae_h5out_create(&out, path, &err));
    mae_h5out_floats(out, "images", pixels, shape, 3);
    ck_assert_ok(mae_h5out_commit(out, &err));
    ck_assert_ok(mae_gallery_dataset(&g, &t, path, 2, NULL, NULL, &err));
    ck_assert(g.low == 0.0f && g.high == 0.0f);
    ck_assert_double_eq_tol((double)g.images[96 + 5],
                            ((double)pixels[2 * 96 + 5] - 0.5) / 0.25, 1e-5);
    mae_gallery_close(&g);
    free(pixels);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval gallery");
    TCase *tc = tcase_create("gallery");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, files_become_normalised_images);
    tcase_add_test(tc, bad_files_are_named);
    tcase_add_test(tc, pixels_are_limited);
    tcase_add_test(tc, samples_are_spread_over_a_dataset);
    tcase_add_test(tc, float_images_have_no_known_range);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
