#include "eval/canvas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/file.h"
#include "support/picture.h"
#include "support/test.h"

static const uint8_t RED[3] = {255, 0, 0}, WHITE[3] = {255, 255, 255};

static const uint8_t *at(const MaeImage *canvas, size_t y, size_t x)
{
    return (const uint8_t *)canvas->data + (y * canvas->width + x) * 3;
}

START_TEST(palette_is_as_documented)
{
    const MaePalette up = {MAE_COLOURS_SEQUENTIAL, -1.0f, 1.0f};
    const MaePalette around = {MAE_COLOURS_DIVERGING, -2.0f, 2.0f};
    const MaePalette flat = {MAE_COLOURS_DIVERGING, 3.0f, 3.0f};
    uint8_t rgb[3];
    double before = -1.0;

    for (int i = -4; i <= 4; i++) { /* brightness rises, ends are held */
        mae_palette_colour(&up, (float)i / 2.0f, rgb);
        const double grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];

        if (i <= -2 || i > 2)
            ck_assert_mem_eq(
                rgb, i < 0 ? ((uint8_t[]){68, 1, 84}) : ((uint8_t[]){253, 231, 37}), 3);
        else
            ck_assert_double_gt(grey, before);
        before = grey;
    }
    mae_palette_colour(&around, 0.0f, rgb);
    ck_assert_mem_eq(rgb, WHITE, 3);
    mae_palette_colour(&around, -1.0f, rgb); /* half way from white to blue */
    ck_assert_mem_eq(rgb, ((uint8_t[]){144, 166, 206}), 3);
    mae_palette_colour(&flat, 3.0f, rgb);
    ck_assert_mem_eq(rgb, WHITE, 3);
    mae_palette_colour(&around, NAN, rgb);
    ck_assert_mem_eq(rgb, ((uint8_t[]){128, 128, 128}), 3);
}
END_TEST

START_TEST(palette_fits_finite_values)
{
    const float values[] = {3.0f, NAN, -5.0f, INFINITY, 2.0f};
    MaePalette fit = mae_palette_fit(MAE_COLOURS_SEQUENTIAL, values, 5);

    ck_assert(fit.low == -5.0f && fit.high == 3.0f);
    fit = mae_palette_around_zero(values, 5);
    ck_assert(fit.low == -5.0f && fit.high == 5.0f);
    fit = mae_palette_fit(MAE_COLOURS_SEQUENTIAL, values + 1, 1);
    ck_assert(fit.low == 0.0f && fit.high == 1.0f);
}
END_TEST

/* 1, 3 and 5 channels, enlarged, cut off at the right and bottom edges. */
START_TEST(images_are_drawn_pixel_by_pixel)
{
    const size_t channels = (size_t[]){1, 3, 5}[_i], scale = 3;
    float image[5 * 2 * 4];
    MaeImage canvas = {0};
    MaeError err = {0};

    for (size_t i = 0; i < 40; i++)
        image[i] = (float)(i * 6) / 255.0f;
    ck_assert_ok(mae_canvas_open(&canvas, 8, 14, &err));
    mae_canvas_image(&canvas, 5, 4, scale, image, channels, 2, 4);
    for (size_t i = 0; i < 8 * 14; i++) {
        const size_t y = i / 14, x = i % 14, v = (y - 5) / scale, u = (x - 4) / scale;

        for (size_t c = 0; c < 3; c++) {
            double want = 255.0;

            if (y >= 5 && x >= 4 && channels == 3)
                want = (double)(c * 8 + v * 4 + u) * 6.0;
            else if (y >= 5 && x >= 4) /* the mean of the channels */
                want = (double)((channels - 1) * 4 + v * 4 + u) * 6.0;
            ck_assert_double_eq_tol(at(&canvas, y, x)[c], want, 0.501);
        }
    }
    mae_image_done(&canvas);
}
END_TEST

START_TEST(values_outside_are_held)
{
    const float pixel[3] = {-1.0f, 2.0f, NAN};
    uint8_t rgb[3];

    mae_canvas_pixel(rgb, pixel, 3, 1);
    ck_assert_mem_eq(rgb, ((uint8_t[]){0, 255, 128}), 3);
}
END_TEST

START_TEST(maps_and_frames)
{
    const float map[2] = {0.0f, 1.0f};
    const MaePalette palette = {MAE_COLOURS_SEQUENTIAL, 0.0f, 1.0f};
    MaeImage canvas = {0};
    MaeError err = {0};

    ck_assert_ok(mae_canvas_open(&canvas, 6, 9, &err));
    mae_canvas_map(&canvas, 1, 2, 2, map, 1, 2, &palette);
    ck_assert_mem_eq(at(&canvas, 2, 3), ((uint8_t[]){68, 1, 84}), 3);
    ck_assert_mem_eq(at(&canvas, 1, 4), ((uint8_t[]){253, 231, 37}), 3);
    ck_assert_mem_eq(at(&canvas, 3, 4), WHITE, 3);
    mae_canvas_frame(&canvas, (MaeBox){0, 1, 6, 5}, 1, RED);
    for (size_t y = 0; y < 6; y++) {
        for (size_t x = 0; x < 9; x++) {
            const bool edge = x >= 1 && x <= 5 && (y == 0 || y == 5 || x == 1 || x == 5);

            ck_assert_int_eq(memcmp(at(&canvas, y, x), RED, 3) == 0, edge);
        }
    }
    mae_image_done(&canvas);
}
END_TEST

START_TEST(is_written_as_png)
{
    char path[512], *folder = mae_test_folder();
    MaeImage canvas = {0}, back;
    MaeError err = {0};

    snprintf(path, sizeof path, "%s/canvas.png", folder);
    ck_assert_ok(mae_canvas_open(&canvas, 3, 5, &err));
    mae_canvas_fill(&canvas, (MaeBox){1, 1, 1, 9}, RED);
    ck_assert_ok(mae_canvas_write(&canvas, path, &err));
    back = test_picture(path);
    ck_assert(back.height == 3 && back.width == 5 && back.channels == 3);
    ck_assert_mem_eq(back.data, canvas.data, 45);
    ck_assert_fails(mae_canvas_open(&canvas, 0, 5, &err), MAE_ERR_SHAPE, "0");
    mae_image_done(&back);
    mae_image_done(&canvas);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(small_pictures_are_enlarged)
{
    ck_assert_uint_eq(mae_canvas_scale(28, 14, 112), 4);
    ck_assert_uint_eq(mae_canvas_scale(24, 40, 112), 3);
    ck_assert_uint_eq(mae_canvas_scale(112, 1, 112), 1);
    ck_assert_uint_eq(mae_canvas_scale(224, 224, 112), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_canvas");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, palette_is_as_documented);
    tcase_add_test(tc, palette_fits_finite_values);
    tcase_add_loop_test(tc, images_are_drawn_pixel_by_pixel, 0, 3);
    tcase_add_test(tc, values_outside_are_held);
    tcase_add_test(tc, maps_and_frames);
    tcase_add_test(tc, is_written_as_png);
    tcase_add_test(tc, small_pictures_are_enlarged);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
