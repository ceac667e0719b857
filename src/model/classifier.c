#include "model/classifier.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernel/rows.h"

#define HEAD_STD 2e-5
#define PROBE_STD 0.01

static bool has_batchnorm(const MaeClassifier *model)
{
    return model->arch.head == MAE_HEAD_BATCHNORM;
}

MaeStatus mae_classifier_open(MaeClassifier *model, const MaeArch *arch, MaeError *err)
{
    const char *norm = arch->pooling == MAE_POOL_MEAN ? "fc_norm" : "norm";
    MaeStatus status;

    *model = (MaeClassifier){.arch = *arch};
    if (arch->classes == 0)
        MAE_FAIL(err, MAE_ERR_SHAPE, "classifier: expected at least 1 class, got 0");
    MAE_TRY(mae_arch_check(arch, err));
    status = mae_encoder_define(&model->encoder, &model->table, arch,
                                MAE_ENCODER_FINETUNE, err);
    if (status == MAE_OK) {
        mae_layernorm_define(&model->norm, &model->table, norm, arch->embed_dim);
        if (has_batchnorm(model))
            mae_batchnorm_define(&model->batchnorm, &model->table, "head.0",
                                 arch->embed_dim);
        mae_linear_define(&model->head, &model->table,
                          has_batchnorm(model) ? "head.1" : "head", arch->embed_dim,
                          arch->classes);
        status = mae_param_check(&model->table, err);
    }
    if (status != MAE_OK)
        mae_classifier_close(model);
    return status;
}

void mae_classifier_freeze(MaeClassifier *model, size_t trained)
{
    assert(trained == 0 || !has_batchnorm(model));
    mae_encoder_freeze(&model->encoder, trained);
    model->head_only = trained == 0;
    mae_param_fix_before(&model->table, model->head_only
                                            ? model->head.weight
                                            : mae_encoder_first_trained(&model->encoder));
}

void mae_classifier_close(MaeClassifier *model)
{
    if (model == NULL)
        return;
    mae_encoder_done(&model->encoder);
    mae_param_close(&model->table);
}

void mae_classifier_init(const MaeClassifier *model, float *w, uint64_t seed)
{
    const double std = has_batchnorm(model) ? PROBE_STD : HEAD_STD;
    MaeRng rng;

    mae_rng_init(&rng, seed, 0, 0, MAE_RNG_INIT);
    mae_encoder_init(&model->encoder, w, &rng);
    mae_layernorm_init(&model->norm, w);
    for (size_t i = 0; i < model->head.weight.count; i++)
        w[model->head.weight.off + i] = (float)mae_rng_truncated(&rng, std);
    memset(w + model->head.bias.off, 0, model->head.bias.count * sizeof *w);
    if (has_batchnorm(model))
        mae_batchnorm_init(&model->batchnorm, w);
}

static void reserve(MaeClassifierRun *run, MaeArena *arena, const MaeCompute *compute,
                    size_t batch, MaeKeep keep)
{
    const MaeClassifier *model = run->model;
    const MaeTrunk *trunk = &model->encoder.trunk;
    const size_t patches = mae_patch_count(&model->arch.grid);
    const size_t classes = model->arch.classes, width = trunk->width;
    const MaeDtype operand = mae_gemm_operand(compute->gemm);
    const MaeWorkPlan plan = {
        .batch = batch,
        .tile_images = mae_work_tile_images(patches + 1),
        .sum_first = mae_param_sum_first(&model->table),
        .sum_total = model->table.sum_total,
        .keep = keep,
        .frozen = model->head_only,
        .drop_path = keep != MAE_KEEP_NOTHING,
        .trunk_count = 1,
        .trunks = {{batch, patches + 1, width, trunk->hidden, trunk->heads, operand}},
    };

    mae_work_reserve(&run->work, arena, &plan, compute);
    mae_encoder_reserve(&model->encoder, &run->encoder, arena, batch, patches, operand,
                        keep);
    mae_encoder_reserve_frozen(&model->encoder, &run->encoder, arena, &run->work, patches,
                               operand);
    mae_layernorm_reserve(&run->norm, arena, batch);
    if (has_batchnorm(model)) {
        mae_batchnorm_reserve(&run->batchnorm, arena, width);
        run->features = mae_arena_floats(arena, batch * width);
    }
    run->pooled = mae_arena_floats(arena, batch * width);
    run->normed = mae_operand_carve(arena, operand, batch * width);
    run->logits = mae_arena_floats(arena, batch * classes);
    run->dlogits = mae_arena_floats(arena, batch * classes);
    run->dhead = operand == MAE_F32 ? mae_operand_f32(run->dlogits)
                                    : mae_operand_carve(arena, operand, batch * classes);
    run->scales = mae_arena_floats(arena, 2 * trunk->depth * batch);
    run->losses = mae_arena_bytes(arena, batch, sizeof *run->losses);
}

MaeStatus mae_classifier_run_open(MaeClassifierRun *run, const MaeClassifier *model,
                                  const MaeCompute *compute, size_t batch, MaeKeep keep,
                                  MaeError *err)
{
    MaeArena measure = mae_arena_measure();

    MAE_TRY(mae_arch_check_batch(&model->arch, batch, err));
    *run = (MaeClassifierRun){.model = model};
    reserve(run, &measure, compute, batch, keep);
    MAE_TRY(mae_arena_open(&run->arena, &measure, "activations", err));
    reserve(run, &run->arena, compute, batch, keep);
    return mae_arena_check(&run->arena, "activations", err);
}

void mae_classifier_run_close(MaeClassifierRun *run)
{
    if (run != NULL)
        mae_arena_close(&run->arena);
}

void mae_classifier_drop_path(MaeClassifierRun *run, double rate, uint64_t seed,
                              uint32_t epoch, const size_t *samples, size_t batch)
{
    const size_t depth = run->model->arch.depth;

    for (size_t b = 0; b < batch; b++) {
        MaeRng rng;

        mae_rng_init(&rng, seed, epoch, samples[b], MAE_RNG_DROP_PATH);
        for (size_t i = 0; i < depth; i++) {
            const double drop = depth > 1 ? rate * (double)i / (double)(depth - 1) : 0.0;

            for (size_t branch = 0; branch < 2; branch++)
                run->scales[(2 * i + branch) * batch + b] =
                    mae_rng_double(&rng) < drop ? 0.0f : (float)(1.0 / (1.0 - drop));
        }
    }
}

typedef struct Call {
    MaeClassifierRun *run;
    MaeWeights w;
    const float *images, *scales;
    size_t batch;
} Call;

/* One image. @param x [N,D] last block. */
static void pool_tokens(float *pooled, const float *x, MaePooling pooling, size_t tokens,
                        size_t width)
{
    if (pooling == MAE_POOL_CLS) {
        memcpy(pooled, x, width * sizeof *pooled);
        return;
    }
    memset(pooled, 0, width * sizeof *pooled);
    mae_rows_colsum(pooled, mae_operand_view(x + width), tokens - 1, width, width);
    mae_rows_scale(pooled, 1.0f / (float)(tokens - 1), width);
}

static void unpool_tokens(float *dx, const float *dpooled, MaePooling pooling,
                          size_t tokens, size_t width)
{
    memset(dx, 0, tokens * width * sizeof *dx);
    if (pooling == MAE_POOL_CLS) {
        memcpy(dx, dpooled, width * sizeof *dx);
        return;
    }
    for (size_t n = 1; n < tokens; n++)
        mae_rows_axpy(dx + n * width, 1.0f / (float)(tokens - 1), dpooled, width);
}

static void forward_head(const Call *call, MaeTile tile, size_t thread)
{
    const MaeClassifierRun *run = call->run;
    const MaeClassifier *model = run->model;

    mae_linear_forward(&model->head, mae_gemm_thread(run->work.compute.gemm, thread),
                       mae_operand_f32(run->logits + tile.image * model->arch.classes),
                       mae_operand_at(run->normed, tile.image * model->head.in).data,
                       call->w, NULL, tile.images);
}

static void forward_tile(void *ctx, size_t index, size_t thread)
{
    const Call *call = ctx;
    MaeClassifierRun *run = call->run;
    const MaeClassifier *model = run->model;
    const size_t tokens = run->work.plan.trunks[0].tokens, width = model->arch.embed_dim;
    const MaeTile tile = mae_work_tile(&run->work, call->batch, tokens, index);
    const size_t at = tile.image * width;
    const float *x;

    if (mae_work_skips(&run->work, call->batch, index))
        return;
    x = mae_encoder_forward(&model->encoder, &run->work, &run->encoder, call->w,
                            call->images, NULL, call->scales, call->batch, tile, thread);
    for (size_t i = 0; i < tile.images; i++)
        pool_tokens(run->pooled + at + i * width, x + i * tokens * width,
                    model->arch.pooling, tokens, width);
    mae_layernorm_forward(&model->norm,
                          has_batchnorm(model) ? mae_operand_f32(run->features + at)
                                               : mae_operand_at(run->normed, at),
                          &run->norm, run->pooled + at, call->w, tile.image, tile.images);
    if (!has_batchnorm(model))
        forward_head(call, tile, thread);
}

static void forward_head_tile(void *ctx, size_t index, size_t thread)
{
    const Call *call = ctx;
    const MaeWork *work = &call->run->work;

    if (!mae_work_skips(work, call->batch, index))
        forward_head(call,
                     mae_work_tile(work, call->batch, work->plan.trunks[0].tokens, index),
                     thread);
}

/* The batch norm sees all images before the head sees one. */
static void forward_probe(Call *call, bool training)
{
    MaeClassifierRun *run = call->run;
    const MaeBatchNorm *bn = &run->model->batchnorm;

    if (training)
        mae_batchnorm_forward(bn, run->features, &run->batchnorm, run->features,
                              call->batch, run->work.compute.peers);
    else
        mae_batchnorm_eval(bn, run->features, run->features, call->w.f32, call->batch);
    mae_rows_enter(run->normed, NULL, run->features, NULL, 1, call->batch, bn->width);
    mae_pool_run(run->work.compute.pool, mae_work_tiles(&run->work, call->batch),
                 forward_head_tile, call);
}

static void forward(MaeClassifierRun *run, MaeWeights w, const float *images,
                    const float *scales, size_t batch, bool training)
{
    Call call = {run, w, images, scales, batch};

    assert(batch > 0 && batch <= run->work.plan.batch);
    mae_pool_run(run->work.compute.pool, mae_work_tiles(&run->work, batch), forward_tile,
                 &call);
    if (has_batchnorm(run->model))
        forward_probe(&call, training);
}

void mae_classifier_forward(MaeClassifierRun *run, MaeWeights w, const float *images,
                            const float *scales, size_t batch)
{
    forward(run, w, images, scales, batch, false);
}

void mae_classifier_forward_train(MaeClassifierRun *run, MaeWeights w,
                                  const float *images, const float *scales, size_t batch)
{
    forward(run, w, images, scales, batch, true);
}

double mae_classifier_loss(MaeClassifierRun *run, const float *targets, size_t batch,
                           double scale)
{
    double sum = 0.0;

    mae_rows_cross_entropy(run->losses, run->dlogits, run->logits, targets,
                           (float)(scale / (double)batch), batch,
                           run->model->arch.classes);
    for (size_t i = 0; i < batch; i++)
        sum += run->losses[i];
    return sum / (double)batch;
}

void mae_classifier_targets(float *targets, const int64_t *labels, double smoothing,
                            size_t batch, size_t classes)
{
    const double off = smoothing / (double)classes;

    for (size_t b = 0; b < batch; b++) {
        for (size_t c = 0; c < classes; c++)
            targets[b * classes + c] =
                (float)((int64_t)c == labels[b] ? 1.0 - smoothing + off : off);
    }
}

/* From the gradient of the head's output to that of the last block's. */
static void pooled_backward(const Call *call, float *sums, const void *dhead,
                            MaeTile tile, size_t thread)
{
    const MaeClassifierRun *run = call->run;
    const MaeClassifier *model = run->model;
    const size_t width = model->arch.embed_dim, at = tile.image * width;
    const MaeOperand none = {NULL, run->dhead.type};
    float *narrow = run->work.scratch[thread].narrow;

    mae_linear_backward_input(&model->head,
                              mae_gemm_thread(run->work.compute.gemm, thread),
                              mae_operand_f32(narrow), dhead, call->w, tile.images);
    mae_layernorm_backward(&model->norm, narrow, none, sums, narrow, NULL,
                           run->pooled + at, &run->norm, call->w, tile.image,
                           tile.images);
    for (size_t i = 0; i < tile.images; i++)
        unpool_tokens(run->work.dx[0] + (tile.image + i) * tile.tokens * width,
                      narrow + i * width, model->arch.pooling, tile.tokens, width);
}

static void head_backward_tile(void *ctx, size_t index, size_t thread)
{
    const Call *call = ctx;
    MaeClassifierRun *run = call->run;
    const MaeClassifier *model = run->model;
    const size_t tokens = run->work.plan.trunks[0].tokens;
    const MaeTile tile = mae_work_tile(&run->work, call->batch, tokens, index);
    const size_t classes = model->arch.classes, logit0 = tile.image * classes;
    const MaeOperand dhead = mae_operand_at(run->dhead, logit0);
    float *sums;

    if (mae_work_skips(&run->work, call->batch, index))
        return;
    sums = mae_work_clear_sums(&run->work, index);
    mae_rows_enter(dhead, sums + model->head.bias.sum, run->dlogits + logit0, NULL, 1,
                   tile.images, classes);
    if (!model->head_only)
        pooled_backward(call, sums, dhead.data, tile, thread);
}

void mae_classifier_backward(MaeClassifierRun *run, float *dw, MaeGradUse use,
                             MaeWeights w, const float *scales, size_t batch)
{
    const MaeClassifier *model = run->model;
    const MaeWork *work = &run->work;
    const MaeWeightGrad head = {model->head.weight.off, model->head.in,   model->head.out,
                                run->dhead.data,        run->normed.data, batch};
    Call call = {.run = run, .w = w, .scales = scales, .batch = batch};
    MaeGradFront front = {&model->table, dw, use, batch, model->table.total};

    assert(work->plan.keep != MAE_KEEP_NOTHING && batch > 0 && batch <= work->plan.batch);
    assert(model->head_only || !has_batchnorm(model));
    mae_pool_run(work->compute.pool, mae_work_tiles(work, batch), head_backward_tile,
                 &call);
    mae_weight_grad_run(&head, 1, &work->compute, dw, use);
    if (!model->head_only)
        mae_encoder_backward(&model->encoder, work, &front, work->dx[0], &run->encoder, w,
                             NULL, scales, work->plan.trunks[0].tokens);
    if (has_batchnorm(model))
        mae_batchnorm_track(&model->batchnorm, dw, use, &run->batchnorm, w.f32);
    mae_work_advance(work, &front, 0);
}

void mae_classifier_fold(const MaeClassifier *model, const float *w, float *weight,
                         float *bias)
{
    const MaeLinear *head = &model->head;
    const float *mean = w + model->batchnorm.mean.off;
    const float *var = w + model->batchnorm.var.off;

    memcpy(weight, w + head->weight.off, head->weight.count * sizeof *weight);
    memcpy(bias, w + head->bias.off, head->bias.count * sizeof *bias);
    for (size_t k = 0; k < head->out && has_batchnorm(model); k++) {
        double moved = 0.0;

        for (size_t i = 0; i < head->in; i++) {
            float *at = &weight[k * head->in + i];
            const double scaled = (double)*at / sqrt((double)var[i] + MAE_BATCHNORM_EPS);

            *at = (float)scaled;
            moved += scaled * (double)mean[i];
        }
        bias[k] = (float)((double)bias[k] - moved);
    }
}

MaeStatus mae_classifier_rehearse(MaeClassifierRun *run, float *dw, MaeGradUse use,
                                  MaeWeights w, size_t batch, MaeError *err)
{
    const MaeGemm *gemm = run->work.compute.gemm;
    const MaePeers *peers = run->work.compute.peers;

    if (batch == 0 || !mae_gemm_rehearse(gemm))
        return MAE_OK;
    run->work.compute.peers = NULL; /* they may not have come to this */
    mae_classifier_forward(run, w, NULL, NULL, batch);
    if (dw != NULL) {
        /* With stochastic depth residuals are not added by the products. */
        mae_classifier_forward_train(run, w, NULL, run->scales, batch);
        mae_classifier_backward(run, dw, MAE_GRAD_SET, w, NULL, batch);
    }
    if (dw != NULL && use == MAE_GRAD_ADD)
        mae_classifier_backward(run, dw, MAE_GRAD_ADD, w, NULL, batch);
    run->work.compute.peers = peers;
    return mae_gemm_rehearsed(gemm, err);
}
