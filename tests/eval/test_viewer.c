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
                                              masks.mask.visible, MAE_KEEP_NOTHING,
                                              &err));
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

int main(void)
{
    Suite *suite = suite_create("eval viewer");
    TCase *tc = tcase_create("viewer");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, shows_what_the_model_computes, 0, 2);
    tcase_add_test(tc, any_number_of_threads_shows_the_same);
    tcase_add_test(tc, failures_end_the_show);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
