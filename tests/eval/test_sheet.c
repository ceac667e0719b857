#include "eval/sheet.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

/* Pictures made by hand: the sheet reads only these fields. Loop: 1, 3, 5 channels. */
static MaeReconstruct pictures(const MaePatchGrid *grid)
{
    const size_t n = grid->channels * grid->height * grid->width;
    MaeReconstruct r = {.grid = *grid};
    float *block = mae_test_alloc(3 * n * sizeof *block);

    for (size_t i = 0; i < n; i++) {
        block[i] = (float)(i % 250) / 255.0f;
        block[n + i] = (float)(i % 199) / 255.0f;
        block[2 * n + i] = (float)(i % 97) / 255.0f;
    }
    r.original = block;
    r.predicted = block + n;
    r.pasted = block + 2 * n;
    return r;
}

/* The picture's pixel as the header says it is drawn. */
static double shown(const float *picture, const MaePatchGrid *g, size_t y, size_t x,
                    size_t channel)
{
    const size_t plane = g->height * g->width;
    double sum = 0.0;

    if (g->channels == 3)
        return 255.0 * (double)picture[channel * plane + y * g->width + x];
    for (size_t c = 0; c < g->channels; c++)
        sum += 255.0 * (double)picture[c * plane + y * g->width + x];
    return sum / (double)g->channels;
}

START_TEST(draws_every_pixel)
{
    const MaePatchGrid grid = {(size_t[]){1, 3, 5}[_i], 28, 14, 7};
    const unsigned char mask[8] = {1, 0, 0, 1, 1, 1, 0, 0};
    const size_t scale = 4, rows = 2, width = 4 * (14 * scale + 4) - 4;
    MaeReconstruct r = pictures(&grid);
    const float *panels[4] = {r.original, r.predicted, r.pasted, r.original};
    MaeImage sheet = {0};
    MaeError err = {0};

    ck_assert_ok(mae_sheet_reshape(&sheet, &grid, rows, &err));
    ck_assert_uint_eq(sheet.width, width);
    ck_assert_uint_eq(sheet.height, rows * (28 * scale + 4) - 4);
    ck_assert_uint_eq(sheet.channels, _i == 1 ? 3 : 1);
    mae_sheet_draw(&sheet, 1, &r, mask);
    for (size_t i = 0; i < sheet.height * width * sheet.channels; i++) {
        const size_t c = i % sheet.channels, y = i / sheet.channels / width;
        const size_t x = i / sheet.channels % width;
        const size_t panel = x / (14 * scale + 4), u = x % (14 * scale + 4) / scale;
        const size_t v = y < 28 * scale + 4 ? 28 : (y - 28 * scale - 4) / scale;
        double want = 255.0; /* the first row was not drawn, gaps are white */

        if (v < 28 && u < 14)
            want = panel == 0 && mask[v / 7 * 2 + u / 7] > 0
                       ? 128.0
                       : shown(panels[panel], &grid, v, u, c);
        ck_assert_double_eq_tol(((const uint8_t *)sheet.data)[i], want, 0.501);
    }
    mae_image_done(&sheet);
    free(r.original);
}
END_TEST

START_TEST(enlarges_small_images)
{
    static const struct {
        MaePatchGrid grid;
        size_t scale;
    } cases[] = {
        {{1, 28, 28, 4}, 4}, {{3, 32, 32, 4}, 4}, {{3, 24, 40, 8}, 3},
        {{3, 111, 1, 1}, 2}, {{3, 112, 1, 1}, 1}, {{3, 224, 224, 16}, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_uint_eq(mae_sheet_scale(&cases[i].grid), cases[i].scale);
}
END_TEST

START_TEST(refuses_impossible_sheets)
{
    const MaePatchGrid grid = {1, 224, 224, 16}, wide = {1, 1, SIZE_MAX / 4, 1};
    MaeImage sheet = {0};
    MaeError err = {0};

    ck_assert_fails(mae_sheet_reshape(&sheet, &grid, 0, &err), MAE_ERR_SHAPE, "0 rows");
    ck_assert_fails(mae_sheet_reshape(&sheet, &grid, SIZE_MAX / 200, &err), MAE_ERR_SHAPE,
                    "rows");
    ck_assert_fails(mae_sheet_reshape(&sheet, &wide, 1, &err), MAE_ERR_SHAPE, "fit");
    mae_image_done(&sheet);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_sheet");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, draws_every_pixel, 0, 3);
    tcase_add_test(tc, enlarges_small_images);
    tcase_add_test(tc, refuses_impossible_sheets);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
