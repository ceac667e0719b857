#include "eval/ensemble.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/quality.h"
#include "viewer_fixture.h"

enum { MASKS = 11, SEED = 7 };

/* Predictions of one mask, as the viewer shows them. */
typedef struct Shown {
    float *predicted;     /* [N,C,H,W] */
    unsigned char *masks; /* [N,L] */
    double *losses;       /* [N] */
} Shown;

static MaeStatus keep(void *ctx, const MaeView *view, MaeError *err)
{
    Shown *s = ctx;

    (void)err;
    memcpy(s->predicted + view->index * VIEW_VALUES, view->pictures->predicted,
           VIEW_VALUES * sizeof(float));
    memcpy(s->masks + view->index * VIEW_PATCHES, view->mask, VIEW_PATCHES);
    s->losses[view->index] = view->loss;
    return MAE_OK;
}

/* Mask k: turned k % cover times from the mask of epoch k / cover. */
static void show(TestViewer *v, Shown shown[MASKS], double ratio)
{
    MaeMaskSet set;
    MaeError err = {0};

    ck_assert_ok(mae_maskset_open(&set, MAE_MASK_RANDOM, &v->model.arch.grid, ratio,
                                  VIEW_COUNT, NULL, &err));
    for (size_t k = 0; k < MASKS; k++) {
        const size_t cover = mae_mask_cover(&set.mask);

        shown[k].predicted = mae_test_alloc((size_t)VIEW_COUNT * VIEW_VALUES * 4);
        shown[k].masks = mae_test_alloc((size_t)VIEW_COUNT * VIEW_PATCHES);
        shown[k].losses = mae_test_alloc(VIEW_COUNT * sizeof(double));
        mae_maskset_draw(&set, SEED, (uint32_t)(k / cover), NULL, VIEW_COUNT);
        for (size_t i = 0; i < VIEW_COUNT; i++)
            mae_mask_turn(&set.mask, i, k % cover);
        ck_assert_ok(mae_viewer_show(&v->viewer, &set.mask, keep, &shown[k], &err));
    }
    mae_maskset_close(&set);
}

static void shown_free(Shown shown[MASKS])
{
    for (size_t k = 0; k < MASKS; k++) {
        free(shown[k].predicted);
        free(shown[k].masks);
        free(shown[k].losses);
    }
}

/* Mean and deviation of one value in two passes. @return masks that hide it. */
static size_t reference(const Shown *shown, size_t masks, size_t image, size_t l,
                        size_t at, double *mean, double *std)
{
    size_t times = 0;

    *mean = *std = 0.0;
    for (size_t k = 0; k < masks; k++)
        if (shown[k].masks[image * VIEW_PATCHES + l] != 0) {
            *mean += (double)shown[k].predicted[image * VIEW_VALUES + at];
            times++;
        }
    *mean /= (double)times;
    for (size_t k = 0; k < masks; k++)
        if (shown[k].masks[image * VIEW_PATCHES + l] != 0)
            *std += pow((double)shown[k].predicted[image * VIEW_VALUES + at] - *mean, 2);
    *std = sqrt(*std / (double)times);
    return times;
}

static void compare(const MaeEnsemble *e, const Shown *shown)
{
    for (size_t image = 0; image < VIEW_COUNT; image++)
        for (size_t pixel = 0; pixel < VIEW_PLANE; pixel++) {
            const size_t l =
                pixel / VIEW_WIDTH / VIEW_PATCH * 5 + pixel % VIEW_WIDTH / VIEW_PATCH;
            const size_t at = image * VIEW_PLANE + pixel;
            double spread = 0.0, error = 0.0;

            for (size_t c = 0; c < VIEW_CHANNELS; c++) {
                const size_t value = c * VIEW_PLANE + pixel;
                const size_t place = image * VIEW_VALUES + value;
                double mean, std;
                const size_t times =
                    reference(shown, e->masks, image, l, value, &mean, &std);

                ck_assert(times >= e->least && times <= e->most);
                ck_assert_double_eq_tol((double)e->mean[place], mean, 1e-6);
                spread += std / VIEW_CHANNELS;
                error += fabs(mean - (double)e->original[place]) / VIEW_CHANNELS;
            }
            ck_assert_double_eq_tol((double)e->std[at], spread, 1e-6);
            ck_assert_double_eq_tol((double)e->error[at], error, 1e-6);
        }
}

/* Means and deviations equal a plain reference; so do the scores. */
START_TEST(equals_a_plain_reference)
{
    static const double ratios[] = {0.75, 0.5, 0.3};
    static const size_t least[] = {8, 3, 3}, most[] = {9, 8, 4};
    Shown shown[MASKS];
    MaeError err = {0};
    MaeEnsemble e;
    TestViewer v;

    test_viewer_open(&v, _i == 0, false, 2);
    show(&v, shown, ratios[_i]);
    ck_assert_ok(mae_ensemble_run(&e, &v.viewer, ratios[_i], MASKS, SEED, &err));
    ck_assert_uint_eq(e.masks, MASKS);
    ck_assert_uint_ge(e.least, least[_i]);
    ck_assert_uint_le(e.most, most[_i]);
    compare(&e, shown);
    for (size_t i = 0; i < VIEW_COUNT; i++) {
        double loss = 0.0;

        for (size_t k = 0; k < MASKS; k++)
            loss += shown[k].losses[i] / MASKS;
        ck_assert_double_eq_tol(e.scores[i].mean.loss, loss, 1e-12);
        ck_assert_double_eq(e.scores[i].mean.psnr,
                            mae_quality_psnr(e.mean + i * VIEW_VALUES,
                                             e.original + i * VIEW_VALUES, NULL,
                                             &e.grid));
        ck_assert(fabs(e.scores[i].correlation) <= 1.0 && e.scores[i].std > 0.0);
    }
    shown_free(shown);
    mae_ensemble_close(&e);
    test_viewer_close(&v);
}
END_TEST

/* One cover with every patch hidden once is each patch's own prediction. */
START_TEST(one_cover_is_put_together)
{
    Shown shown[MASKS];
    MaeError err = {0};
    MaeEnsemble e;
    TestViewer v;

    test_viewer_open(&v, false, false, 2);
    show(&v, shown, 1.0 / 3.0); /* 5 of 15 patches hidden in each of three masks */
    ck_assert_ok(mae_ensemble_run(&e, &v.viewer, 1.0 / 3.0, 0, SEED, &err));
    ck_assert(e.cover == 3 && e.masks == 3 && e.visible == 10);
    ck_assert(e.least == 1 && e.most == 1);
    for (size_t i = 0; i < (size_t)VIEW_COUNT * VIEW_VALUES; i++) {
        const size_t pixel = i % VIEW_PLANE, image = i / VIEW_VALUES;
        const size_t l =
            pixel / VIEW_WIDTH / VIEW_PATCH * 5 + pixel % VIEW_WIDTH / VIEW_PATCH;
        size_t k = 0;

        while (shown[k].masks[image * VIEW_PATCHES + l] == 0)
            k++;
        ck_assert_uint_lt(k, 3);
        ck_assert(e.mean[i] == shown[k].predicted[i]);
    }
    for (size_t i = 0; i < (size_t)VIEW_COUNT * VIEW_PLANE; i++)
        ck_assert(e.std[i] == 0.0f);
    ck_assert(isnan(e.scores[0].correlation));
    shown_free(shown);
    mae_ensemble_close(&e);
    test_viewer_close(&v);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same)
{
    const size_t bytes = (size_t)VIEW_COUNT * VIEW_VALUES * sizeof(float);
    MaeEnsemble a, b;
    MaeError err = {0};
    TestViewer one, more;

    test_viewer_open(&one, true, false, 1);
    test_viewer_open(&more, true, false, 5);
    ck_assert_ok(mae_ensemble_run(&a, &one.viewer, 0.75, MASKS, SEED, &err));
    ck_assert_ok(mae_ensemble_run(&b, &more.viewer, 0.75, MASKS, SEED, &err));
    ck_assert_mem_eq(a.mean, b.mean, bytes);
    ck_assert_mem_eq(a.std, b.std, bytes / VIEW_CHANNELS);
    ck_assert_mem_eq(a.scores, b.scores, VIEW_COUNT * sizeof *a.scores);
    mae_ensemble_close(&a);
    mae_ensemble_close(&b);
    test_viewer_close(&one);
    test_viewer_close(&more);
}
END_TEST

/* Panels show what their header says, in the colours of the palettes. */
START_TEST(sheets_show_images_and_maps)
{
    const size_t image = 11, pixel = 3 * VIEW_WIDTH + 6;
    MaePalette palette;
    MaePanels panels;
    MaeError err = {0};
    MaeEnsemble e;
    TestViewer v;
    uint8_t rgb[3];

    test_viewer_open(&v, true, false, 2);
    ck_assert_ok(mae_ensemble_run(&e, &v.viewer, 0.75, MASKS, SEED, &err));
    for (int sheet = MAE_ENSEMBLE_MEAN; sheet <= MAE_ENSEMBLE_SPREAD; sheet++) {
        const size_t columns = sheet == MAE_ENSEMBLE_SPREAD ? 4 : 3;
        const uint8_t *at;
        size_t step;

        ck_assert_ok(mae_ensemble_sheet(&panels, &e, (MaeEnsembleSheet)sheet, &err));
        step = (VIEW_WIDTH * panels.scale + 4) * 3;
        ck_assert_uint_eq(panels.canvas.width * 3, columns * step - 12);
        at = (const uint8_t *)panels.canvas.data +
             ((image * (VIEW_HEIGHT * panels.scale + 4) + 3 * panels.scale) *
                  panels.canvas.width +
              6 * panels.scale) *
                 3;
        mae_canvas_pixel(rgb, e.original + image * VIEW_VALUES + pixel, 3, VIEW_PLANE);
        ck_assert_mem_eq(at, rgb, 3);
        mae_canvas_pixel(rgb, e.mean + image * VIEW_VALUES + pixel, 3, VIEW_PLANE);
        ck_assert_mem_eq(at + step, rgb, 3);
        palette = mae_ensemble_palette(&e, e.std);
        mae_palette_colour(&palette, e.std[image * VIEW_PLANE + pixel], rgb);
        if (sheet == MAE_ENSEMBLE_SPREAD)
            ck_assert_mem_eq(at + 2 * step, rgb, 3);
        palette = mae_ensemble_palette(&e, e.error);
        ck_assert(palette.low == 0.0f && palette.high > 0.0f);
        mae_palette_colour(&palette, e.error[image * VIEW_PLANE + pixel], rgb);
        ck_assert_mem_eq(at + (columns - 1) * step, rgb, 3);
        mae_panels_close(&panels);
    }
    mae_ensemble_close(&e);
    test_viewer_close(&v);
}
END_TEST

START_TEST(too_few_masks_are_refused)
{
    MaeError err = {0};
    MaeEnsemble e;
    TestViewer v;

    test_viewer_open(&v, true, false, 1);
    ck_assert_fails(mae_ensemble_run(&e, &v.viewer, 0.75, 4, SEED, &err), MAE_ERR_ARG,
                    "at least 5 masks");
    ck_assert_fails(mae_ensemble_run(&e, &v.viewer, 0.0, 0, SEED, &err), MAE_ERR_ARG,
                    "hides none of 15");
    ck_assert_fails(mae_ensemble_run(&e, &v.viewer, 1.0, 0, SEED, &err), MAE_ERR_ARG,
                    "ratio");
    v.w[v.model.decoder_pred.weight.off] = NAN;
    ck_assert_fails(mae_ensemble_run(&e, &v.viewer, 0.75, 0, SEED, &err), MAE_ERR_NUMERIC,
                    "prediction");
    ck_assert_ptr_null(e.mean);
    mae_ensemble_close(NULL);
    test_viewer_close(&v);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval ensemble");
    TCase *tc = tcase_create("ensemble");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, equals_a_plain_reference, 0, 3);
    tcase_add_test(tc, one_cover_is_put_together);
    tcase_add_test(tc, any_number_of_threads_gives_the_same);
    tcase_add_test(tc, sheets_show_images_and_maps);
    tcase_add_test(tc, too_few_masks_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
