#include "eval/panels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

/* 2 x 3 patches of 4 x 4 pixels, enlarged ten times. */
static const MaePatchGrid grid = {3, 8, 12, 4};

enum { SCALE = 10, HIGH = 80, WIDE = 120, PLANE = 8 * 12 };

static const uint8_t WHITE[3] = {255, 255, 255}, GREY[3] = {128, 128, 128};

static const uint8_t *at(const MaePanels *p, size_t y, size_t x)
{
    return (const uint8_t *)p->canvas.data + (y * p->canvas.width + x) * 3;
}

/* Gaps within and between groups of two rows stay white. */
START_TEST(panels_have_their_places)
{
    MaePanels p;
    MaeError err = {0};
    float image[3 * PLANE] = {0};

    ck_assert_ok(mae_panels_open(&p, &grid, 5, 2, 2, &err));
    ck_assert_uint_eq(p.scale, SCALE);
    ck_assert_uint_eq(p.canvas.width, 2 * WIDE + 4);
    ck_assert_uint_eq(p.canvas.height, 5 * HIGH + 4 + 16 + 4 + 16);
    image[2 * PLANE] = 1.0f; /* the first pixel is blue, the others black */
    mae_panels_image(&p, 2, 1, image, NULL);
    ck_assert_mem_eq(at(&p, 2 * HIGH + 20, WIDE + 4), ((uint8_t[]){0, 0, 255}), 3);
    ck_assert_mem_eq(at(&p, 2 * HIGH + 20 + SCALE, WIDE + 4), ((uint8_t[]){0, 0, 0}), 3);
    ck_assert_mem_eq(at(&p, 3 * HIGH + 19, 2 * WIDE + 3), ((uint8_t[]){0, 0, 0}), 3);
    ck_assert_mem_eq(at(&p, 2 * HIGH + 19, WIDE + 4), WHITE, 3);
    ck_assert_mem_eq(at(&p, 2 * HIGH + 20, WIDE + 3), WHITE, 3);
    ck_assert_mem_eq(at(&p, 3 * HIGH + 20, WIDE + 4), WHITE, 3);
    mae_panels_close(&p);
    ck_assert_ok(mae_panels_open(&p, &grid, 4, 1, 2, &err)); /* no gap behind the last */
    ck_assert_uint_eq(p.canvas.height, 4 * HIGH + 4 + 16 + 4);
    mae_panels_close(&p);
    mae_panels_close(NULL);
}
END_TEST

START_TEST(hidden_patches_are_grey)
{
    const unsigned char mask[6] = {0, 0, 0, 0, 1, 0}; /* row 1, column 1 */
    MaePanels p;
    MaeError err = {0};
    float image[3 * PLANE] = {0};

    ck_assert_ok(mae_panels_open(&p, &grid, 1, 1, 0, &err));
    mae_panels_image(&p, 0, 0, image, mask);
    for (size_t y = 0; y < HIGH; y++)
        for (size_t x = 0; x < WIDE; x++) {
            const bool hidden = y >= 40 && x >= 40 && x < 80;

            ck_assert_mem_eq(at(&p, y, x), hidden ? GREY : ((uint8_t[3]){0}), 3);
        }
    mae_panels_close(&p);
}
END_TEST

START_TEST(maps_are_coloured)
{
    const MaePalette palette = {MAE_COLOURS_SEQUENTIAL, 0.0f, 2.0f};
    MaePanels p;
    MaeError err = {0};
    float map[PLANE] = {0};
    uint8_t rgb[3];

    map[13] = 1.3f; /* row 1, column 1 */
    map[14] = NAN;
    ck_assert_ok(mae_panels_open(&p, &grid, 1, 2, 0, &err));
    mae_panels_map(&p, 0, 1, map, &palette);
    mae_palette_colour(&palette, 1.3f, rgb);
    ck_assert_mem_eq(at(&p, SCALE, WIDE + 4 + SCALE), rgb, 3);
    ck_assert_mem_eq(at(&p, SCALE, WIDE + 4 + 2 * SCALE), GREY, 3);
    mae_palette_colour(&palette, 0.0f, rgb);
    ck_assert_mem_eq(at(&p, 0, WIDE + 4), rgb, 3);
    mae_panels_close(&p);
}
END_TEST

START_TEST(small_images_are_enlarged)
{
    static const struct {
        MaePatchGrid grid;
        size_t scale;
    } cases[] = {
        {{1, 28, 28, 4}, 4}, {{3, 32, 32, 4}, 4}, {{3, 24, 40, 8}, 3},
        {{3, 111, 1, 1}, 2}, {{3, 112, 1, 1}, 1}, {{3, 224, 224, 16}, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_uint_eq(mae_panels_layout(&cases[i].grid, 1, 1, 0).height,
                          cases[i].grid.height * cases[i].scale);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    MaePanels p;
    MaeError err = {0};

    ck_assert_fails(mae_panels_open(&p, &grid, 0, 1, 0, &err), MAE_ERR_SHAPE, "0 x 1");
    ck_assert_fails(mae_panels_open(&p, &grid, 1, SIZE_MAX, 0, &err), MAE_ERR_SHAPE,
                    "do not fit");
    ck_assert_fails(
        mae_panels_open(&p, &(MaePatchGrid){1, 1, SIZE_MAX / 4, 1}, 1, 1, 0, &err),
        MAE_ERR_SHAPE, "do not fit");
    ck_assert_fails(mae_panels_open(&p, &grid, SIZE_MAX / 200, 1, 1, &err), MAE_ERR_SHAPE,
                    "do not fit");
    ck_assert_ptr_null(p.canvas.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval panels");
    TCase *tc = tcase_create("panels");

    tcase_add_test(tc, panels_have_their_places);
    tcase_add_test(tc, hidden_patches_are_grey);
    tcase_add_test(tc, maps_are_coloured);
    tcase_add_test(tc, small_images_are_enlarged);
    tcase_add_test(tc, what_does_not_fit_is_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
