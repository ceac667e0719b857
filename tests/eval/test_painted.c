#include "eval/painted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

/* 2 x 3 patches of 4 x 4 pixels. */
static const MaePatchGrid grid = {3, 8, 12, 4};

enum { PATCHES = 6 };

static MaeError err;

/* Black picture of [height,width] grey pixels. */
static MaeImage black(size_t height, size_t width, MaePixel type)
{
    MaeImage image = {0};

    ck_assert_ok(mae_image_reshape(&image, height, width, 1, type, &err));
    memset(image.data, 0, height * mae_image_row_bytes(&image));
    return image;
}

static void expect(const MaeImage *image, const unsigned char want[PATCHES])
{
    unsigned char hidden[PATCHES];
    size_t visible, hides = 0;

    ck_assert_ok(mae_painted_patches(hidden, &visible, image, &grid, "m.png", &err));
    ck_assert_mem_eq(hidden, want, PATCHES);
    for (size_t l = 0; l < PATCHES; l++)
        hides += want[l];
    ck_assert_uint_eq(visible, PATCHES - hides);
}

/* Half of the pixels of a patch hide it, one less does not; 128 is bright enough. */
START_TEST(half_of_the_pixels_hide_a_patch)
{
    MaeImage image = black(8, 12, MAE_PIXEL_U8);
    uint8_t *pixels = image.data;

    for (size_t i = 0; i < 8; i++) {
        pixels[(4 + i / 4) * 12 + 4 + i % 4] = 128; /* patch 4 at row 1, column 1 */
        pixels[(i / 4) * 12 + 8 + i % 4] = i < 7 ? 255 : 127; /* patch 2: 7 of 16 */
    }
    expect(&image, (unsigned char[]){0, 0, 0, 0, 1, 0});
    pixels[12 + 11] = 128;
    expect(&image, (unsigned char[]){0, 0, 1, 0, 1, 0});
    mae_image_done(&image);
}
END_TEST

START_TEST(one_pixel_a_patch)
{
    MaeImage image = black(2, 3, MAE_PIXEL_U8), deep = black(2, 3, MAE_PIXEL_U16);

    ((uint8_t *)image.data)[1] = 200;
    ((uint8_t *)image.data)[5] = 128;
    expect(&image, (unsigned char[]){0, 1, 0, 0, 0, 1});
    ((uint16_t *)deep.data)[3] = 32768;
    ((uint16_t *)deep.data)[4] = 32767;
    expect(&deep, (unsigned char[]){0, 0, 0, 1, 0, 0});
    mae_image_done(&image);
    mae_image_done(&deep);
}
END_TEST

START_TEST(other_pictures_are_refused)
{
    MaeImage image = black(12, 8, MAE_PIXEL_U8), small = black(2, 3, MAE_PIXEL_U8);
    unsigned char hidden[PATCHES];
    size_t visible = 99;

    ck_assert_fails(mae_painted_patches(hidden, &visible, &image, &grid, "m.png", &err),
                    MAE_ERR_ARG,
                    "m.png: expected a mask of 12 x 8 pixels or 3 x 2 patches (width x "
                    "height), found "
                    "8 x 12");
    ck_assert_fails(mae_painted_patches(hidden, &visible, &small, &grid, "m.png", &err),
                    MAE_ERR_ARG, "hides none of 6");
    memset(small.data, 255, PATCHES);
    ck_assert_fails(mae_painted_patches(hidden, &visible, &small, &grid, "m.png", &err),
                    MAE_ERR_ARG, "hides all 6");
    ck_assert_uint_eq(visible, 99);
    mae_image_done(&image);
    mae_image_done(&small);
}
END_TEST

/* From a file, in colour and with alpha: every image gets the same mask. */
START_TEST(files_become_masks)
{
    char *folder = mae_test_folder(), path[1100];
    MaeImage image = {0};
    MaeMaskSet masks;
    uint8_t *bytes;
    size_t size;

    (void)snprintf(path, sizeof path, "%s/m.png", folder);
    ck_assert_ok(mae_image_reshape(&image, 2, 3, 4, MAE_PIXEL_U8, &err));
    memset(image.data, 0, PATCHES * 4);
    memset((uint8_t *)image.data + 8, 255, 3); /* white, transparent: patch 2 */
    ((uint8_t *)image.data)[16] = 255;         /* red is dark: patch 4 */
    ck_assert_ok(mae_image_encode_png(&bytes, &size, &image, &err));
    mae_test_write(path, bytes, size);
    ck_assert_ok(mae_painted_open(&masks, path, &grid, 3, NULL, &err));
    ck_assert_uint_eq(masks.mask.visible, 5);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_mem_eq(masks.mask.mask + i * PATCHES,
                         ((unsigned char[]){0, 0, 1, 0, 0, 0}), PATCHES);
        ck_assert_uint_eq(masks.mask.ids_keep[i * 5 + 2], 3);
    }
    mae_maskset_close(&masks);
    mae_test_write(path, bytes, size / 2);
    ck_assert_fails(mae_painted_open(&masks, path, &grid, 3, NULL, &err), MAE_ERR_FORMAT,
                    "m.png");
    (void)snprintf(path, sizeof path, "%s/none.png", folder);
    ck_assert_fails(mae_painted_open(&masks, path, &grid, 3, NULL, &err), MAE_ERR_IO,
                    "none");
    mae_maskset_close(&masks);
    free(bytes);
    mae_image_done(&image);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval painted");
    TCase *tc = tcase_create("painted");

    tcase_add_test(tc, half_of_the_pixels_hide_a_patch);
    tcase_add_test(tc, one_pixel_a_patch);
    tcase_add_test(tc, other_pictures_are_refused);
    tcase_add_test(tc, files_become_masks);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
