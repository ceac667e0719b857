#include "model/classifier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optim/clip.h"
#include "support/model.h"
#include "support/test.h"

static const char *const goldens[] = {"vit_global_pool.h5", "vit_cls_token.h5"};
static const char *const losses[] = {"ce", "label_smoothing_0.1", "soft_target"};

static MaeArch golden_arch(const char *path)
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
        .classes = (size_t)mae_test_h5_attr(path, "/", "num_classes"),
        .pooling = mae_test_h5_attr(path, "/", "global_pool") > 0.5 ? MAE_POOL_MEAN
                                                                    : MAE_POOL_CLS,
    };
}

typedef struct Bench {
    MaeClassifier model;
    MaeClassifierRun run;
    TestCompute compute;
    float *w, *dw, *images, *targets;
    const float *scales;
    size_t batch;
} Bench;

static void bench_open(Bench *bench, const MaeArch *arch, size_t batch, size_t threads)
{
    MaeError err = {0};

    memset(bench, 0, sizeof *bench);
    bench->batch = batch;
    test_compute_open(&bench->compute, MAE_F32, threads);
    ck_assert_ok(mae_classifier_open(&bench->model, arch, &err));
    ck_assert_ok(mae_classifier_run_open(&bench->run, &bench->model,
                                         &bench->compute.compute, batch, true, &err));
    bench->w = mae_test_alloc(bench->model.table.total * sizeof(float));
    bench->dw = mae_test_alloc(bench->model.table.total * sizeof(float));
    bench->targets = mae_test_alloc(batch * arch->classes * sizeof(float));
}

static void bench_close(Bench *bench)
{
    mae_classifier_run_close(&bench->run);
    mae_classifier_close(&bench->model);
    test_compute_close(&bench->compute);
    free(bench->w);
    free(bench->dw);
    free(bench->images);
    free(bench->targets);
}

static void golden_open(Bench *bench, const char *path, const char *loss)
{
    const MaeArch arch = golden_arch(path);
    char name[64];
    float *values;
    size_t n;

    bench_open(bench, &arch, (size_t)mae_test_h5_attr(path, "/", "batch"), 2);
    test_load_params(path, "params", &bench->model.table, bench->w);
    bench->images = mae_test_h5_floats(path, "images", &n);
    (void)snprintf(name, sizeof name, "%s/target", loss);
    if (mae_test_h5_exists(path, name)) {
        free(bench->targets);
        bench->targets = mae_test_h5_floats(path, name, &n);
        return;
    }
    values = mae_test_h5_floats(path, "labels", &n);
    for (size_t b = 0; b < n; b++) {
        const int64_t label = (int64_t)values[b];

        mae_classifier_targets(bench->targets + b * arch.classes, &label,
                               strcmp(loss, "ce") == 0 ? 0.0 : 0.1, 1, arch.classes);
    }
    free(values);
}

static void compare(const char *path, const char *group, const char *object,
                    const float *got, size_t n)
{
    char name[64];
    size_t count;
    float *want;

    (void)snprintf(name, sizeof name, "%s/%s", group, object);
    want = mae_test_h5_floats(path, name, &count);
    ck_assert_uint_eq(count, n);
    mae_test_close(name, got, want, n, 0.0, 1e-5);
    free(want);
}

START_TEST(equals_published_model)
{
    const char *path = mae_test_golden(goldens[_i / 3]);
    const char *group = losses[_i % 3];
    char name[64];
    Bench bench;
    float loss;

    golden_open(&bench, path, group);
    mae_classifier_forward(&bench.run, mae_weights_f32(bench.w), bench.images, NULL,
                           bench.batch);
    loss = (float)mae_classifier_loss(&bench.run, bench.targets, bench.batch, 1.0);
    compare(path, group, "logits", bench.run.logits,
            bench.batch * bench.model.arch.classes);
    compare(path, group, "loss", &loss, 1);
    mae_classifier_backward(&bench.run, bench.dw, mae_weights_f32(bench.w), NULL,
                            bench.batch);
    (void)snprintf(name, sizeof name, "%s/grads", group);
    test_compare_params(path, name, &bench.model.table, bench.dw, 0.0, 1e-4);
    bench_close(&bench);
}
END_TEST

START_TEST(three_steps_with_layer_decay)
{
    const char *path = mae_test_golden(goldens[_i]);
    const char *group = "adamw_layer_decay";
    const double lr = mae_test_h5_attr(path, group, "lr");
    const double max_norm = mae_test_h5_attr(path, group, "clip_grad");
    size_t steps, n;
    float *want_loss, *want_norm;
    TestAdamW adamw;
    MaeArena measure = mae_arena_measure(), arena = {0};
    MaeError err = {0};
    MaeClip clip;
    Bench bench;

    golden_open(&bench, path, "label_smoothing_0.1");
    want_loss = mae_test_h5_floats(path, "adamw_layer_decay/loss", &steps);
    want_norm = mae_test_h5_floats(path, "adamw_layer_decay/grad_norm", &n);
    test_adamw_open(
        &adamw, &bench.model.table,
        &(MaeOptimConfig){
            .name = "adamw",
            .beta1 = 0.9,
            .beta2 = 0.999,
            .eps = 1e-8,
            .groups = {.weight_decay = mae_test_h5_attr(path, group, "weight_decay"),
                       .layer_decay = mae_test_h5_attr(path, group, "layer_decay"),
                       .depth = bench.model.arch.depth}});
    mae_clip_define(&clip, &adamw.optim.tiles);
    mae_clip_reserve(&clip, &measure);
    ck_assert_ok(mae_arena_open(&arena, &measure, "clip", &err));
    mae_clip_reserve(&clip, &arena);
    for (size_t s = 0; s < steps; s++) {
        double norm = 0.0;
        float loss, rounded;

        memset(bench.dw, 0, bench.model.table.total * sizeof *bench.dw);
        mae_classifier_forward(&bench.run, mae_weights_f32(bench.w), bench.images, NULL,
                               bench.batch);
        loss = (float)mae_classifier_loss(&bench.run, bench.targets, bench.batch, 1.0);
        mae_test_close("loss", &loss, &want_loss[s], 1, 0.0, 2e-5);
        mae_classifier_backward(&bench.run, bench.dw, mae_weights_f32(bench.w), NULL,
                                bench.batch);
        ck_assert_ok(mae_clip_norm(&clip, &norm, NULL, bench.dw, 1.0, &err));
        rounded = (float)norm;
        mae_test_close("grad_norm", &rounded, &want_norm[s], 1, 0.0, 2e-5);
        mae_optim_step(&adamw.optim, NULL, bench.w, mae_operand_f32(bench.w), bench.dw,
                       lr, mae_clip_factor(norm, max_norm));
    }
    test_compare_after(path, "adamw_layer_decay/params_after", "params",
                       &bench.model.table, bench.w, lr * (double)steps);
    test_adamw_close(&adamw);
    mae_arena_close(&arena);
    free(want_loss);
    free(want_norm);
    bench_close(&bench);
}
END_TEST

static double loss_of(void *ctx, const float *w)
{
    Bench *bench = ctx;

    mae_classifier_forward(&bench->run, mae_weights_f32(w), bench->images, bench->scales,
                           bench->batch);
    return mae_classifier_loss(&bench->run, bench->targets, bench->batch, 1.0);
}

/* Odd shapes, both heads, with stochastic depth. */
START_TEST(gradients_match_finite_differences)
{
    static const MaeArch arches[] = {
        {.grid = {5, 35, 35, 5},
         .embed_dim = 12,
         .depth = 2,
         .heads = 3,
         .mlp_ratio = 2.0,
         .classes = 3,
         .pooling = MAE_POOL_MEAN},
        {.grid = {1, 24, 40, 8},
         .embed_dim = 8,
         .depth = 2,
         .heads = 2,
         .mlp_ratio = 1.5,
         .classes = 7,
         .pooling = MAE_POOL_CLS},
    };
    const MaeArch *arch = &arches[_i];
    const size_t samples[] = {5, 9, 2, 7};
    const int64_t labels[] = {0, 2, 1, 1};
    size_t dropped = 0;
    Bench bench;

    bench_open(&bench, arch, 4, 2);
    test_random_params(&bench.model.table, bench.w, 5);
    bench.images = mae_test_normal(
        4 * arch->grid.channels * arch->grid.height * arch->grid.width, 2, 2);
    mae_classifier_targets(bench.targets, labels, 0.1, 4, arch->classes);
    mae_classifier_drop_path(&bench.run, 0.5, 3, 1, samples, 4);
    for (size_t i = 0; i < 2 * arch->depth * 4; i++)
        dropped += bench.run.scales[i] < 0.5f;
    ck_assert(dropped > 0 && dropped < 8);
    bench.scales = bench.run.scales;
    (void)loss_of(&bench, bench.w);
    mae_classifier_backward(&bench.run, bench.dw, mae_weights_f32(bench.w), bench.scales,
                            4);
    test_finite_differences(&bench.model.table, bench.w, bench.dw, loss_of, &bench);
    bench_close(&bench);
}
END_TEST

START_TEST(drop_path_rates)
{
    const MaeArch arch = {.grid = {1, 4, 4, 4},
                          .embed_dim = 4,
                          .depth = 3,
                          .heads = 1,
                          .mlp_ratio = 1.0,
                          .classes = 2};
    enum { B = 4000 };
    size_t *samples = mae_test_alloc(B * sizeof *samples);
    Bench bench;

    bench_open(&bench, &arch, B, 1);
    for (size_t b = 0; b < B; b++)
        samples[b] = b;
    mae_classifier_drop_path(&bench.run, 0.4, 1, 2, samples, B);
    for (size_t i = 0; i < 6; i++) {
        const double rate = 0.4 * (double)(i / 2) / 2.0;
        double sum = 0.0;
        size_t zero = 0;

        for (size_t b = 0; b < B; b++) {
            sum += (double)bench.run.scales[i * B + b];
            zero += bench.run.scales[i * B + b] < 0.5f;
        }
        ck_assert_double_lt(fabs((double)zero / B - rate), 0.03);
        ck_assert_double_lt(fabs(sum / B - 1.0), 0.04);
    }
    free(samples);
    bench_close(&bench);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classifier");
    TCase *tc = tcase_create("golden");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, equals_published_model, 0, 6);
    tcase_add_loop_test(tc, three_steps_with_layer_decay, 0, 2);
    tcase_add_loop_test(tc, gradients_match_finite_differences, 0, 2);
    tcase_add_test(tc, drop_path_rates);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
