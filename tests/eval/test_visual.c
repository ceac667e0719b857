#include "eval/visual.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/mosaic.h"
#include "eval/patch_panel.h"
#include "eval/visual_positions.h"
#include "support/model.h"
#include "support/test.h"

enum { COUNT = 2 };

static MaeError err;

/* A model, another with its weights, images, and what views get to see of them. */
typedef struct Bench {
    TestCompute compute;
    MaeLoadedModel loaded[2];
    MaeGallery gallery;
    MaeVisualInput input;
} Bench;

static void bench_open(Bench *b, MaePatchGrid grid, MaeSnapshotKind kind)
{
    const size_t pixels = grid.channels * grid.height * grid.width;
    MaeArch arch = test_small_arch;

    arch.grid = grid;
    arch.classes = kind == MAE_SNAPSHOT_CLASSIFIER ? 3 : 0;
    memset(b, 0, sizeof *b);
    test_compute_open(&b->compute, MAE_F32, 1);
    b->gallery = (MaeGallery){
        .count = COUNT, .images = mae_test_normal(COUNT * pixels, 4, 0), .high = 1.0f};
    for (size_t m = 0; m < 2; m++) {
        MaeLoadedModel *l = &b->loaded[m];

        test_loaded_open(l, kind, &arch, m + 1);
        b->input.models[m] = mae_visual_model(m > 0 ? "second" : "first", l);
        b->input.models[m].gallery = &b->gallery;
    }
    b->input.model_count = 2;
    b->input.compute = &b->compute.compute;
    b->input.mask_ratio = 0.5;
}

static void bench_close(Bench *b)
{
    for (size_t m = 0; m < 2; m++)
        mae_loaded_model_close(&b->loaded[m]);
    free(b->gallery.images);
    test_compute_close(&b->compute);
}

static const MaeFigure *figure(const MaeFigures *figures, const char *file)
{
    for (size_t i = 0; i < figures->count; i++)
        if (strcmp(figures->items[i].file, file) == 0)
            return &figures->items[i];
    ck_abort_msg("no figure %s", file);
    return NULL;
}

/* Panels of a mosaic: 4 pixels between, 24 between models. */
static void check_size(const MaeFigures *figures, const char *file, MaeMosaic m)
{
    const MaeFigure *f = figure(figures, file);

    ck_assert_uint_eq(f->picture.height, m.rows * (m.height + 4) - 4);
    ck_assert_uint_eq(f->picture.width,
                      m.blocks * (m.columns * (m.width + 4) - 4) + (m.blocks - 1) * 24);
    ck_assert_str_ne(f->title, "");
    ck_assert_uint_lt(strlen(f->caption), sizeof f->caption - 1); /* nothing cut off */
    ck_assert(m.blocks == 1 || strstr(f->caption, "Left: first. Right: second.") != NULL);
}

/* Both kinds of model, one and two of them; 1, 3 and 5 channels, not square. */
START_TEST(every_view_draws_its_figures)
{
    static const size_t channels[] = {1, 3, 5};
    const MaePatchGrid grid = {channels[_i % 3], 6, 9, 3};
    const size_t models = 1 + (size_t)_i % 2;
    MaeFigures figures = {0};
    Bench b;

    bench_open(&b, grid, _i < 3 ? MAE_SNAPSHOT_AUTOENCODER : MAE_SNAPSHOT_CLASSIFIER);
    b.input.model_count = models;
    ck_assert_ok(mae_visual_check(&b.input, &err));
    for (size_t i = 0; mae_visuals[i] != NULL; i++)
        if (!(mae_visuals[i]->needs & MAE_VISUAL_NEEDS_DATA))
            ck_assert_ok(mae_visuals[i]->draw(&figures, &b.input, &err));
    check_size(&figures, "kernels.png", (MaeMosaic){24, 24, 3, 4, models, 0});
    check_size(&figures, "kernels-components.png",
               (MaeMosaic){57, 57, 3, 3 + (_i % 3 > 0), models, 0});
    check_size(&figures, "positions.png", (MaeMosaic){32, 48, 2, 3, models, 0});
    check_size(&figures, "attention.png", (MaeMosaic){66, 99, COUNT, 4, models, 0});
    check_size(&figures, "attention-rollout.png",
               (MaeMosaic){66, 99, COUNT, 3, models, 0});
    check_size(&figures, "features.png", (MaeMosaic){66, 99, COUNT, 5, models, 0});
    check_size(&figures, "features-norms.png", (MaeMosaic){66, 99, COUNT, 3, models, 0});
    mae_figures_done(&figures);
    bench_close(&b);
}
END_TEST

START_TEST(a_model_beside_itself_looks_the_same)
{
    MaeFigures figures = {0};
    Bench b;

    bench_open(&b, (MaePatchGrid){3, 8, 4, 4}, MAE_SNAPSHOT_AUTOENCODER);
    mae_loaded_model_init(&b.loaded[1], 1);
    for (size_t i = 0; i < 4; i++)
        ck_assert_ok(mae_visuals[i]->draw(&figures, &b.input, &err));
    for (size_t i = 0; i < figures.count; i++) {
        const MaeImage *p = &figures.items[i].picture;
        const size_t half = (p->width - 24) / 2 + 24; /* to the second block */

        for (size_t y = 0; y < p->height; y++)
            ck_assert_mem_eq((uint8_t *)p->data + y * p->width * 3,
                             (uint8_t *)p->data + (y * p->width + half) * 3,
                             (half - 24) * 3);
    }
    mae_figures_done(&figures);
    bench_close(&b);
}
END_TEST

START_TEST(positions_are_like_themselves)
{
    enum { L = 9, D = 8 };
    float *pos = mae_test_normal((size_t)L * D, 6, 0), maps[L][L];

    memset(pos + 4 * D, 0, D * sizeof *pos);
    for (size_t l = 0; l < L; l++)
        mae_position_similarity(maps[l], pos, L, D, l);
    for (size_t i = 0; i < L; i++) {
        ck_assert_double_eq_tol((double)maps[i][i], i == 4 ? 0.0 : 1.0, 1e-6);
        for (size_t j = 0; j < L; j++) {
            ck_assert(maps[i][j] == maps[j][i]);
            ck_assert_double_le(fabs((double)maps[i][j]), 1.0 + 1e-6);
        }
    }
    free(pos);
}
END_TEST

/* Large images are shrunk by a divisor of the patch; shading darkens patch by patch. */
START_TEST(panels_have_whole_patches)
{
    const float light[] = {1.0f, 0.0f, 0.5f, 1.0f};
    const MaeBox box = {0, 0, 96, 96};
    MaeImage canvas = {0};
    const uint8_t *pixels;
    MaePatchPanel panel;
    Bench b;

    bench_open(&b, (MaePatchGrid){1, 192, 192, 96}, MAE_SNAPSHOT_AUTOENCODER);
    for (size_t i = 0; i < (size_t)192 * 192; i++) /* 1 and 0 in turns: mean 0.5 */
        b.gallery.images[i] = i % 2 == 0 ? 2.0f : -2.0f;
    ck_assert_ok(mae_patch_panel_open(&panel, &b.input.models[0], &err));
    ck_assert_uint_eq(panel.cell, 48);
    ck_assert_uint_eq(panel.height, 96);
    ck_assert_ok(mae_canvas_open(&canvas, 96, 96, &err));
    mae_patch_panel_image(&panel, &canvas, box, b.gallery.images);
    mae_patch_panel_shade(&panel, &canvas, box, light);
    pixels = canvas.data;
    ck_assert_uint_eq(pixels[0], 128);
    ck_assert_uint_eq(pixels[3 * 95], 0);
    ck_assert_uint_eq(pixels[3 * (size_t)95 * 96], 64);
    mae_image_done(&canvas);
    mae_patch_panel_close(&panel);
    bench_close(&b);
}
END_TEST

START_TEST(wrong_input_is_refused)
{
    MaeFigures figures = {0};
    Bench a, b;

    bench_open(&a, (MaePatchGrid){1, 8, 8, 4}, MAE_SNAPSHOT_AUTOENCODER);
    bench_open(&b, (MaePatchGrid){3, 8, 8, 4}, MAE_SNAPSHOT_CLASSIFIER);
    a.input.layer = 3;
    ck_assert_fails(mae_visual_check(&a.input, &err), MAE_ERR_ARG,
                    "first: layer: expected 1 to 2, got 3");
    a.input.layer = 0;
    a.input.models[1] = b.input.models[1];
    ck_assert_fails(
        mae_visual_check(&a.input, &err), MAE_ERR_SHAPE,
        "second: expected images [1,8,8] in patches of 4 as first, got [3,8,8]");
    for (size_t i = 0; i < mae_snapshot_model_table(&b.loaded[0].model)->total; i++)
        b.loaded[0].weights[i] = NAN;
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(mae_visuals[i]->draw(&figures, &b.input, &err), MAE_ERR_NUMERIC);
    ck_assert_uint_eq(figures.count, 0);
    ck_assert_ptr_eq(mae_visual_find("positions"), &mae_visual_positions);
    ck_assert_ptr_null(mae_visual_find("position"));
    bench_close(&a);
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_visual");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 20);
    tcase_add_loop_test(tc, every_view_draws_its_figures, 0, 6);
    tcase_add_test(tc, a_model_beside_itself_looks_the_same);
    tcase_add_test(tc, positions_are_like_themselves);
    tcase_add_test(tc, panels_have_whole_patches);
    tcase_add_test(tc, wrong_input_is_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
