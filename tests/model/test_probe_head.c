/* The head of a linear probe: four steps of LARS as the published code takes them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifier_fixture.h"
#include "kernel/rows.h"
#include "support/model.h"
#include "support/test.h"

/* Head and optimiser alone, on features from the golden file. */
typedef struct Probe {
    const char *path;
    MaeParamTable table;
    MaeBatchNorm bn;
    MaeLinear head;
    MaeBatchNormCache cache;
    MaeArena arena;
    MaeOptim optim;
    TestCompute compute;
    float *w, *dw, *features, *x, *logits, *targets;
    size_t steps, batch, width, classes;
} Probe;

static void reserve(void *ctx, MaeArena *arena)
{
    Probe *p = ctx;

    mae_batchnorm_reserve(&p->cache, arena, p->width);
    mae_optim_reserve(&p->optim, arena);
}

static void load(const Probe *p, const char *group, const char *name, float *to, size_t n)
{
    char path[96];
    float *values;
    size_t count;

    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    values = mae_test_h5_floats(p->path, path, &count);
    ck_assert_uint_eq(count, n);
    memcpy(to, values, n * sizeof *to);
    free(values);
}

/* Names of the file: the head alone, 0.* and 1.*. */
static void compare(const Probe *p, const char *name, const float *got, size_t n)
{
    float *want = mae_test_alloc(n * sizeof *want);

    load(p, "params_after", name, want, n);
    mae_test_close(name, got, want, n, 2e-5, 0.0);
    free(want);
}

static void probe_open(Probe *p)
{
    const MaeOptimConfig config = {
        .name = "lars",
        .beta1 = mae_test_h5_attr(mae_test_golden("linear_probe.h5"), "/", "momentum"),
        .eps = 1e-8,
        .groups = {.layer_decay = 1.0}};
    MaeError err = {0};
    size_t n;

    memset(p, 0, sizeof *p);
    p->path = mae_test_golden("linear_probe.h5");
    p->steps = 4;
    p->features = mae_test_h5_floats(p->path, "features", &n);
    free(mae_test_h5_floats(p->path, "labels", &p->batch));
    p->batch /= p->steps;
    p->width = n / p->steps / p->batch;
    free(mae_test_h5_floats(p->path, "params/1.bias", &p->classes));
    mae_batchnorm_define(&p->bn, &p->table, "head.0", p->width);
    mae_linear_define(&p->head, &p->table, "head.1", p->width, p->classes);
    ck_assert_ok(mae_optim_define(&p->optim, &p->table, &config, &err));
    test_carve(&p->arena, reserve, p);
    mae_optim_init(&p->optim);
    test_compute_open(&p->compute, MAE_F32, 1);
    p->w = mae_test_alloc(p->table.total * sizeof(float));
    p->dw = mae_test_alloc(p->table.total * sizeof(float));
    p->x = mae_test_alloc(p->batch * p->width * sizeof(float));
    p->logits = mae_test_alloc(p->batch * p->classes * sizeof(float));
    p->targets = mae_test_alloc(p->batch * p->classes * sizeof(float));
    mae_batchnorm_init(&p->bn, p->w);
    load(p, "params", "1.weight", p->w + p->head.weight.off, p->head.weight.count);
    load(p, "params", "1.bias", p->w + p->head.bias.off, p->classes);
}

static void probe_close(Probe *p)
{
    test_compute_close(&p->compute);
    mae_arena_close(&p->arena);
    mae_param_close(&p->table);
    free(p->w);
    free(p->dw);
    free(p->features);
    free(p->x);
    free(p->logits);
    free(p->targets);
}

static void head_forward(Probe *p)
{
    mae_linear_forward(&p->head, p->compute.gemm, mae_operand_f32(p->logits), p->x,
                       mae_weights_f32(p->w), NULL, p->batch);
}

/* One step; @return the loss before it. */
static double step(Probe *p, size_t index)
{
    const float *labels = NULL;
    float *all;
    double *losses = mae_test_alloc(p->batch * sizeof *losses), loss = 0.0;
    size_t n;
    const MaeWeightGrad job = {p->head.weight.off, p->width, p->classes,
                               p->logits,          p->x,     p->batch};

    all = mae_test_h5_floats(p->path, "labels", &n);
    labels = all + index * p->batch;
    for (size_t i = 0; i < p->batch; i++) {
        const int64_t label = (int64_t)labels[i];

        mae_classifier_targets(p->targets + i * p->classes, &label, 0.0, 1, p->classes);
    }
    mae_batchnorm_forward(&p->bn, p->x, &p->cache,
                          p->features + index * p->batch * p->width, p->batch, NULL);
    head_forward(p);
    mae_rows_cross_entropy(losses, p->logits, p->logits, p->targets,
                           1.0f / (float)p->batch, p->batch, p->classes);
    for (size_t i = 0; i < p->batch; i++)
        loss += losses[i] / (double)p->batch;
    memset(p->dw, 0, p->table.total * sizeof *p->dw);
    mae_weight_grad_run(&job, 1, &p->compute.compute, p->dw, MAE_GRAD_SET);
    mae_rows_colsum(p->dw + p->head.bias.off, mae_operand_view(p->logits), p->batch,
                    p->classes, p->classes);
    mae_batchnorm_track(&p->bn, p->dw, MAE_GRAD_SET, &p->cache, p->w);
    mae_optim_step(&p->optim, NULL, p->w, mae_operand_f32(p->w), p->dw,
                   mae_test_h5_attr(p->path, "/", "lr"), 1.0);
    free(all);
    free(losses);
    return loss;
}

START_TEST(four_steps)
{
    float *want, eval;
    Probe p;
    size_t n;

    probe_open(&p);
    want = mae_test_h5_floats(p.path, "loss", &n);
    ck_assert_uint_eq(n, p.steps);
    for (size_t s = 0; s < p.steps; s++) {
        eval = (float)step(&p, s);
        mae_test_close("loss", &eval, &want[s], 1, 0.0, 1e-5);
    }
    free(want);
    compare(&p, "0.running_mean", p.w + p.bn.mean.off, p.width);
    compare(&p, "0.running_var", p.w + p.bn.var.off, p.width);
    compare(&p, "0.num_batches_tracked", p.w + p.bn.batches.off, 1);
    compare(&p, "1.weight", p.w + p.head.weight.off, p.head.weight.count);
    compare(&p, "1.bias", p.w + p.head.bias.off, p.classes);
    mae_batchnorm_eval(&p.bn, p.x, p.features, p.w, p.batch);
    head_forward(&p);
    want = mae_test_h5_floats(p.path, "eval_logits", &n);
    mae_test_close("eval_logits", p.logits, want, n, 0.0, 1e-5);
    free(want);
    probe_close(&p);
}
END_TEST

/* A whole probe, its encoder frozen. */
enum { IMAGES = TEST_CLASSIFIER_IMAGES, CLASSES = 5 };

static const MaeArch arch = {.grid = {2, 20, 20, 5},
                             .embed_dim = 12,
                             .depth = 2,
                             .heads = 3,
                             .mlp_ratio = 2.0,
                             .classes = CLASSES,
                             .pooling = MAE_POOL_CLS,
                             .head = MAE_HEAD_BATCHNORM};

static void bench_open(TestClassifier *b, MaeDtype type, const MaeArch *of,
                       size_t threads)
{
    const TestClassifierOptions options = {type, 0, MAE_KEEP_ALL, 0.0, threads};

    test_classifier_open(b, of, &options);
}

static double loss_of(void *ctx, const float *w)
{
    TestClassifier *b = ctx;

    mae_classifier_forward_train(&b->run, mae_weights_f32(w), b->images, NULL, IMAGES);
    return mae_classifier_loss(&b->run, b->targets, IMAGES, 1.0);
}

static double bench_run(TestClassifier *b)
{
    double loss;

    memset(b->dw, 0, b->model.table.total * sizeof *b->dw);
    mae_classifier_forward_train(&b->run, b->weights, b->images, NULL, IMAGES);
    loss = mae_classifier_loss(&b->run, b->targets, IMAGES, 1.0);
    mae_classifier_backward(&b->run, b->dw, MAE_GRAD_SET, b->weights, NULL, IMAGES);
    return loss;
}

START_TEST(gradients_of_the_head)
{
    TestClassifier b;

    bench_open(&b, MAE_F32, &arch, 2);
    (void)bench_run(&b);
    ck_assert_uint_eq(mae_param_trainable(&b.model.table), CLASSES * 13);
    test_finite_differences(&b.model.table, b.w, b.dw, loss_of, &b);
    ck_assert_f32_eq(b.dw[b.model.batchnorm.batches.off], 1.0f);
    test_classifier_close(&b);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    TestClassifier one, more;

    if (!test_can_multiply((MaeDtype)_i))
        return;
    bench_open(&one, (MaeDtype)_i, &arch, 1);
    bench_open(&more, (MaeDtype)_i, &arch, 3);
    ck_assert_double_eq(bench_run(&one), bench_run(&more));
    ck_assert_mem_eq(one.dw, more.dw, one.model.table.total * sizeof(float));
    test_classifier_close(&one);
    test_classifier_close(&more);
}
END_TEST

START_TEST(bf16_is_close_to_f32)
{
    TestClassifier exact, b;
    double loss;

    if (!test_can_multiply(MAE_BF16))
        return;
    bench_open(&exact, MAE_F32, &arch, 2);
    bench_open(&b, MAE_BF16, &arch, 2);
    loss = bench_run(&exact);
    ck_assert_double_eq_tol(bench_run(&b), loss, 1e-2 * loss);
    test_compare_grads(&b.model.table, b.dw, exact.dw, 2.5e-2);
    test_classifier_close(&b);
    test_classifier_close(&exact);
}
END_TEST

/* Without the batch norm, its statistics in the weights: the same classifier. */
START_TEST(folded_head)
{
    MaeArch plain = arch;
    TestClassifier b, f;
    size_t head;

    plain.head = MAE_HEAD_LINEAR;
    bench_open(&b, MAE_F32, &arch, 2);
    bench_open(&f, MAE_F32, &plain, 2);
    head = f.model.head.weight.off;
    memcpy(f.w, b.w, head * sizeof *f.w);
    mae_classifier_fold(&b.model, b.w, f.w + head, f.w + f.model.head.bias.off);
    mae_classifier_forward(&b.run, b.weights, b.images, NULL, IMAGES);
    mae_classifier_forward(&f.run, f.weights, f.images, NULL, IMAGES);
    mae_test_close("logits", f.run.logits, b.run.logits, IMAGES * CLASSES, 0.0, 1e-5);
    mae_classifier_fold(&f.model, f.w, b.dw, b.dw + CLASSES * 12);
    ck_assert_mem_eq(b.dw, f.w + head, CLASSES * 12 * sizeof(float));
    test_classifier_close(&b);
    test_classifier_close(&f);
}
END_TEST

START_TEST(initial_weights)
{
    double sum = 0.0;
    TestClassifier b;

    bench_open(&b, MAE_F32, &arch, 1);
    mae_classifier_init(&b.model, b.w, 1);
    for (size_t i = 0; i < CLASSES * 12; i++)
        sum += pow((double)b.w[b.model.head.weight.off + i], 2.0);
    ck_assert_double_eq_tol(sqrt(sum / (CLASSES * 12)), 0.01, 0.003);
    ck_assert_f32_eq(b.w[b.model.batchnorm.mean.off + 3], 0.0f);
    ck_assert_f32_eq(b.w[b.model.batchnorm.var.off + 3], 1.0f);
    ck_assert_ptr_nonnull(mae_param_find(&b.model.table, "head.0.running_mean"));
    ck_assert_ptr_nonnull(mae_param_find(&b.model.table, "head.1.weight"));
    test_classifier_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linear probe");
    TCase *tc = tcase_create("golden");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, four_steps);
    tcase_add_test(tc, gradients_of_the_head);
    tcase_add_loop_test(tc, threads_do_not_change_a_bit, 0, TEST_DTYPES);
    tcase_add_test(tc, bf16_is_close_to_f32);
    tcase_add_test(tc, folded_head);
    tcase_add_test(tc, initial_weights);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
