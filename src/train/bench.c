#include "train/bench.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/machine.h"
#include "model/embedder.h"
#include "train/pretrain_step.h"
#include "train/session.h"
#include "train/trainer.h"

/* Everything a benchmark may open. */
typedef struct Bench {
    const MaeConfig *cfg;
    const MaeBenchOptions *options;
    MaeBenchResult *result;
    MaeSession session;
    MaeProducts products;
    MaePretrainStep step; /* of embed: its model alone */
    MaeTrainHooks hooks;
    MaeTrainer trainer;
    MaeEmbedder embedder;
    float *w;        /* [table.total] of embed, in the arena of weights */
    float *features; /* [B,D] of embed, in the arena of images */
    MaeBatch batch;  /* random, in the arena of images */
    MaeArena images, weights;
    double *seconds, *passes; /* [options->steps] measured */
    MaeLap *laps;             /* [threads] */
} Bench;

/* ---- numbers ----------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

MaeBenchTimes mae_bench_times(double *seconds, size_t count)
{
    MaeBenchTimes times = {.count = count};

    assert(count > 0);
    qsort(seconds, count, sizeof *seconds, ascending);
    times.min = seconds[0];
    times.max = seconds[count - 1];
    times.median = 0.5 * (seconds[(count - 1) / 2] + seconds[count / 2]);
    for (size_t i = 0; i < count; i++)
        times.sum += seconds[i];
    return times;
}

double mae_bench_speed(const MaeBenchResult *result)
{
    const MaeBenchTimes *times = &result->times;

    if (result->loader.workers > 0)
        return (double)(result->images * times->count) / times->sum;
    return (double)result->images / times->median;
}

double mae_bench_flops(const MaeBenchResult *result)
{
    return result->flops / result->times.median;
}

double mae_bench_ceiling(const MaeBenchResult *result)
{
    return result->passes.count > 0 ? result->pass_flops / result->passes.min : 0.0;
}

/* ---- opening and closing ----------------------------------------------------------- */

static size_t channels_of(const MaeConfig *cfg)
{
    return cfg->model.in_chans > 0 ? cfg->model.in_chans : 3;
}

static MaeStatus open_bench(Bench *b, MaeError *err)
{
    const MaeBenchOptions *options = b->options;

    MAE_TRY(mae_session_open_compute(&b->session, b->cfg, NULL, err));
    b->seconds = calloc(2 * options->steps, sizeof *b->seconds);
    if (b->seconds == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the times of %zu steps",
                 options->steps);
    b->passes = b->seconds + options->steps;
    b->laps = calloc(mae_pool_threads(b->session.pool), sizeof *b->laps);
    if (b->laps == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the watches of the threads");
    b->session.compute.laps = b->laps;
    *b->result = (MaeBenchResult){
        .operand = mae_gemm_operand(b->session.gemm),
        .threads = mae_pool_threads(b->session.pool),
    };
    (void)snprintf(b->result->backend, sizeof b->result->backend, "%s",
                   mae_gemm_backend(b->session.gemm));
    return MAE_OK;
}

static void close_bench(Bench *b)
{
    free(b->seconds);
    free(b->laps);
    mae_arena_close(&b->images);
    mae_arena_close(&b->weights);
    mae_embedder_close(&b->embedder);
    mae_products_close(&b->products);
    mae_trainer_close(&b->trainer);
    mae_pretrain_step_close(&b->step);
    mae_session_close(&b->session);
}

/* ---- products alone ---------------------------------------------------------------- */

static void take_passes(Bench *b)
{
    MaeBenchResult *result = b->result;

    result->passes = mae_bench_times(b->passes, b->options->steps);
    result->pass_flops = b->products.flops;
    result->best_stage = mae_products_best(&b->products);
    result->stage_count = b->products.stage_count;
    for (size_t i = 0; i < b->products.stage_count; i++) {
        const MaeProductStage *stage = &b->products.stages[i];

        result->stages[i] =
            (MaeBenchStage){stage->group->name, mae_product_kind_name(stage->kind),
                            stage->flops, stage->seconds};
    }
}

static MaeStatus open_products(Bench *b, MaeProductUse use, MaeError *err)
{
    return mae_products_open(&b->products, &b->step.model, use, b->cfg->train.batch_size,
                             mae_config_visible(b->cfg), &b->session.compute,
                             b->cfg->train.seed, err);
}

static MaeStatus measure_products(Bench *b, MaeError *err)
{
    const MaeConfig *cfg = b->cfg;
    MaeArch arch = mae_pretrain_arch(cfg, channels_of(cfg));

    MAE_TRY(open_bench(b, err));
    MAE_TRY(mae_autoencoder_open(&b->step.model, &arch, err));
    MAE_TRY(mae_arch_check_batch(&arch, cfg->train.batch_size, err));
    MAE_TRY(open_products(b, MAE_PRODUCTS_STEP, err));
    for (size_t i = 0; i < b->options->warmup; i++)
        (void)mae_products_pass(&b->products);
    for (size_t i = 0; i < b->options->steps; i++)
        b->passes[i] = mae_products_pass(&b->products);
    take_passes(b);
    b->result->times = b->result->passes;
    b->result->flops = b->result->pass_flops;
    b->result->images = cfg->train.batch_size;
    b->result->parameters = mae_param_trainable(&b->step.model.table);
    b->result->peak_bytes = mae_machine_peak_memory();
    return MAE_OK;
}

/* ---- what computes, in turns with products alone ----------------------------------- */

typedef MaeStatus (*WorkFn)(Bench *b, double *seconds, MaeError *err);

static void start_laps(Bench *b)
{
    for (size_t i = 0; i < b->result->threads; i++)
        b->laps[i].at = mae_clock_now();
}

static void stop_laps(Bench *b)
{
    for (size_t i = 0; i < b->result->threads; i++)
        mae_lap(&b->laps[i], MAE_LAP_WAIT);
}

/* From sums over all steps and threads to a step. */
static void take_laps(Bench *b)
{
    const double steps = (double)b->options->steps;

    b->result->optimiser /= steps;
    for (size_t i = 0; i < b->result->threads; i++) {
        for (size_t c = 0; c < MAE_LAP_CLASSES; c++)
            b->result->laps[c] +=
                b->laps[i].seconds[c] / (steps * (double)b->result->threads);
    }
}

/* Everything is open: nothing allocates from here but for products alone. */
static MaeStatus measure_turns(Bench *b, WorkFn work, MaeProductUse use, MaeError *err)
{
    const MaeBenchOptions *options = b->options;

    for (size_t i = 0; i < options->warmup; i++)
        MAE_TRY(work(b, b->seconds, err));
    b->result->peak_bytes = mae_machine_peak_memory();
    memset(b->laps, 0, b->result->threads * sizeof *b->laps);
    b->result->optimiser = 0.0;
    if (options->ceiling) {
        MAE_TRY(open_products(b, use, err));
        (void)mae_products_pass(&b->products);
    }
    for (size_t i = 0; i < options->steps; i++) { /* both see the same machine */
        MAE_TRY(work(b, &b->seconds[i], err));
        if (options->ceiling)
            b->passes[i] = mae_products_pass(&b->products);
    }
    b->result->times = mae_bench_times(b->seconds, options->steps);
    take_laps(b);
    if (options->ceiling)
        take_passes(b);
    return MAE_OK;
}

static void reserve_batch(Bench *b, MaeArena *arena)
{
    const MaeAutoencoder *model = &b->step.model;
    const size_t images = b->cfg->train.batch_size;

    b->batch.size = images;
    b->batch.images = mae_arena_floats(arena, images * model->patches * model->values);
    b->batch.samples = mae_arena_bytes(arena, images, sizeof *b->batch.samples);
    if (b->w != NULL)
        b->features = mae_arena_floats(arena, images * model->arch.embed_dim);
}

static MaeStatus open_batch(Bench *b, MaeError *err)
{
    const size_t pixels = b->step.model.patches * b->step.model.values;
    MaeArena measure = mae_arena_measure();
    MaeRng rng;

    reserve_batch(b, &measure);
    MAE_TRY(mae_arena_open(&b->images, &measure, "images", err));
    reserve_batch(b, &b->images);
    MAE_TRY(mae_arena_check(&b->images, "images", err));
    mae_rng_init(&rng, b->cfg->train.seed, 0, 0, MAE_RNG_TEST);
    for (size_t i = 0; i < b->batch.size * pixels; i++)
        b->batch.images[i] = 4.0f * mae_rng_float(&rng) - 2.0f;
    for (size_t i = 0; i < b->batch.size; i++)
        b->batch.samples[i] = i;
    b->result->image_bytes = b->images.size;
    return MAE_OK;
}

/* ---- training steps ---------------------------------------------------------------- */

static double task_step(void *ctx, const MaeBatch *batch, MaeWeights w, float *dw,
                        MaeGradUse use, double scale)
{
    return mae_pretrain_step_run(ctx, batch, w, dw, use, scale);
}

static MaeStatus task_rehearse(void *ctx, MaeWeights w, float *dw, MaeGradUse use,
                               MaeError *err)
{
    MaePretrainStep *step = ctx;

    return mae_pretrain_step_rehearse(step, dw, use, w, step->run.work.plan.batch, err);
}

static MaeStatus open_step(Bench *b, MaeError *err)
{
    const MaeConfig *cfg = b->cfg;
    const MaeTask task = {.ctx = &b->step,
                          .table = &b->step.model.table,
                          .optimizer = "adamw",
                          .rehearse = task_rehearse,
                          .step = task_step};

    MAE_TRY(open_bench(b, err));
    MAE_TRY(mae_pretrain_step_open(&b->step, cfg, channels_of(cfg), cfg->train.batch_size,
                                   &b->session.compute, err));
    MAE_TRY(mae_trainer_open(&b->trainer, cfg, &b->hooks, &task, &b->session.compute,
                             NULL, 1.0, cfg->model.depth, err));
    mae_autoencoder_init(&b->step.model, b->trainer.w, cfg->train.seed);
    MAE_TRY(mae_trainer_ready(&b->trainer, err));
    MAE_TRY(open_batch(b, err));
    b->result->images = cfg->train.batch_size * cfg->train.accum_iter;
    b->result->flops = (double)b->result->images *
                       mae_products_step_flops(&b->step.model, mae_config_visible(cfg));
    b->result->parameters = mae_param_trainable(&b->step.model.table);
    b->result->parameter_bytes =
        b->result->parameters * (b->result->operand == MAE_BF16 ? 18 : 16);
    b->result->state_bytes = mae_trainer_bytes(&b->trainer);
    b->result->activation_bytes = b->step.run.arena.size + b->step.masks.arena.size;
    return MAE_OK;
}

/* One update with masks of its own, at the peak learning rate. */
static MaeStatus update(Bench *b, double *seconds, MaeError *err)
{
    const double start = mae_clock_now();
    double norm, computed;

    start_laps(b);
    for (size_t i = 0; i < b->cfg->train.accum_iter; i++) {
        (void)mae_trainer_add(&b->trainer, &b->batch, i == 0);
        b->batch.epoch++;
    }
    stop_laps(b);
    computed = mae_clock_now();
    MAE_TRY(mae_trainer_apply(&b->trainer, mae_config_lr(b->cfg), &norm, err));
    b->result->optimiser += mae_clock_now() - computed;
    *seconds = mae_clock_now() - start;
    return MAE_OK;
}

static MaeStatus measure_steps(Bench *b, MaeError *err)
{
    MAE_TRY(open_step(b, err));
    return measure_turns(b, update, MAE_PRODUCTS_STEP, err);
}

/* ---- features ---------------------------------------------------------------------- */

/* Initial weights of the whole model, as a checkpoint would bring them. */
static MaeStatus open_weights(Bench *b, MaeError *err)
{
    const size_t total = b->step.model.table.total;
    MaeArena measure = mae_arena_measure();

    (void)mae_arena_floats(&measure, total);
    MAE_TRY(mae_arena_open(&b->weights, &measure, "weights", err));
    b->w = mae_arena_floats(&b->weights, total);
    mae_autoencoder_init(&b->step.model, b->w, b->cfg->train.seed);
    return MAE_OK;
}

static MaeStatus open_embed(Bench *b, MaeError *err)
{
    const MaeConfig *cfg = b->cfg;
    const MaeArch arch = mae_pretrain_arch(cfg, channels_of(cfg));
    MaeAutoencoder *model = &b->step.model;
    MaeBenchResult *result = b->result;
    MaeEmbedSpec spec;

    MAE_TRY(open_bench(b, err));
    MAE_TRY(mae_autoencoder_open(model, &arch, err));
    MAE_TRY(mae_arch_check_batch(&arch, cfg->train.batch_size, err));
    MAE_TRY(open_weights(b, err));
    spec = mae_embed_spec_autoencoder(model, MAE_POOL_MEAN);
    MAE_TRY(mae_embedder_open(&b->embedder, &spec, b->w, &b->session.compute, err));
    MAE_TRY(open_batch(b, err));
    result->images = cfg->train.batch_size;
    result->flops = (double)result->images * mae_products_embed_flops(model);
    result->parameters = mae_param_trainable(&model->table);
    result->state_bytes = b->weights.size + mae_embedder_weight_bytes(&b->embedder);
    result->parameter_bytes = result->state_bytes;
    result->activation_bytes =
        b->embedder.arena.size - mae_embedder_weight_bytes(&b->embedder);
    return MAE_OK;
}

static MaeStatus embed(Bench *b, double *seconds, MaeError *err)
{
    const double start = mae_clock_now();

    (void)err;
    start_laps(b);
    mae_embedder_run(&b->embedder, b->features, b->batch.images, b->batch.size);
    stop_laps(b);
    *seconds = mae_clock_now() - start;
    return MAE_OK;
}

static MaeStatus measure_embed(Bench *b, MaeError *err)
{
    MAE_TRY(open_embed(b, err));
    return measure_turns(b, embed, MAE_PRODUCTS_EMBED, err);
}

/* ---- loader ------------------------------------------------------------------------ */

static MaeStatus next_batch(Bench *b, double *seconds, MaeError *err)
{
    MaeLoader *loader = b->session.inputs.loader;
    const double start = mae_clock_now();
    const MaeBatch *batch = NULL;

    MAE_TRY(mae_loader_next(loader, &batch, err));
    mae_loader_release(loader, batch);
    *seconds = mae_clock_now() - start;
    return MAE_OK;
}

static MaeStatus open_loader(Bench *b, const MaeLog *log, MaeError *err)
{
    MaeInputs *inputs = &b->session.inputs;
    MaeConfig *cfg = NULL;
    MaeStatus status;

    if (b->cfg->data.train[0] == '\0')
        MAE_FAIL(err, MAE_ERR_ARG,
                 "data.train: expected images for the loader to read, got none; add "
                 "data.train=PATH");
    MAE_TRY(open_bench(b, err));
    cfg = malloc(sizeof *cfg);
    if (cfg == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the configuration");
    *cfg = *b->cfg;
    cfg->data.val[0] = '\0'; /* training images only */
    status = mae_inputs_open(inputs, cfg, false, cfg->model.in_chans, (MaeKnownStats){0},
                             b->session.pool, log, err);
    if (status == MAE_OK)
        status = mae_inputs_start(inputs, cfg, cfg->train.batch_size, NULL, log, err);
    free(cfg);
    return status;
}

static MaeStatus measure_loader(Bench *b, const MaeLog *log, MaeError *err)
{
    MaeBenchResult *result = b->result;
    double cpu;

    MAE_TRY(open_loader(b, log, err));
    for (size_t i = 0; i < b->options->warmup; i++)
        MAE_TRY(next_batch(b, b->seconds, err));
    cpu = mae_clock_processor();
    for (size_t i = 0; i < b->options->steps; i++)
        MAE_TRY(next_batch(b, &b->seconds[i], err));
    result->times = mae_bench_times(b->seconds, b->options->steps);
    result->images = b->cfg->train.batch_size;
    result->loader = (MaeBenchLoader){
        .workers = b->cfg->data.workers,
        .cpu_seconds = mae_clock_processor() - cpu,
        .bad = mae_loader_bad(b->session.inputs.loader)->count,
    };
    result->image_bytes = mae_inputs_bytes(&b->session.inputs);
    result->peak_bytes = mae_machine_peak_memory();
    return MAE_OK;
}

/* ---- table ------------------------------------------------------------------------- */

static MaeStatus run_gemm(const MaeConfig *cfg, const MaeBenchOptions *options,
                          const MaeLog *log, MaeBenchResult *result, MaeError *err)
{
    Bench b = {.cfg = cfg, .options = options, .result = result};
    const MaeStatus status = measure_products(&b, err);

    (void)log;
    close_bench(&b);
    return status;
}

static MaeStatus run_step(const MaeConfig *cfg, const MaeBenchOptions *options,
                          const MaeLog *log, MaeBenchResult *result, MaeError *err)
{
    Bench b = {.cfg = cfg, .options = options, .result = result, .hooks = {.log = *log}};
    const MaeStatus status = measure_steps(&b, err);

    close_bench(&b);
    return status;
}

static MaeStatus run_embed(const MaeConfig *cfg, const MaeBenchOptions *options,
                           const MaeLog *log, MaeBenchResult *result, MaeError *err)
{
    Bench b = {.cfg = cfg, .options = options, .result = result};
    const MaeStatus status = measure_embed(&b, err);

    (void)log;
    close_bench(&b);
    return status;
}

static MaeStatus run_loader(const MaeConfig *cfg, const MaeBenchOptions *options,
                            const MaeLog *log, MaeBenchResult *result, MaeError *err)
{
    Bench b = {.cfg = cfg, .options = options, .result = result};
    const MaeStatus status = measure_loader(&b, log, err);

    close_bench(&b);
    return status;
}

const MaeBench mae_benches[] = {
    {"gemm", "matrix products of a training step alone", run_gemm},
    {"step", "training steps on random images in memory", run_step},
    {"embed", "features of random images in memory", run_embed},
    {"loader", "reading and augmenting the images of data.train", run_loader},
    {.name = NULL},
};

const MaeBench *mae_bench_find(const char *name)
{
    for (const MaeBench *bench = mae_benches; bench->name != NULL; bench++)
        if (strcmp(bench->name, name) == 0)
            return bench;
    return NULL;
}
