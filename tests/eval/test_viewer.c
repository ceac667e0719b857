#include "eval/viewer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer_fixture.h"

/* What a callback heard. */
typedef struct Heard {
    size_t views, stop_at; /* fail at this view; 0: never */
    double loss[VIEW_COUNT];
    unsigned char first[VIEW_PATCHES]; /* mask of image 1 */
    float *predicted;                  /* [VIEW_COUNT,C,H,W] */
    size_t watched, total;
} Heard;

static MaeStatus hear(void *ctx, const MaeView *view, MaeError *err)
{
    Heard *h = ctx;

    ck_assert_uint_eq(view->index, h->views % VIEW_COUNT);
    h->loss[view->index] = view->loss;
    if (view->index == 1)
        memcpy(h->first, view->mask, VIEW_PATCHES);
    memcpy(h->predicted + view->index * VIEW_VALUES, view->pictures->predicted,
           VIEW_VALUES * sizeof(float));
    if (++h->views == h->stop_at)
        MAE_FAIL(err, MAE_ERR_IO, "enough");
    return MAE_OK;
}

static void watch(void *ctx, size_t done, size_t total)
{
    Heard *h = ctx;

    h->watched = done;
    h->total = total;
}

static void heard_open(Heard *h, TestViewer *v)
{
    *h = (Heard){.predicted =
                     mae_test_alloc((size_t)VIEW_COUNT * VIEW_VALUES * sizeof(float))};
    v->viewer.spec.watch = (MaeWatch){watch, h};
}

static void show(TestViewer *v, Heard *h, double ratio)
{
    MaeMaskSet masks;
    MaeError err = {0};

    ck_assert_ok(mae_maskset_open(&masks, MAE_MASK_RANDOM, &v->model.arch.grid, ratio,
                                  VIEW_COUNT, NULL, &err));
    mae_maskset_draw(&masks, 5, 0, NULL, VIEW_COUNT);
    ck_assert_ok(mae_viewer_show(&v->viewer, &masks.mask, hear, h, &err));
    ck_assert_mem_eq(h->first, masks.mask.mask + VIEW_PATCHES, VIEW_PATCHES);
    mae_maskset_close(&masks);
}

/* Losses are the model's, for masks of any size in turn; views are counted. */
START_TEST(shows_what_the_model_computes)
{
    static const double ratios[] = {0.75, 0.2, 0.75};
    MaeAutoencoderRun run;
    MaeMaskSet masks;
    MaeError err = {0};
    TestViewer v;
    Heard h;

    test_viewer_open(&v, _i == 1, false, 2);
    heard_open(&h, &v);
    mae_viewer_expect(&v.viewer, 3);
    for (size_t k = 0; k < 3; k++) {
        show(&v, &h, ratios[k]);
        ck_assert_ok(mae_maskset_open(&masks, MAE_MASK_RANDOM, &v.model.arch.grid,
                                      ratios[k], 1, NULL, &err));
        ck_assert_ok(mae_autoencoder_run_open(&run, &v.model, &v.compute.compute, 1,
                                              masks.mask.visible, MAE_PREDICT_ALL,
                                              MAE_KEEP_NOTHING, &err));
        for (size_t i = 0; i < VIEW_COUNT; i++) {
            mae_maskset_draw(&masks, 5, 0, &i, 1);
            ck_assert_double_eq_tol(mae_autoencoder_forward(&run, mae_weights_f32(v.w),
                                                            v.images + i * VIEW_VALUES,
                                                            &masks.mask, 1),
                                    h.loss[i], 1e-5 * h.loss[i]);
        }
        mae_autoencoder_run_close(&run);
        mae_maskset_close(&masks);
    }
    ck_assert_uint_eq(h.views, (size_t)3 * VIEW_COUNT);
    ck_assert_uint_eq(h.watched, h.views);
    ck_assert_uint_eq(h.total, h.views);
    show(&v, &h, 0.0);
    ck_assert(isnan(h.loss[3]));
    free(h.predicted);
    test_viewer_close(&v);
}
END_TEST

START_TEST(any_number_of_threads_shows_the_same)
{
    TestViewer one, more;
    Heard a, b;

    test_viewer_open(&one, true, false, 1);
    test_viewer_open(&more, true, false, 3);
    heard_open(&a, &one);
    heard_open(&b, &more);
    show(&one, &a, 0.6);
    show(&more, &b, 0.6);
    ck_assert_mem_eq(a.predicted, b.predicted,
                     (size_t)VIEW_COUNT * VIEW_VALUES * sizeof(float));
    ck_assert_mem_eq(a.loss, b.loss, sizeof a.loss);
    free(a.predicted);
    free(b.predicted);
    test_viewer_close(&one);
    test_viewer_close(&more);
}
END_TEST

START_TEST(failures_end_the_show)
{
    MaeMaskSet masks;
    MaeError err = {0};
    TestViewer v;
    Heard h;

    test_viewer_open(&v, false, false, 1);
    heard_open(&h, &v);
    h.stop_at = 3;
    ck_assert_ok(mae_maskset_open(&masks, MAE_MASK_RANDOM, &v.model.arch.grid, 0.5,
                                  VIEW_COUNT, NULL, &err));
    mae_maskset_draw(&masks, 5, 0, NULL, VIEW_COUNT);
    ck_assert_fails(mae_viewer_show(&v.viewer, &masks.mask, hear, &h, &err), MAE_ERR_IO,
                    "enough");
    ck_assert_uint_eq(h.views, 3);
    v.w[v.model.decoder_pred.weight.off] = NAN;
    ck_assert_fails(mae_viewer_show(&v.viewer, &masks.mask, hear, &h, &err),
                    MAE_ERR_NUMERIC, "prediction");
    mae_maskset_close(&masks);
    free(h.predicted);
    test_viewer_close(&v);
    mae_viewer_close(NULL);
}
END_TEST

/* Pictures made by hand: drawing reads only these fields. Loop: 1, 3, 5 channels. */
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
    MaeViewSheet made = {.scores = NULL};
    MaeImage sheet;
    MaeError err = {0};

    ck_assert_ok(mae_panels_open(&made.panels, &grid, rows, MAE_VIEW_PANELS, 0, &err));
    sheet = made.panels.canvas;
    ck_assert_uint_eq(sheet.width, width);
    ck_assert_uint_eq(sheet.height, rows * (28 * scale + 4) - 4);
    ck_assert_uint_eq(sheet.channels, 3);
    ck_assert_ok(mae_view_draw(&made, &(MaeView){1, &r, mask, 0.0}, &err));
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
    mae_panels_close(&made.panels);
    free(r.original);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval viewer");
    TCase *tc = tcase_create("viewer");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, shows_what_the_model_computes, 0, 2);
    tcase_add_test(tc, any_number_of_threads_shows_the_same);
    tcase_add_test(tc, failures_end_the_show);
    tcase_add_loop_test(tc, draws_every_pixel, 0, 3);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
