/* Part of trainer.h: what a run will take, measured before it starts. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "train/trainer.h"

#define MEASURED_STEPS 3

/*
 * The first step, which changes no weight: rate 0, gradients 0. Where weight decay is
 * part of the gradient (LARS) moments do change, and begin anew.
 */
static MaeStatus optimiser_step(MaeTrainer *trainer, MaeError *err)
{
    bool finite;

    memset(trainer->dw, 0, trainer->task.table->total * sizeof *trainer->dw);
    MAE_TRY(mae_trainer_step(trainer, 0.0, 1.0, &finite, err));
    mae_optim_init(&trainer->optim);
    mae_optim_start(&trainer->optim, trainer->w);
    return MAE_OK;
}

/* Seconds of a batch, with sums over ranks or without; the first step warms up and is
 * dropped. */
static MaeStatus measure_batch(MaeTrainer *trainer, const MaeBatch *batch, bool sums,
                               double *seconds, MaeError *err)
{
    const MaeTask *task = &trainer->task;
    double started = 0.0, loss;

    for (size_t i = 0; i <= MEASURED_STEPS; i++) {
        if (i == 1)
            started = mae_clock_now();
        if (sums)
            mae_gradients_begin(trainer->gradients, task->table, trainer->dw);
        loss = task->step(task->ctx, batch, mae_trainer_weights(trainer), trainer->dw,
                          MAE_GRAD_SET, 0.0);
        if (sums)
            MAE_TRY(mae_trainer_combine(trainer, &loss, err));
        MAE_TRY(mae_trainer_obey(trainer, err));
    }
    *seconds = (mae_clock_now() - started) / MEASURED_STEPS;
    return MAE_OK;
}

/* Seconds of the batches of an update: sums come with the last one. */
static MaeStatus measure_batches(MaeTrainer *trainer, const MaeBatch *batch,
                                 double *seconds, MaeError *err)
{
    const size_t accum = trainer->cfg->train.accum_iter;
    double others = 0.0;

    MAE_TRY(measure_batch(trainer, batch, true, seconds, err));
    if (accum > 1)
        MAE_TRY(measure_batch(trainer, batch, false, &others, err));
    *seconds += (double)(accum - 1) * others;
    return MAE_OK;
}

/* Seconds of one update with the data at hand. */
static MaeStatus measure(MaeTrainer *trainer, double *seconds, MaeError *err)
{
    const MaeBatch *batch = NULL;
    MaeStatus status = mae_trainer_fetch(trainer, &batch, err);
    double started;

    if (status == MAE_OK)
        status = measure_batches(trainer, batch, seconds, err);
    mae_loader_release(trainer->loader, batch);
    MAE_TRY(status);
    if (trainer->state.step == 0) {
        started = mae_clock_now();
        MAE_TRY(optimiser_step(trainer, err));
        *seconds += mae_clock_now() - started;
    }
    return mae_loader_seek(trainer->loader, (uint32_t)trainer->state.epoch,
                           (size_t)trainer->state.batch, err);
}

static double megabytes(double bytes)
{
    return bytes / 1e6;
}

static double checkpoint_bytes(const MaeTrainer *trainer)
{
    const size_t slots =
        1 + trainer->optim.driver->state_slots + (trainer->optim.average != NULL ? 1 : 0);

    return (double)(trainer->task.table->total * sizeof(float) * slots);
}

/* Checkpoints on disk at the same time: last, previous, best, kept ones, one being
 * written. */
static double disk_needed(const MaeTrainer *trainer)
{
    const MaeConfTrain *train = &trainer->cfg->train;
    const size_t every = train->checkpoint_every;
    const size_t made = every > 0 ? train->epochs / every + 1 : 0;
    const size_t files = 4 + (made < train->keep ? made : train->keep);

    return checkpoint_bytes(trainer) * (double)files;
}

/* A run that goes on has most of its files already. */
static MaeStatus check_disk(const MaeTrainer *trainer, MaeError *err)
{
    const bool anew = trainer->state.step == 0;
    const double needed = anew ? disk_needed(trainer) : checkpoint_bytes(trainer);
    struct statvfs fs;
    double left;

    if (statvfs(trainer->folder->path, &fs) != 0)
        return MAE_OK;
    left = (double)fs.f_bavail * (double)fs.f_frsize;
    if (left < needed)
        MAE_FAIL(
            err, MAE_ERR_IO,
            "%s: checkpoints need %.1f MB, the disk has %.1f MB left; free some, lower "
            "train.keep, or skip this check with train.preflight=false",
            trainer->folder->path, megabytes(needed), megabytes(left));
    return MAE_OK;
}

/* Before anything is computed. */
static MaeStatus check(const MaeTrainer *trainer, MaeError *err)
{
    MAE_TRY(mae_trainer_poll(trainer->hooks, err));
    return mae_trainer_leads(trainer) ? check_disk(trainer, err) : MAE_OK;
}

/* All that was planned is touched by now; what is beyond it are data set and program. */
static void report_memory(const MaeTrainer *trainer, size_t activations, size_t images)
{
    const size_t state = mae_trainer_bytes(trainer);
    struct rusage used = {0};

    (void)getrusage(RUSAGE_SELF, &used);
    mae_log(&trainer->hooks->log, MAE_LOG_INFO,
            "memory: %.0f MB (weights and optimiser %.0f, activations %.0f, images %.0f, "
            "the rest data set and program), disk: %.0f MB",
            megabytes(fmax(1024.0 * (double)used.ru_maxrss,
                           (double)(state + activations + images))),
            megabytes((double)state), megabytes((double)activations),
            megabytes((double)images), megabytes(disk_needed(trainer)));
}

/* Parts of gradients to their owners; from there sums, or weights, which stay f32. */
static double sent_bytes(const MaeTrainer *trainer, size_t world)
{
    const bool bf16 = trainer->cfg->dist.wire == MAE_CONF_WIRE_BF16;
    const size_t there = bf16 ? sizeof(uint16_t) : sizeof(float);
    const size_t back = trainer->shards != NULL ? sizeof(float) : there;

    return (double)(world - 1) / (double)world *
           (double)mae_gradients_elements(trainer->task.table) * (double)(there + back);
}

static void report_ranks(const MaeTrainer *trainer)
{
    const MaeConfTrain *train = &trainer->cfg->train;
    const size_t world = mae_comm_world(trainer->hooks->comm);

    if (world == 1)
        return;
    mae_log(&trainer->hooks->log, MAE_LOG_INFO,
            "%zu ranks of %zu threads: effective batch = %zu images a rank x %zu ranks x "
            "%zu batches; a rank sends %.1f MB of %s a step",
            world, mae_pool_threads(trainer->compute.pool), train->batch_size / world,
            world, train->accum_iter, megabytes(sent_bytes(trainer, world)),
            trainer->shards != NULL ? "gradients and weights" : "gradients");
}

MaeStatus mae_trainer_preflight(MaeTrainer *trainer, size_t activations, size_t images,
                                MaeError *err)
{
    const MaeLog *log = &trainer->hooks->log;
    const MaeConfig *cfg = trainer->cfg;
    const size_t steps = trainer->batches / cfg->train.accum_iter;
    const size_t done = (size_t)(trainer->state.epoch * steps) +
                        (size_t)trainer->state.batch / cfg->train.accum_iter;
    double seconds = 0.0, left;
    char text[32];

    mae_log(log, MAE_LOG_INFO, "model: %zu of %zu parameters are trained, by %s",
            mae_param_trainable(trainer->task.table),
            mae_param_elements(trainer->task.table), trainer->optim.driver->name);
    mae_log(log, MAE_LOG_INFO,
            "effective batch %zu, peak learning rate %.3g, %zu epochs of %zu steps",
            mae_config_effective_batch(cfg), mae_config_lr(cfg), cfg->train.epochs,
            steps);
    report_ranks(trainer);
    if (!cfg->train.preflight || mae_trainer_finished(trainer))
        return MAE_OK;
    MAE_TRY(mae_comm_agree(trainer->hooks->comm, check(trainer, err), err));
    MAE_TRY(measure(trainer, &seconds, err));
    left = seconds * (double)(cfg->train.epochs * steps - done);
    mae_clock_duration(text, sizeof text, fmin(left, mae_trainer_budget(trainer)));
    report_memory(trainer, activations, images);
    mae_log(log, MAE_LOG_INFO,
            "speed: %.1f ms a step, %.0f images/s on %zu threads (%s); to the end: %s, "
            "without evaluation and if the data keep up",
            seconds * 1e3, (double)mae_config_effective_batch(cfg) / seconds,
            mae_pool_threads(trainer->compute.pool) *
                mae_comm_world(trainer->hooks->comm),
            mae_gemm_backend(trainer->compute.gemm), text);
    return MAE_OK;
}
