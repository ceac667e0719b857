/* Equality with Pillow's pictures: tests/data/test_randaugment.c. */
#include "image/affine.h"

#include <math.h>
#include <string.h>

#include "fixture.h"
#include "support/test.h"

static const uint8_t fill[MAE_AFFINE_CHANNELS] = {11, 22, 33, 44};

static MaeError err;

static MaeImage moved(const MaeImage *img, MaeAffine from, MaeFilter filter)
{
    MaeImage out = {0};

    ck_assert_ok(mae_affine_apply(&out, img, &from, filter, fill, &err));
    ck_assert_uint_eq(out.height, img->height);
    ck_assert_uint_eq(out.width, img->width);
    ck_assert_uint_eq(out.channels, img->channels);
    return out;
}

static uint8_t sample(const MaeImage *img, size_t y, size_t x, size_t c)
{
    return ((const uint8_t *)img->data)[(y * img->width + x) * img->channels + c];
}

/* Between centres that coincide nothing is interpolated. */
START_TEST(whole_pixels_are_copied)
{
    const MaeFilter filter = (MaeFilter)_i;
    MaeImage img = fixture_picture(5, 7, 3, MAE_PIXEL_U8, 1);
    MaeImage same = moved(&img, mae_affine_rotation(0.0, 5, 7), filter);
    MaeImage shifted = moved(&img, mae_affine_translation(2.0, -1.0), filter);
    MaeImage half = moved(&img, mae_affine_rotation(180.0, 5, 7), filter);

    for (size_t i = 0; i < 5 * 7 * 3; i++) {
        const size_t c = i % 3, x = i / 3 % 7, y = i / 21;
        const bool inside = x + 2 < 7 && y >= 1;

        ck_assert_uint_eq(sample(&same, y, x, c), sample(&img, y, x, c));
        ck_assert_uint_eq(sample(&half, y, x, c), sample(&img, 4 - y, 6 - x, c));
        ck_assert_uint_eq(sample(&shifted, y, x, c),
                          inside ? sample(&img, y - 1, x + 2, c) : fill[c]);
    }
    mae_image_done(&img);
    mae_image_done(&same);
    mae_image_done(&shifted);
    mae_image_done(&half);
}
END_TEST

/* Counter-clockwise: the right column goes up. */
START_TEST(quarter_turns_are_exact)
{
    MaeImage img = fixture_picture(6, 6, 4, MAE_PIXEL_U8, 2);
    MaeImage turned = moved(&img, mae_affine_rotation(90.0, 6, 6), (MaeFilter)_i);

    for (size_t y = 0; y < 6; y++) {
        for (size_t x = 0; x < 6; x++)
            ck_assert_uint_eq(sample(&turned, y, x, 3), sample(&img, x, 5 - y, 3));
    }
    mae_image_done(&img);
    mae_image_done(&turned);
}
END_TEST

/* A ramp is interpolated linearly by both, and the result truncated. */
START_TEST(halves_of_pixels)
{
    const uint8_t ramp[] = {0, 5, 10, 15, 20, 25}, want[] = {2, 7, 12, 17, 22, 25};
    MaeImage img = {0}, out;

    ck_assert_ok(mae_image_reshape(&img, 1, 6, 1, MAE_PIXEL_U8, &err));
    memcpy(img.data, ramp, 6);
    out = moved(&img, mae_affine_translation(0.5, 0.0), (MaeFilter)_i);
    if (_i == MAE_BILINEAR) {
        ck_assert_uint_eq(sample(&out, 0, 5, 0), fill[0]); /* x' = 6: outside */
        ck_assert_mem_eq(out.data, want, 5);
    } else {
        ck_assert_mem_eq((uint8_t *)out.data + 1, want + 1, 3);
    }
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

/* The bicubic overshoots at an edge and is clipped. */
START_TEST(overshoot_is_clipped)
{
    const uint8_t edge[] = {0, 0, 255, 255, 255, 0, 0, 0};
    MaeImage img = {0}, out;

    ck_assert_ok(mae_image_reshape(&img, 1, 8, 1, MAE_PIXEL_U8, &err));
    memcpy(img.data, edge, 8);
    out = moved(&img, mae_affine_translation(0.5, 0.0), MAE_BICUBIC);
    ck_assert_uint_eq(sample(&out, 0, 0, 0), 0);
    ck_assert_uint_eq(sample(&out, 0, 1, 0), 127);
    ck_assert_uint_eq(sample(&out, 0, 2, 0), 255);
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

START_TEST(shear_moves_rows_or_columns)
{
    MaeImage img = fixture_picture(4, 9, 1, MAE_PIXEL_U8, 3);
    MaeImage across = moved(&img, mae_affine_shear(2.0, 0.0), (MaeFilter)_i);
    MaeImage down = moved(&img, mae_affine_shear(0.0, -2.0), (MaeFilter)_i);

    for (size_t y = 0; y < 4; y++) {
        for (size_t x = 0; x < 9; x++) {
            const size_t right = x + 2 * y + 1, up = 2 * x + 1; /* of the centre */

            ck_assert_uint_eq(sample(&across, y, x, 0),
                              right < 9 ? sample(&img, y, right, 0) : fill[0]);
            ck_assert_uint_eq(sample(&down, y, x, 0),
                              y >= up ? sample(&img, y - up, x, 0) : fill[0]);
        }
    }
    mae_image_done(&img);
    mae_image_done(&across);
    mae_image_done(&down);
}
END_TEST

/* Small images have more taps than pixels; far away everything is fill. */
START_TEST(any_size_and_distance)
{
    static const size_t sides[][2] = {{1, 1}, {1, 2}, {3, 1}, {2, 2}, {17, 3}};

    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const size_t height = sides[i][0], width = sides[i][1], n = height * width;
        const MaeAffine ways[] = {
            mae_affine_rotation(33.0, height, width), mae_affine_shear(0.7, 0.0),
            mae_affine_translation(0.4, -0.4), mae_affine_translation(1e300, 0.0),
            mae_affine_translation(0.0, (double)NAN)};
        MaeImage img = fixture_picture(height, width, 1, MAE_PIXEL_U8, i);

        memset(img.data, 200, n);
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            MaeImage out = moved(&img, ways[w], (MaeFilter)_i);

            for (size_t k = 0; k < n; k++) {
                const uint8_t v = ((uint8_t *)out.data)[k];

                ck_assert(v == fill[0] || (w < 3 && v == 200));
            }
            mae_image_done(&out);
        }
        mae_image_done(&img);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_affine");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, whole_pixels_are_copied, 0, 2);
    tcase_add_loop_test(tc, quarter_turns_are_exact, 0, 2);
    tcase_add_loop_test(tc, halves_of_pixels, 0, 2);
    tcase_add_test(tc, overshoot_is_clipped);
    tcase_add_loop_test(tc, shear_moves_rows_or_columns, 0, 2);
    tcase_add_loop_test(tc, any_size_and_distance, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
