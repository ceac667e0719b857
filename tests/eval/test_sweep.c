#include "eval/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer_fixture.h"

static const double ratios[] = {0.2, 0.5, 0.8};

enum { STEPS = 3 };

static void run(MaeSweep *sweep, TestViewer *v, MaeMaskKind kind)
{
    MaeError err = {0};

    ck_assert_ok(mae_sweep_run(sweep, &v->viewer, kind, ratios, STEPS, 7, &err));
}

/* Masks are those of the seed at each ratio, each within the next. */
START_TEST(masks_are_nested)
{
    const MaeMaskKind kind = _i == 0 ? MAE_MASK_RANDOM : MAE_MASK_GRID;
    MaeError err = {0};
    MaeSweep s;
    TestViewer v;

    test_viewer_open(&v, true, false, 2);
    run(&s, &v, kind);
    for (size_t k = 0; k < STEPS; k++) {
        const unsigned char *masks = s.masks + k * VIEW_COUNT * VIEW_PATCHES;
        MaeMaskSet want;

        ck_assert_ok(
            mae_maskset_open(&want, kind, &s.grid, ratios[k], VIEW_COUNT, NULL, &err));
        mae_maskset_draw(&want, 7, 0, NULL, VIEW_COUNT);
        ck_assert_mem_eq(masks, want.mask.mask, (size_t)VIEW_COUNT * VIEW_PATCHES);
        ck_assert_uint_eq(s.hidden[k], want.mask.patches - want.mask.visible);
        for (size_t i = 0; k > 0 && i < (size_t)VIEW_COUNT * VIEW_PATCHES; i++)
            ck_assert(masks[i] >= masks[i - (size_t)VIEW_COUNT * VIEW_PATCHES]);
        mae_maskset_close(&want);
    }
    mae_sweep_close(&s);
    test_viewer_close(&v);
}
END_TEST

/* Each picture is that of its image and ratio. */
START_TEST(pictures_are_in_their_places)
{
    const size_t l = 7, corner = VIEW_PATCH * VIEW_WIDTH + 2 * VIEW_PATCH; /* row 1 */
    MaeSweep s;
    TestViewer v;

    test_viewer_open(&v, false, false, 2);
    run(&s, &v, MAE_MASK_RANDOM);
    for (size_t k = 0; k < STEPS; k++) {
        double loss = 0.0;

        for (size_t i = 0; i < VIEW_COUNT; i++) {
            const size_t place = k * VIEW_COUNT + i;
            const float *original = s.original + i * VIEW_VALUES;
            const float *predicted = s.predicted + place * VIEW_VALUES;
            const float *pasted = s.pasted + place * VIEW_VALUES;
            const bool hidden = s.masks[place * VIEW_PATCHES + l] != 0;
            const float want = fminf(
                fmaxf(v.images[i * VIEW_VALUES + corner] * 0.2f + 0.5f, 0.0f), 1.0f);

            ck_assert(fabsf(original[corner] - want) < 1e-6f);
            ck_assert(pasted[corner] == (hidden ? predicted[corner] : original[corner]));
            ck_assert(s.scores[place].loss > 0.0);
            loss += s.scores[place].loss / VIEW_COUNT;
        }
        ck_assert_double_eq_tol(s.means[k].loss, loss, 1e-12);
    }
    mae_sweep_close(&s);
    test_viewer_close(&v);
}
END_TEST

static const uint8_t *pixel(const MaePanels *p, size_t y, size_t x)
{
    return (const uint8_t *)p->canvas.data + (y * p->canvas.width + x) * 3;
}

/* The rows of a ratio are those of the sheet. */
START_TEST(sheet_is_made_of_the_steps)
{
    MaePanels sheet, steps[STEPS];
    MaeError err = {0};
    MaeSweep s;
    TestViewer v;
    size_t high, wide;

    test_viewer_open(&v, true, true, 2);
    run(&s, &v, MAE_MASK_RANDOM);
    ck_assert_ok(mae_sweep_sheet(&sheet, &s, &err));
    for (size_t k = 0; k < STEPS; k++)
        ck_assert_ok(mae_sweep_step(&steps[k], &s, k, &err));
    high = VIEW_HEIGHT * sheet.scale;
    wide = VIEW_WIDTH * sheet.scale;
    ck_assert_uint_eq(sheet.canvas.width, 4 * wide + 12);
    ck_assert_uint_eq(sheet.canvas.height,
                      VIEW_COUNT * (3 * high + 8) + (VIEW_COUNT - 1) * 16);
    for (size_t image = 0; image < VIEW_COUNT; image += 5)
        for (size_t k = 0; k < STEPS; k++)
            for (size_t y = 0; y < high; y++) {
                const size_t top = image * (3 * high + 8 + 16) + k * (high + 4);

                ck_assert_mem_eq(pixel(&sheet, top + y, 0),
                                 pixel(&steps[k], image * (high + 4) + y, 0),
                                 3 * sheet.canvas.width);
            }
    for (size_t k = 0; k < STEPS; k++)
        mae_panels_close(&steps[k]);
    mae_panels_close(&sheet);
    mae_sweep_close(&s);
    test_viewer_close(&v);
}
END_TEST

START_TEST(bad_sweeps_are_refused)
{
    static const double falling[] = {0.5, 0.25}, full[] = {0.5, 1.0};
    double many[MAE_SWEEP_MAX + 1] = {0};
    MaeError err = {0};
    MaeSweep s;
    TestViewer v;

    test_viewer_open(&v, true, false, 1);
    ck_assert_fails(mae_sweep_run(&s, &v.viewer, MAE_MASK_BLOCK, ratios, 3, 0, &err),
                    MAE_ERR_ARG, "not nested");
    ck_assert_fails(mae_sweep_run(&s, &v.viewer, MAE_MASK_GRID, falling, 2, 0, &err),
                    MAE_ERR_ARG, "got 0.25 after 0.5");
    ck_assert_fails(mae_sweep_run(&s, &v.viewer, MAE_MASK_GRID, full, 2, 0, &err),
                    MAE_ERR_ARG, "got 1");
    ck_assert_fails(mae_sweep_run(&s, &v.viewer, MAE_MASK_GRID, many, 33, 0, &err),
                    MAE_ERR_ARG, "got 33");
    ck_assert_fails(mae_sweep_run(&s, &v.viewer, MAE_MASK_GRID, many, 0, 0, &err),
                    MAE_ERR_ARG, "got 0");
    v.w[v.model.decoder_pred.weight.off] = NAN;
    ck_assert_fails(mae_sweep_run(&s, &v.viewer, MAE_MASK_GRID, ratios, 3, 0, &err),
                    MAE_ERR_NUMERIC, "prediction");
    ck_assert_ptr_null(s.pasted);
    mae_sweep_close(&s);
    mae_sweep_close(NULL);
    test_viewer_close(&v);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval sweep");
    TCase *tc = tcase_create("sweep");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, masks_are_nested, 0, 2);
    tcase_add_test(tc, pictures_are_in_their_places);
    tcase_add_test(tc, sheet_is_made_of_the_steps);
    tcase_add_test(tc, bad_sweeps_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
