#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "support/test.h"

static double sample(const MaeImage *img, size_t i)
{
    switch (img->type) {
    case MAE_PIXEL_U8:
        return (double)((const uint8_t *)img->data)[i];
    case MAE_PIXEL_U16:
        return (double)((const uint16_t *)img->data)[i];
    case MAE_PIXEL_F32:
        break;
    }
    return (double)((const float *)img->data)[i];
}

START_TEST(grey_becomes_rgb)
{
    MaeImage img = fixture_picture(5, 7, 1, (MaePixel)_i, 1);
    MaeImage kept = fixture_picture(5, 7, 1, (MaePixel)_i, 1);
    MaeError err = {0};

    ck_assert_ok(mae_image_channels(&img, 1, &err));
    ck_assert_ok(mae_image_channels(&img, 3, &err));
    ck_assert_uint_eq(img.channels, 3);
    for (size_t i = 0; i < 5 * 7 * 3; i++)
        ck_assert_double_eq(sample(&img, i), sample(&kept, i / 3));
    mae_image_done(&img);
    mae_image_done(&kept);
}
END_TEST

START_TEST(rgb_becomes_grey)
{
    static const double one[] = {1.0, 1.0, 1e-6};
    MaeImage img = fixture_picture(5, 7, 3, (MaePixel)_i, 1);
    MaeImage kept = fixture_picture(5, 7, 3, (MaePixel)_i, 1);
    MaeError err = {0};

    ck_assert_ok(mae_image_channels(&img, 1, &err));
    for (size_t i = 0; i < 5 * 7; i++) {
        const double want = 0.299 * sample(&kept, 3 * i) +
                            0.587 * sample(&kept, 3 * i + 1) +
                            0.114 * sample(&kept, 3 * i + 2);

        ck_assert_double_eq_tol(sample(&img, i), want, one[_i]);
    }
    mae_image_done(&img);
    mae_image_done(&kept);
}
END_TEST

/* Values from Pillow's convert("L"). */
START_TEST(grey_weights_are_pillows)
{
    static const uint8_t rgb[][3] = {{255, 255, 255}, {255, 0, 0}, {0, 255, 0},
                                     {0, 0, 255},     {1, 2, 3},   {123, 45, 67}};
    static const uint8_t want[] = {255, 76, 150, 29, 2, 71};
    MaeImage img = {0};
    MaeError err = {0};

    ck_assert_ok(mae_image_reshape(&img, 1, 6, 3, MAE_PIXEL_U8, &err));
    memcpy(img.data, rgb, sizeof rgb);
    ck_assert_ok(mae_image_channels(&img, 1, &err));
    ck_assert_mem_eq(img.data, want, sizeof want);
    ck_assert_ok(mae_image_reshape(&img, 1, 1, 3, MAE_PIXEL_U16, &err));
    memset(img.data, 0xff, 6);
    ck_assert_ok(mae_image_channels(&img, 1, &err));
    ck_assert_uint_eq(*(const uint16_t *)img.data, 65535);
    ck_assert_fails(mae_image_channels(&img, 2, &err), MAE_ERR_SHAPE,
                    "1 channels into 2");
    mae_image_done(&img);
}
END_TEST

START_TEST(deep_pixels_become_bytes)
{
    MaeImage img = {0};
    MaeError err = {0};

    ck_assert_ok(mae_image_reshape(&img, 4, 5461, 3, MAE_PIXEL_U16, &err));
    for (size_t i = 0; i < 65532; i++)
        ((uint16_t *)img.data)[i] = (uint16_t)(i < 32766 ? i : i + 4);
    for (int twice = 0; twice < 2; twice++)
        ck_assert_ok(mae_image_to_u8(&img, &err));
    ck_assert_int_eq(img.type, MAE_PIXEL_U8);
    for (size_t i = 0; i < 65532; i++) {
        const double v = (double)(i < 32766 ? i : i + 4);

        ck_assert_double_eq(sample(&img, i), floor(v / 257.0 + 0.5));
    }
    ck_assert_ok(mae_image_reshape(&img, 2, 3, 1, MAE_PIXEL_F32, &err));
    ck_assert_fails(mae_image_to_u8(&img, &err), MAE_ERR_FORMAT, "found floats");
    mae_image_done(&img);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_pixels");
    TCase *tc = tcase_create("pixels");

    tcase_add_loop_test(tc, grey_becomes_rgb, 0, 3);
    tcase_add_loop_test(tc, rgb_becomes_grey, 0, 3);
    tcase_add_test(tc, grey_weights_are_pillows);
    tcase_add_test(tc, deep_pixels_become_bytes);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
