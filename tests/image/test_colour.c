/* Equality with Pillow's pictures: tests/data/test_randaugment.c. */
#include "image/colour.h"

#include <string.h>

#include "fixture.h"
#include "support/test.h"

static MaeError err;

static MaeImage of_levels(size_t height, size_t width, size_t channels,
                          const uint8_t *levels)
{
    MaeImage img = {0};

    ck_assert_ok(mae_image_reshape(&img, height, width, channels, MAE_PIXEL_U8, &err));
    memcpy(img.data, levels, height * width * channels);
    return img;
}

/* --- one interface for all of them ------------------------------------------------ */

static void posterize(MaeImage *img)
{
    mae_colour_posterize(img, 3);
}

static void solarize(MaeImage *img)
{
    mae_colour_solarize(img, 100);
}

static void solarize_add(MaeImage *img)
{
    mae_colour_solarize_add(img, 90);
}

static void saturation(MaeImage *img)
{
    mae_colour_saturation(img, 1.7f);
}

static void contrast(MaeImage *img)
{
    mae_colour_contrast(img, 0.3f);
}

static void brightness(MaeImage *img)
{
    mae_colour_brightness(img, 1.4f);
}

static void sharpness(MaeImage *img)
{
    MaeImage sharp = {0};

    ck_assert_ok(mae_colour_sharpness(&sharp, img, 1.8f, &err));
    mae_image_done(img);
    *img = sharp;
}

static void (*const OPS[])(MaeImage *) = {
    mae_colour_autocontrast,
    mae_colour_equalize,
    mae_colour_invert,
    posterize,
    solarize,
    solarize_add,
    saturation,
    contrast,
    brightness,
    sharpness,
};
enum { COUNT = sizeof OPS / sizeof *OPS };

/* A grey image becomes what each channel of the same image in RGB becomes. */
START_TEST(grey_is_rgb_of_equal_channels)
{
    static const size_t sides[][2] = {{1, 1}, {1, 9}, {9, 1}, {2, 2}, {3, 3}, {13, 7}};

    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        MaeImage grey = fixture_picture(sides[i][0], sides[i][1], 1, MAE_PIXEL_U8, i);
        MaeImage rgb = fixture_picture(sides[i][0], sides[i][1], 1, MAE_PIXEL_U8, i);

        ck_assert_ok(mae_image_channels(&rgb, 3, &err));
        OPS[_i](&grey);
        OPS[_i](&rgb);
        ck_assert_uint_eq(grey.height, sides[i][0]);
        ck_assert_uint_eq(grey.width, sides[i][1]);
        for (size_t k = 0; k < sides[i][0] * sides[i][1] * 3; k++)
            ck_assert_uint_eq(((uint8_t *)rgb.data)[k], ((uint8_t *)grey.data)[k / 3]);
        mae_image_done(&grey);
        mae_image_done(&rgb);
    }
}
END_TEST

/* 254 where the highest level should be 255: Pillow's table truncates 254.99... */
START_TEST(channels_do_not_mix)
{
    const uint8_t levels[] = {10, 100, 200, 20, 150, 250, 30, 200, 225};
    const uint8_t stretched[] = {0, 0, 0, 127, 127, 255, 255, 254, 127};
    MaeImage img = of_levels(1, 3, 3, levels);

    mae_colour_autocontrast(&img);
    ck_assert_mem_eq(img.data, stretched, sizeof stretched);
    mae_image_done(&img);
}
END_TEST

/* One level has no range to stretch and no distribution to flatten. */
START_TEST(flat_images_stay)
{
    const uint8_t levels[] = {7, 7, 7, 7, 7, 7};
    MaeImage img = of_levels(2, 3, 1, levels);

    mae_colour_autocontrast(&img);
    mae_colour_equalize(&img);
    mae_colour_contrast(&img, 0.1f);
    ck_assert_mem_eq(img.data, levels, sizeof levels);
    mae_image_done(&img);
}
END_TEST

/* Too few pixels for a step of one level leave equalize nothing to do; with 512 below
 * the highest level the table's last entry would be 256. */
START_TEST(equalize_at_its_limits)
{
    MaeImage img = {0};
    uint8_t *v;

    ck_assert_ok(mae_image_reshape(&img, 1, 513, 1, MAE_PIXEL_U8, &err));
    v = img.data;
    memset(v, 3, 513);
    v[512] = 9;
    mae_colour_equalize(&img);
    ck_assert_uint_eq(v[0], 0);
    ck_assert_uint_eq(v[512], 255);
    img.width = 254;
    memset(v, 3, 254);
    v[253] = 9;
    mae_colour_equalize(&img);
    ck_assert_uint_eq(v[0], 3);
    ck_assert_uint_eq(v[253], 9);
    mae_image_done(&img);
}
END_TEST

START_TEST(extreme_arguments)
{
    const uint8_t levels[] = {0, 1, 127, 128, 254, 255};
    const uint8_t black[6] = {0}, inverted[] = {255, 254, 128, 127, 1, 0};
    const uint8_t added[] = {255, 255, 255, 128, 254, 255};
    MaeImage img = of_levels(1, 2, 3, levels);

    mae_colour_posterize(&img, 8);
    mae_colour_solarize(&img, 256);
    mae_colour_solarize_add(&img, 0);
    mae_colour_saturation(&img, 1.0f);
    mae_colour_contrast(&img, 1.0f);
    mae_colour_brightness(&img, 1.0f);
    ck_assert_mem_eq(img.data, levels, 6);
    mae_colour_solarize(&img, 0);
    ck_assert_mem_eq(img.data, inverted, 6);
    mae_colour_invert(&img);
    mae_colour_solarize_add(&img, 1000);
    ck_assert_mem_eq(img.data, added, 6);
    mae_colour_posterize(&img, 0);
    ck_assert_mem_eq(img.data, black, 6);
    mae_image_done(&img);
}
END_TEST

/* Factor 0 is the plain image that all factors go away from. */
START_TEST(plain_images)
{
    const uint8_t levels[] = {10, 20, 30, 200, 100, 50};
    const uint8_t grey[] = {18, 18, 18, 124, 124, 124}; /* 18.15, 124.2 */
    const uint8_t mean[] = {71, 71, 71, 71, 71, 71};
    MaeImage img = of_levels(1, 2, 3, levels);

    mae_colour_contrast(&img, 0.0f);
    ck_assert_mem_eq(img.data, mean, 6);
    memcpy(img.data, levels, 6);
    mae_colour_saturation(&img, 0.0f);
    ck_assert_mem_eq(img.data, grey, 6);
    mae_image_done(&img);
}
END_TEST

START_TEST(only_the_inside_is_smoothed)
{
    const uint8_t levels[] = {9, 9, 9, 9, 9, 100, 0, 9, 9, 9, 9, 9};
    const uint8_t smooth[] = {9, 9, 9, 9, 9, 43, 13, 9, 9, 9, 9, 9}; /* 43.3, 12.54 */
    MaeImage img = of_levels(3, 4, 1, levels), out = {0};

    ck_assert_ok(mae_colour_sharpness(&out, &img, 0.0f, &err));
    ck_assert_mem_eq(out.data, smooth, 12);
    ck_assert_mem_eq(img.data, levels, 12);
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_colour");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, grey_is_rgb_of_equal_channels, 0, COUNT);
    tcase_add_test(tc, channels_do_not_mix);
    tcase_add_test(tc, flat_images_stay);
    tcase_add_test(tc, equalize_at_its_limits);
    tcase_add_test(tc, extreme_arguments);
    tcase_add_test(tc, plain_images);
    tcase_add_test(tc, only_the_inside_is_smoothed);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
