#include "model/autoencoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/adamw.h"
#include "support/model.h"
#include "support/test.h"

static const char *const goldens[] = {"mae_rgb.h5", "mae_gray.h5"};

static MaeArch golden_arch(const char *path, bool norm_pix)
{
    const size_t size = (size_t)mae_test_h5_attr(path, "/", "img_size");

    return (MaeArch){
        .grid = {.channels = (size_t)mae_test_h5_attr(path, "/", "in_chans"),
                 .height = size,
                 .width = size,
                 .patch = (size_t)mae_test_h5_attr(path, "/", "patch_size")},
        .embed_dim = (size_t)mae_test_h5_attr(path, "/", "embed_dim"),
        .depth = (size_t)mae_test_h5_attr(path, "/", "depth"),
        .heads = (size_t)mae_test_h5_attr(path, "/", "num_heads"),
        .mlp_ratio = mae_test_h5_attr(path, "/", "mlp_ratio"),
        .decoder_dim = (size_t)mae_test_h5_attr(path, "/", "decoder_embed_dim"),
        .decoder_depth = (size_t)mae_test_h5_attr(path, "/", "decoder_depth"),
        .decoder_heads = (size_t)mae_test_h5_attr(path, "/", "decoder_num_heads"),
        .norm_pix_loss = norm_pix,
    };
}

/* A model with weights, memory and masks, ready to run. */
typedef struct Bench {
    MaeAutoencoder model;
    MaeAutoencoderRun run;
    TestCompute compute;
    MaeMask mask;
    MaeArena masks;
    MaeMaskScratch scratch;
    float *w, *dw;
    size_t batch;
} Bench;

static void bench_open(Bench *bench, const MaeArch *arch, double ratio, size_t batch,
                       size_t threads)
{
    const size_t p = arch->grid.patch;
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    memset(bench, 0, sizeof *bench);
    bench->batch = batch;
    test_compute_open(&bench->compute, MAE_F32, threads);
    ck_assert_ok(mae_autoencoder_open(&bench->model, arch, &err));
    ck_assert_ok(mae_mask_define(&bench->mask, MAE_MASK_RANDOM, arch->grid.height / p,
                                 arch->grid.width / p, ratio, &err));
    mae_mask_reserve(&bench->mask, &measure, batch);
    mae_mask_reserve_scratch(&bench->scratch, &bench->mask, &measure);
    ck_assert_ok(mae_arena_open(&bench->masks, &measure, "masks", &err));
    mae_mask_reserve(&bench->mask, &bench->masks, batch);
    mae_mask_reserve_scratch(&bench->scratch, &bench->mask, &bench->masks);
    ck_assert_ok(mae_autoencoder_run_open(&bench->run, &bench->model,
                                          &bench->compute.compute, batch,
                                          bench->mask.visible, true, &err));
    bench->w = mae_test_alloc(bench->model.table.total * sizeof(float));
    bench->dw = mae_test_alloc(bench->model.table.total * sizeof(float));
}

static void bench_close(Bench *bench)
{
    mae_autoencoder_run_close(&bench->run);
    mae_autoencoder_close(&bench->model);
    mae_arena_close(&bench->masks);
    test_compute_close(&bench->compute);
    free(bench->w);
    free(bench->dw);
}

static void set_noise(Bench *bench, const float *noise)
{
    for (size_t b = 0; b < bench->batch; b++)
        mae_mask_from_noise(&bench->mask, b, noise + b * bench->model.patches,
                            &bench->scratch);
}

static void compare(const char *path, const char *object, const float *got, size_t n)
{
    size_t count;
    float *want = mae_test_h5_floats(path, object, &count);

    ck_assert_uint_eq(count, n);
    mae_test_close(object, got, want, n, 0.0, 1e-5);
    free(want);
}

/* Rows of the class token are ours alone: the reference drops them. */
static float *without_class_rows(const float *rows, size_t batch, size_t patches,
                                 size_t values)
{
    float *out = mae_test_alloc(batch * patches * values * sizeof *out);

    for (size_t b = 0; b < batch; b++)
        memcpy(out + b * patches * values, rows + (b * (patches + 1) + 1) * values,
               patches * values * sizeof *out);
    return out;
}

START_TEST(equals_published_model)
{
    const char *path = mae_test_golden(goldens[_i / 2]);
    const char *group = _i % 2 ? "norm_pix_1" : "norm_pix_0";
    const MaeArch arch = golden_arch(path, _i % 2);
    size_t n, patches, values;
    float *images, *noise, *pred;
    char name[64];
    Bench bench;
    float loss;

    bench_open(&bench, &arch, mae_test_h5_attr(path, "/", "mask_ratio"),
               (size_t)mae_test_h5_attr(path, "/", "batch"), 2);
    patches = bench.model.patches;
    values = bench.model.values;
    test_load_params(path, "params", &bench.model.table, bench.w);
    images = mae_test_h5_floats(path, "images", &n);
    noise = mae_test_h5_floats(path, "noise", &n);
    set_noise(&bench, noise);
    loss = (float)mae_autoencoder_forward(&bench.run, mae_weights_f32(bench.w), images,
                                          &bench.mask, bench.batch);

    (void)snprintf(name, sizeof name, "%s/latent", group);
    compare(path, name, bench.run.latent.data,
            bench.batch * (bench.run.visible + 1) * arch.embed_dim);
    (void)snprintf(name, sizeof name, "%s/pred", group);
    pred = without_class_rows(bench.run.pred, bench.batch, patches, values);
    compare(path, name, pred, bench.batch * patches * values);
    (void)snprintf(name, sizeof name, "%s/loss", group);
    compare(path, name, &loss, 1);

    mae_autoencoder_backward(&bench.run, bench.dw, mae_weights_f32(bench.w), &bench.mask,
                             bench.batch, 1.0);
    (void)snprintf(name, sizeof name, "%s/grads", group);
    test_compare_params(path, name, &bench.model.table, bench.dw, 0.0, 1e-4);
    free(images);
    free(noise);
    free(pred);
    bench_close(&bench);
}
END_TEST

START_TEST(three_adamw_steps)
{
    const char *path = mae_test_golden(goldens[_i]);
    const MaeArch arch = golden_arch(path, true);
    size_t n, steps;
    float *images, *noise, *lr, *loss;
    double lr_sum = 0.0;
    TestAdamW adamw;
    Bench bench;

    bench_open(&bench, &arch, mae_test_h5_attr(path, "/", "mask_ratio"),
               (size_t)mae_test_h5_attr(path, "/", "batch"), 1);
    test_load_params(path, "params", &bench.model.table, bench.w);
    images = mae_test_h5_floats(path, "images", &n);
    noise = mae_test_h5_floats(path, "noise", &n);
    lr = mae_test_h5_floats(path, "adamw/lr", &steps);
    loss = mae_test_h5_floats(path, "adamw/loss", &n);
    test_adamw_open(
        &adamw, &bench.model.table,
        &(MaeOptimConfig){.name = "adamw",
                          .beta1 = 0.9,
                          .beta2 = 0.95,
                          .eps = 1e-8,
                          .groups = {.weight_decay = 0.05, .layer_decay = 1.0}});
    for (size_t s = 0; s < steps; s++) {
        float got;

        set_noise(&bench, noise + s * bench.batch * bench.model.patches);
        memset(bench.dw, 0, bench.model.table.total * sizeof *bench.dw);
        got = (float)mae_autoencoder_forward(&bench.run, mae_weights_f32(bench.w), images,
                                             &bench.mask, bench.batch);
        mae_test_close("loss", &got, &loss[s], 1, 0.0, 2e-5);
        mae_autoencoder_backward(&bench.run, bench.dw, mae_weights_f32(bench.w),
                                 &bench.mask, bench.batch, 1.0);
        mae_optim_step(&adamw.optim, NULL, bench.w, mae_operand_f32(bench.w), bench.dw,
                       (double)lr[s], 1.0);
        lr_sum += (double)lr[s];
    }
    test_compare_after(path, "adamw/params_after", "params", &bench.model.table, bench.w,
                       lr_sum);
    test_adamw_close(&adamw);
    free(images);
    free(noise);
    free(lr);
    free(loss);
    bench_close(&bench);
}
END_TEST

/* Odd shapes: 35 x 35 with patch 5 and 5 channels; 24 x 40 with patch 8; no block. */
static const MaeArch odd[] = {
    {.grid = {5, 35, 35, 5},
     .embed_dim = 12,
     .depth = 1,
     .heads = 3,
     .mlp_ratio = 2.0,
     .decoder_dim = 8,
     .decoder_depth = 1,
     .decoder_heads = 2,
     .norm_pix_loss = true},
    {.grid = {1, 24, 40, 8},
     .embed_dim = 8,
     .depth = 2,
     .heads = 2,
     .mlp_ratio = 1.5,
     .decoder_dim = 12,
     .decoder_depth = 2,
     .decoder_heads = 1,
     .norm_pix_loss = false},
    {.grid = {3, 8, 12, 4},
     .embed_dim = 4,
     .depth = 0,
     .heads = 1,
     .mlp_ratio = 4.0,
     .decoder_dim = 4,
     .decoder_depth = 1,
     .decoder_heads = 1,
     .norm_pix_loss = true},
};

static double loss_of(void *ctx, const float *w)
{
    Bench *bench = ctx;
    const MaePatchGrid *grid = &bench->model.arch.grid;
    float *images = mae_test_normal(
        bench->batch * grid->channels * grid->height * grid->width, 11, 3);
    const double loss = mae_autoencoder_forward(&bench->run, mae_weights_f32(w), images,
                                                &bench->mask, bench->batch);

    free(images);
    return loss;
}

START_TEST(gradients_match_finite_differences)
{
    float *noise;
    Bench bench;

    bench_open(&bench, &odd[_i], 0.6, 3, 2);
    test_random_params(&bench.model.table, bench.w, 7);
    noise = mae_test_normal(bench.batch * bench.model.patches, 11, 4);
    set_noise(&bench, noise);
    (void)loss_of(&bench, bench.w);
    mae_autoencoder_backward(&bench.run, bench.dw, mae_weights_f32(bench.w), &bench.mask,
                             bench.batch, 1.0);
    test_finite_differences(&bench.model.table, bench.w, bench.dw, loss_of, &bench);
    free(noise);
    bench_close(&bench);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    static const size_t threads[] = {1, 2, 3, 8};
    float *first = NULL;

    for (size_t t = 0; t < 4; t++) {
        const size_t batch = 50;
        const MaeArch arch = odd[1];
        const size_t pixels = arch.grid.channels * arch.grid.height * arch.grid.width;
        float *images = mae_test_normal(batch * pixels, 1, 2), *noise;
        Bench bench;

        bench_open(&bench, &arch, 0.5, batch, threads[t]);
        noise = mae_test_normal(batch * bench.model.patches, 1, 3);
        mae_autoencoder_init(&bench.model, bench.w, 3);
        set_noise(&bench, noise);
        (void)mae_autoencoder_forward(&bench.run, mae_weights_f32(bench.w), images,
                                      &bench.mask, batch);
        mae_autoencoder_backward(&bench.run, bench.dw, mae_weights_f32(bench.w),
                                 &bench.mask, batch, 1.0);
        if (first == NULL) {
            first = mae_test_alloc(bench.model.table.total * sizeof *first);
            memcpy(first, bench.dw, bench.model.table.total * sizeof *first);
        }
        ck_assert_mem_eq(first, bench.dw, bench.model.table.total * sizeof *first);
        free(images);
        free(noise);
        bench_close(&bench);
    }
    free(first);
}
END_TEST

/* Gradients add up over accumulation, and a run without backward gives the same loss. */
START_TEST(accumulates_and_infers)
{
    const MaeArch arch = odd[1];
    const size_t batch = 6, pixels = arch.grid.height * arch.grid.width;
    float *images = mae_test_normal(batch * pixels, 5, 2), *noise, *once;
    MaeAutoencoderRun infer;
    MaeError err = {0};
    double loss;
    Bench bench;

    bench_open(&bench, &arch, 0.75, batch, 2);
    noise = mae_test_normal(batch * bench.model.patches, 5, 3);
    mae_autoencoder_init(&bench.model, bench.w, 3);
    set_noise(&bench, noise);
    loss = mae_autoencoder_forward(&bench.run, mae_weights_f32(bench.w), images,
                                   &bench.mask, batch);
    mae_autoencoder_backward(&bench.run, bench.dw, mae_weights_f32(bench.w), &bench.mask,
                             batch, 0.5);
    once = mae_test_alloc(bench.model.table.total * sizeof *once);
    memcpy(once, bench.dw, bench.model.table.total * sizeof *once);
    (void)mae_autoencoder_forward(&bench.run, mae_weights_f32(bench.w), images,
                                  &bench.mask, batch);
    mae_autoencoder_backward(&bench.run, bench.dw, mae_weights_f32(bench.w), &bench.mask,
                             batch, 0.5);
    for (size_t i = 0; i < bench.model.table.total; i++)
        once[i] *= 2.0f;
    mae_test_close("accumulated", bench.dw, once, bench.model.table.total, 0.0, 1e-5);

    ck_assert_ok(mae_autoencoder_run_open(&infer, &bench.model, &bench.compute.compute,
                                          batch, bench.mask.visible, false, &err));
    ck_assert_uint_lt(infer.arena.size, bench.run.arena.size);
    ck_assert_double_eq(mae_autoencoder_forward(&infer, mae_weights_f32(bench.w), images,
                                                &bench.mask, batch),
                        loss);
    mae_autoencoder_run_close(&infer);
    free(once);
    free(images);
    free(noise);
    bench_close(&bench);
}
END_TEST

START_TEST(initial_weights)
{
    const MaeArch arch = odd[1];
    const MaeParamEntry *qkv, *pos;
    double sum = 0.0, bound;
    MaeAutoencoder model;
    MaeError err = {0};
    float *w, *again;

    ck_assert_ok(mae_autoencoder_open(&model, &arch, &err));
    w = mae_test_alloc(model.table.total * sizeof *w);
    again = mae_test_alloc(model.table.total * sizeof *w);
    mae_autoencoder_init(&model, w, 1);
    mae_autoencoder_init(&model, again, 1);
    ck_assert_mem_eq(w, again, model.table.total * sizeof *w);
    mae_autoencoder_init(&model, again, 2);
    qkv = mae_param_find(&model.table, "blocks.1.attn.qkv.weight");
    pos = mae_param_find(&model.table, "pos_embed");
    ck_assert(memcmp(w + qkv->at.off, again + qkv->at.off, qkv->at.count * sizeof *w) !=
              0);
    ck_assert_mem_eq(w + pos->at.off, again + pos->at.off, pos->at.count * sizeof *w);
    bound = sqrt(6.0 / (8.0 + 24.0));
    for (size_t i = 0; i < qkv->at.count; i++) {
        ck_assert_double_le(fabs((double)w[qkv->at.off + i]), bound);
        sum += (double)w[qkv->at.off + i] * (double)w[qkv->at.off + i];
    }
    /* Var of U(-a, a) is a^2 / 3. */
    ck_assert_double_lt(fabs(sum / (double)qkv->at.count - bound * bound / 3.0),
                        0.3 * bound * bound / 3.0);
    free(w);
    free(again);
    mae_autoencoder_close(&model);
}
END_TEST

START_TEST(impossible_shapes_are_refused)
{
    static const struct {
        MaeArch arch;
        const char *text;
    } cases[] = {
        {{.grid = {3, 30, 32, 4},
          .embed_dim = 8,
          .depth = 1,
          .heads = 2,
          .mlp_ratio = 4.0,
          .decoder_dim = 8,
          .decoder_depth = 1,
          .decoder_heads = 2},
         "30"},
        {{.grid = {3, 32, 32, 4},
          .embed_dim = 10,
          .depth = 1,
          .heads = 3,
          .mlp_ratio = 4.0,
          .decoder_dim = 8,
          .decoder_depth = 1,
          .decoder_heads = 2},
         "heads"},
        {{.grid = {3, 32, 32, 4},
          .embed_dim = 10,
          .depth = 1,
          .heads = 5,
          .mlp_ratio = 4.0,
          .decoder_dim = 8,
          .decoder_depth = 1,
          .decoder_heads = 2},
         "divisible by 4"},
        {{.grid = {3, 32, 32, 4},
          .embed_dim = 8,
          .depth = 1,
          .heads = 2,
          .mlp_ratio = 0.0,
          .decoder_dim = 8,
          .decoder_depth = 1,
          .decoder_heads = 2},
         "mlp_ratio"},
    };
    MaeAutoencoder model;
    MaeError err = {0};

    ck_assert_fails(mae_autoencoder_open(&model, &cases[_i].arch, &err), MAE_ERR_SHAPE,
                    cases[_i].text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("autoencoder");
    TCase *tc = tcase_create("golden");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, equals_published_model, 0, 4);
    tcase_add_loop_test(tc, three_adamw_steps, 0, 2);
    tcase_add_loop_test(tc, gradients_match_finite_differences, 0, 3);
    tcase_add_test(tc, threads_do_not_change_a_bit);
    tcase_add_test(tc, accumulates_and_infers);
    tcase_add_test(tc, initial_weights);
    tcase_add_loop_test(tc, impossible_shapes_are_refused, 0, 4);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
