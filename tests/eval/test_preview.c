#include "eval/preview.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/quality.h"
#include "eval/viewer.h"
#include "model/maskset.h"
#include "support/model.h"
#include "support/picture.h"
#include "support/test.h"

enum { COUNT = 5, HEIGHT = 8, WIDTH = 12, PATCH = 4, CHANNELS = 3 };
enum { PIXELS = CHANNELS * HEIGHT * WIDTH };

static const float data_mean[CHANNELS] = {0.5f, 0.4f, 0.3f};
static const float data_std[CHANNELS] = {0.2f, 0.25f, 0.3f};

/* A small model, images, masks and a folder for pictures. */
typedef struct Bench {
    MaeAutoencoder model;
    MaeAutoencoderRun run;
    TestCompute compute;
    MaeMaskSet masks;
    float *w, *images;
    char *folder, path[1100];
} Bench;

static void bench_open(Bench *b, bool norm_pix, double ratio, size_t batch)
{
    const MaeArch arch = {.grid = {CHANNELS, HEIGHT, WIDTH, PATCH},
                          .embed_dim = 8,
                          .depth = 1,
                          .heads = 2,
                          .mlp_ratio = 2.0,
                          .decoder_dim = 8,
                          .decoder_depth = 1,
                          .decoder_heads = 2,
                          .norm_pix_loss = norm_pix};
    MaeError err = {0};

    memset(b, 0, sizeof *b);
    test_compute_open(&b->compute, MAE_F32, 1);
    ck_assert_ok(mae_autoencoder_open(&b->model, &arch, &err));
    ck_assert_ok(mae_maskset_open(&b->masks, MAE_MASK_RANDOM, &arch.grid, ratio, COUNT,
                                  NULL, &err));
    mae_maskset_draw(&b->masks, 9, 0, NULL, COUNT);
    ck_assert_ok(mae_autoencoder_run_open(&b->run, &b->model, &b->compute.compute, batch,
                                          b->masks.mask.visible, MAE_PREDICT_ALL, false,
                                          &err));
    b->w = mae_test_alloc(b->model.table.total * sizeof *b->w);
    test_random_params(&b->model.table, b->w, 2);
    b->images = mae_test_normal((size_t)COUNT * PIXELS, 4, 0);
    b->folder = mae_test_folder();
    (void)snprintf(b->path, sizeof b->path, "%s/sheet.png", b->folder);
}

static void bench_close(Bench *b)
{
    mae_autoencoder_run_close(&b->run);
    mae_autoencoder_close(&b->model);
    mae_maskset_close(&b->masks);
    test_compute_close(&b->compute);
    mae_test_folder_remove(b->folder);
    free(b->images);
    free(b->w);
}

static MaeStatus write_sheet(Bench *b, MaePreviewScore *scores, bool oracle, float high,
                             MaeError *err)
{
    const MaePreviewSpec spec = {data_mean, data_std, 0.0f, high, oracle};

    return mae_preview_write(b->path, scores, &b->run, mae_weights_f32(b->w), b->images,
                             &b->masks.mask, COUNT, &spec, err);
}

/* The file is the sheet that the parts make, and scores are those of the pictures. */
START_TEST(draws_what_the_parts_make)
{
    const MaeDenorm denorm = _i == 0   ? MAE_DENORM_NONE
                             : _i == 1 ? MAE_DENORM_VISIBLE
                                       : MAE_DENORM_ORACLE;
    MaePreviewScore scores[COUNT];
    MaeReconstructSpec spec = {
        .denorm = denorm, .mean = data_mean, .std = data_std, .low = 0.0f, .high = 1.0f};
    MaeViewSheet sheet = {.scores = NULL};
    MaeImage got, *want = &sheet.panels.canvas;
    MaeReconstruct r;
    MaeError err = {0};
    Bench b;

    bench_open(&b, _i > 0, 0.5, COUNT);
    ck_assert_int_eq(mae_preview_denorm(&b.model, _i == 2), denorm);
    ck_assert_ok(write_sheet(&b, scores, _i == 2, 1.0f, &err));
    got = test_picture(b.path);
    spec.grid = b.model.arch.grid;
    ck_assert_ok(mae_reconstruct_open(&r, &spec, &err));
    ck_assert_ok(
        mae_panels_open(&sheet.panels, &spec.grid, COUNT, MAE_VIEW_PANELS, 0, &err));
    for (size_t i = 0; i < COUNT; i++) {
        const MaeMask mask = mae_mask_from(&b.masks.mask, i);
        const float *pred = b.run.pred + (i * (b.model.patches + 1) + 1) * b.model.values;

        ck_assert_ok(
            mae_reconstruct_image(&r, b.images + i * PIXELS, pred, mask.mask, &err));
        ck_assert_ok(mae_view_draw(&sheet, &(MaeView){i, &r, mask.mask, 0.0}, &err));
        ck_assert_double_eq(scores[i].psnr,
                            mae_quality_psnr(r.pasted, r.original, mask.mask, &r.grid));
        ck_assert(scores[i].ssim > -1.0 && scores[i].ssim < 1.0);
        ck_assert(scores[i].loss > 0.0 && isfinite(scores[i].loss));
    }
    ck_assert_uint_eq(got.height, want->height);
    ck_assert_uint_eq(got.width, want->width);
    ck_assert_uint_eq(got.channels, 3);
    ck_assert_mem_eq(got.data, want->data, got.height * mae_image_row_bytes(&got));
    mae_panels_close(&sheet.panels);
    mae_image_done(&got);
    mae_reconstruct_close(&r);
    bench_close(&b);
}
END_TEST

/* A run that takes two images at a time scores as one that takes all. */
START_TEST(any_batch_size_will_do)
{
    MaePreviewScore whole[COUNT], parts[COUNT];
    MaeError err = {0};
    double loss = 0.0;
    Bench b, few;

    bench_open(&b, true, 0.6, COUNT);
    bench_open(&few, true, 0.6, 2);
    ck_assert_ok(write_sheet(&b, whole, false, 1.0f, &err));
    ck_assert_ok(write_sheet(&few, parts, false, 1.0f, &err));
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_double_eq_tol(whole[i].psnr, parts[i].psnr, 1e-4);
        ck_assert_double_eq_tol(whole[i].ssim, parts[i].ssim, 1e-5);
        ck_assert_double_eq_tol(whole[i].loss, parts[i].loss, 1e-5 * whole[i].loss);
        loss += whole[i].loss / COUNT;
    }
    ck_assert_double_eq_tol(mae_autoencoder_forward(&b.run, mae_weights_f32(b.w),
                                                    b.images, &b.masks.mask, COUNT),
                            loss, 1e-9 * loss);
    ck_assert_ok(write_sheet(&b, NULL, false, 1.0f, &err));
    bench_close(&b);
    bench_close(&few);
}
END_TEST

/* Without a range, the darkest and brightest value of the images are black and white. */
START_TEST(range_from_the_images)
{
    MaeImage sheet;
    MaeError err = {0};
    size_t step;
    MaeMosaic panel;
    unsigned low = 255, high = 0;
    Bench b;

    bench_open(&b, false, 0.5, COUNT);
    for (size_t i = 0; i < (size_t)COUNT * PIXELS; i++)
        b.images[i] *= 1000.0f;
    ck_assert_ok(write_sheet(&b, NULL, false, 0.0f, &err));
    sheet = test_picture(b.path);
    panel = mae_panels_layout(&b.model.arch.grid, 1, 1, 0);
    step = mae_image_row_bytes(&sheet);
    for (size_t row = 0; row < sheet.height; row++)
        for (size_t i = step - 3 * panel.width; i < step; i++) {
            const unsigned v = ((const uint8_t *)sheet.data)[row * step + i];

            if (row % (panel.height + 4) >= panel.height)
                continue;
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
    ck_assert_uint_eq(low, 0);
    ck_assert_uint_eq(high, 255);
    /* A flat image has no range of its own. */
    memset(b.images, 0, (size_t)COUNT * PIXELS * sizeof *b.images);
    ck_assert_ok(write_sheet(&b, NULL, false, 0.0f, &err));
    mae_image_done(&sheet);
    bench_close(&b);
}
END_TEST

START_TEST(nothing_hidden_has_no_scores)
{
    MaePreviewScore scores[COUNT];
    MaeError err = {0};
    Bench b;

    bench_open(&b, false, 0.0, COUNT);
    ck_assert_ok(write_sheet(&b, scores, false, 1.0f, &err));
    ck_assert(isnan(scores[0].psnr) && isnan(scores[0].ssim) && isnan(scores[0].loss));
    bench_close(&b);
}
END_TEST

START_TEST(failures_leave_no_file)
{
    MaeError err = {0};
    Bench b;

    bench_open(&b, true, 0.5, COUNT);
    b.w[b.model.decoder_pred.weight.off] = NAN;
    ck_assert_fails(write_sheet(&b, NULL, false, 1.0f, &err), MAE_ERR_NUMERIC,
                    "prediction");
    ck_assert_int_ne(access(b.path, F_OK), 0);
    b.w[b.model.decoder_pred.weight.off] = 0.0f;
    ck_assert_fails(write_sheet(&b, NULL, false, -1.0f, &err), MAE_ERR_ARG, "low < high");
    (void)snprintf(b.path, sizeof b.path, "%s/none/sheet.png", b.folder);
    ck_assert_fails(write_sheet(&b, NULL, false, 1.0f, &err), MAE_ERR_IO, "none");
    bench_close(&b);
}
END_TEST

START_TEST(masks_are_those_of_the_seed)
{
    const MaePatchGrid grid = {CHANNELS, HEIGHT, WIDTH, PATCH};
    MaeMaskSet one = {0}, two = {0};
    MaeError err = {0};
    MaeMask rest;

    ck_assert_ok(mae_maskset_open(&one, MAE_MASK_GRID, &grid, 0.5, 3, NULL, &err));
    ck_assert_ok(mae_maskset_open(&two, MAE_MASK_GRID, &grid, 0.5, 1, NULL, &err));
    mae_maskset_draw(&one, 7, 0, NULL, 3);
    mae_mask_draw(&two.mask, 0, 7, 0, 2, two.scratch);
    rest = mae_mask_from(&one.mask, 2);
    ck_assert_mem_eq(rest.mask, two.mask.mask, two.mask.patches);
    ck_assert_mem_eq(rest.ids_keep, two.mask.ids_keep,
                     two.mask.visible * sizeof *rest.ids_keep);
    ck_assert_mem_eq(rest.ids_restore, two.mask.ids_restore,
                     two.mask.patches * sizeof *rest.ids_restore);
    mae_maskset_close(&one);
    mae_maskset_close(&one);
    mae_maskset_close(&two);
    mae_maskset_close(NULL);
    ck_assert_fails(mae_maskset_open(&one, MAE_MASK_GRID, &grid, 1.0, 3, NULL, &err),
                    MAE_ERR_ARG, "ratio");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval preview");
    TCase *tc = tcase_create("preview");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, draws_what_the_parts_make, 0, 3);
    tcase_add_test(tc, any_batch_size_will_do);
    tcase_add_test(tc, range_from_the_images);
    tcase_add_test(tc, nothing_hidden_has_no_scores);
    tcase_add_test(tc, failures_leave_no_file);
    tcase_add_test(tc, masks_are_those_of_the_seed);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
