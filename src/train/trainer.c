#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define LARGEST_NORM 1e18 /* its square fits a float */

static void reserve(MaeTrainer *trainer, MaeArena *arena)
{
    trainer->w = mae_arena_floats(arena, trainer->task.table->total);
    trainer->dw = mae_arena_floats(arena, trainer->task.table->total);
    mae_optim_reserve(&trainer->optim, arena);
    mae_clip_reserve(&trainer->clip, arena);
}

MaeStatus mae_trainer_open(MaeTrainer *trainer, const MaeConfig *cfg,
                           const MaeTrainHooks *hooks, const MaeTask *task,
                           const MaeCompute *compute, MaeRunFolder *folder,
                           double layer_decay, size_t depth, MaeError *err)
{
    const MaeOptimConfig optim = {
        .name = "adamw",
        .beta1 = cfg->optim.betas[0],
        .beta2 = cfg->optim.betas[1],
        .eps = cfg->optim.eps,
        .groups = {.weight_decay = cfg->optim.weight_decay,
                   .layer_decay = layer_decay,
                   .depth = depth},
    };
    MaeArena measure = mae_arena_measure();

    *trainer = (MaeTrainer){
        .cfg = cfg,
        .hooks = hooks,
        .task = *task,
        .compute = *compute,
        .folder = folder,
        .schedule = {.lr = mae_config_lr(cfg),
                     .min_lr = cfg->optim.min_lr,
                     .epochs = (double)cfg->train.epochs,
                     .warmup_epochs = cfg->optim.warmup_epochs},
        .state = {.best = -INFINITY},
        .last_loss = (double)NAN,
        .last_score = (double)NAN,
    };
    MAE_TRY(mae_schedule_check(&trainer->schedule, err));
    MAE_TRY(mae_optim_define(&trainer->optim, task->table, &optim, err));
    mae_clip_define(&trainer->clip, &trainer->optim.tiles);
    reserve(trainer, &measure);
    MAE_TRY(mae_arena_open(&trainer->arena, &measure, "weights and optimiser", err));
    reserve(trainer, &trainer->arena);
    MAE_TRY(mae_arena_check(&trainer->arena, "weights and optimiser", err));
    mae_optim_init(&trainer->optim);
    return MAE_OK;
}

void mae_trainer_close(MaeTrainer *trainer)
{
    if (trainer != NULL)
        mae_arena_close(&trainer->arena);
}

size_t mae_trainer_bytes(const MaeTrainer *trainer)
{
    return trainer->arena.size;
}

void mae_trainer_set_loader(MaeTrainer *trainer, MaeLoader *loader)
{
    const size_t accum = trainer->cfg->train.accum_iter;

    trainer->loader = loader;
    trainer->batches = mae_loader_batches(loader) / accum * accum;
}

MaeStatus mae_trainer_resume(MaeTrainer *trainer, const MaeCkptReader *reader,
                             const MaeSnapshot *snapshot, MaeError *err)
{
    MAE_TRY(mae_snapshot_weights(reader, trainer->task.table, trainer->w, err));
    MAE_TRY(mae_snapshot_optim(reader, trainer->task.table, &trainer->optim, err));
    trainer->state = (MaeTrainState){
        .epoch = snapshot->epoch,
        .batch = snapshot->batch,
        .step = snapshot->step,
        .samples = snapshot->samples,
        .loss_sum = snapshot->loss_sum,
        .best = snapshot->best,
        .seconds = snapshot->seconds,
    };
    return MAE_OK;
}

static MaeStatus save(MaeTrainer *trainer, MaeSaveAs as, MaeError *err)
{
    MaeSnapshot snapshot = {
        .epoch = trainer->state.epoch,
        .batch = trainer->state.batch,
        .step = trainer->state.step,
        .samples = trainer->state.samples,
        .loss_sum = trainer->state.loss_sum,
        .best = trainer->state.best,
        .seconds = trainer->state.seconds + mae_clock_now() - trainer->started,
    };
    char *config = NULL;
    MaeStatus status = mae_config_text(trainer->cfg, &config, err);

    if (status == MAE_OK) {
        trainer->task.describe(trainer->task.ctx, &snapshot);
        (void)snprintf(snapshot.tool, sizeof snapshot.tool, "%s", trainer->hooks->tool);
        (void)snprintf(snapshot.version, sizeof snapshot.version, "%s", MAE_VERSION);
        (void)snprintf(snapshot.backend, sizeof snapshot.backend, "%s",
                       mae_gemm_backend(trainer->compute.gemm));
        snapshot.config = config;
        status = mae_run_folder_save(trainer->folder, &snapshot, trainer->task.table,
                                     trainer->w, &trainer->optim, as, err);
    }
    free(config);
    trainer->last_save = mae_clock_now();
    return status;
}

/* Fraction of the time budget used; 0 without one. */
static double budget_used(const MaeTrainer *trainer)
{
    const double hours = trainer->cfg->train.max_hours;
    const double seconds = trainer->state.seconds + mae_clock_now() - trainer->started;

    return hours > 0.0 ? seconds / (hours * 3600.0) : 0.0;
}

/* Fractional epoch of the next update, as the schedule and the logs see it. */
static double epoch_now(const MaeTrainer *trainer)
{
    return (double)trainer->state.epoch +
           (double)trainer->state.batch / (double)mae_loader_batches(trainer->loader);
}

static double learning_rate(const MaeTrainer *trainer)
{
    const double timed = budget_used(trainer) * trainer->schedule.epochs;

    return mae_schedule_lr(&trainer->schedule, fmax(epoch_now(trainer), timed));
}

/* Name the batch that gave a number that is not finite. */
static MaeStatus blame(const MaeTrainer *trainer, const MaeBatch *batch, double loss,
                       MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_NUMERIC,
             "step %llu: loss is %g in epoch %u, batch %zu (first sample %zu); the last "
             "checkpoint is intact; try a lower learning rate or optim.clip_grad",
             (unsigned long long)trainer->state.step + 1, loss, batch->epoch + 1,
             batch->index + 1, batch->size > 0 ? batch->samples[0] : 0);
}

/* Forward and backward over accum_iter batches. @param[out] loss their mean. */
static MaeStatus accumulate(MaeTrainer *trainer, double *loss, size_t *images,
                            MaeError *err)
{
    const size_t accum = trainer->cfg->train.accum_iter;
    double sum = 0.0;

    memset(trainer->dw, 0, trainer->task.table->total * sizeof *trainer->dw);
    *images = 0;
    for (size_t i = 0; i < accum; i++) {
        const MaeBatch *batch = NULL;
        double one = 0.0;
        MaeStatus status;

        MAE_TRY(mae_loader_next(trainer->loader, &batch, err));
        status = trainer->task.step(trainer->task.ctx, batch, trainer->w, trainer->dw,
                                    1.0 / (double)accum, &one, err);
        if (status == MAE_OK && !isfinite(one))
            status = blame(trainer, batch, one, err);
        *images += batch->size;
        mae_loader_release(trainer->loader, batch);
        MAE_TRY(status);
        sum += one;
    }
    *loss = sum / (double)accum;
    return MAE_OK;
}

/* A gradient may be finite and its square, the second moment, not. */
static MaeStatus check_norm(const MaeTrainer *trainer, double norm, MaeError *err)
{
    if (norm > LARGEST_NORM)
        MAE_FAIL(
            err, MAE_ERR_NUMERIC,
            "step %llu: gradient norm %g, expected at most %g; the last checkpoint is "
            "intact; try a lower learning rate or optim.clip_grad, and look at "
            "data.mean and data.std",
            (unsigned long long)trainer->state.step + 1, norm, LARGEST_NORM);
    return MAE_OK;
}

static MaeStatus update(MaeTrainer *trainer, MaeError *err)
{
    const MaeConfig *cfg = trainer->cfg;
    const double lr = learning_rate(trainer);
    double loss = 0.0, norm = 0.0, factor;
    size_t images = 0;

    MAE_TRY(accumulate(trainer, &loss, &images, err));
    MAE_TRY(mae_clip_norm(&trainer->clip, &norm, trainer->compute.pool, trainer->dw, 1.0,
                          err));
    factor = mae_clip_factor(norm, cfg->optim.clip_grad);
    MAE_TRY(check_norm(trainer, norm * factor, err));
    mae_optim_step(&trainer->optim, trainer->compute.pool, trainer->w, trainer->dw, lr,
                   factor);
    trainer->state.batch += cfg->train.accum_iter;
    trainer->state.step++;
    trainer->state.samples += images;
    trainer->state.loss_sum += loss * (double)cfg->train.accum_iter;
    trainer->session_steps++;
    if (trainer->state.step % cfg->train.log_every == 0)
        mae_run_folder_step(trainer->folder, trainer->state.step, epoch_now(trainer),
                            loss, lr, norm);
    return MAE_OK;
}

/* Images per second of this session. */
static double speed(const MaeTrainer *trainer)
{
    const double seconds = mae_clock_now() - trainer->started;
    const double images =
        (double)trainer->session_steps * (double)mae_config_effective_batch(trainer->cfg);

    return seconds > 0.0 ? images / seconds : 0.0;
}

static void show(const MaeTrainer *trainer, bool epoch_done)
{
    const size_t accum = trainer->cfg->train.accum_iter,
                 epochs = trainer->cfg->train.epochs;
    const size_t steps = trainer->batches / accum;
    const size_t done = (size_t)trainer->state.epoch * steps;
    MaeTrainProgress progress = {
        .epoch = (size_t)trainer->state.epoch + (epoch_done ? 0 : 1),
        .epochs = epochs,
        .step = epoch_done ? steps : (size_t)trainer->state.batch / accum,
        .steps = steps,
        .images_per_second = speed(trainer),
        .loss = epoch_done ? trainer->last_loss
                           : trainer->state.loss_sum / (double)trainer->state.batch,
        .seconds_left = (double)NAN,
        .epoch_done = epoch_done,
    };

    if (trainer->hooks->progress == NULL)
        return;
    if (trainer->session_steps > 0) {
        const double each =
            (mae_clock_now() - trainer->started) / (double)trainer->session_steps;

        progress.seconds_left =
            each * (double)(epochs * steps - done - (epoch_done ? 0 : progress.step));
    }
    trainer->hooks->progress(trainer->hooks->ctx, &progress);
}

static MaeJson *epoch_record(const MaeTrainer *trainer, double lr)
{
    MaeJson *record = mae_json_object();

    mae_json_set_int(record, "epoch", (int64_t)trainer->state.epoch);
    mae_json_set_int(record, "step", (int64_t)trainer->state.step);
    mae_json_set_real(record, "train_loss", trainer->last_loss);
    mae_json_set_real(record, "train_lr", lr);
    return record;
}

static MaeSaveAs save_names(const MaeTrainer *trainer, double score, bool last)
{
    const size_t every = trainer->cfg->train.checkpoint_every;

    return (MaeSaveAs){
        .must = last,
        .best = isfinite(score) && score > trainer->state.best,
        .checkpoint = every > 0 && (trainer->state.epoch % every == 0 || last),
    };
}

static bool time_to_save(const MaeTrainer *trainer)
{
    const double minutes = trainer->cfg->train.save_minutes;

    return minutes > 0.0 && mae_clock_now() - trainer->last_save > 60.0 * minutes;
}

static MaeStatus end_epoch(MaeTrainer *trainer, bool last, MaeError *err)
{
    const double lr = learning_rate(trainer);
    double score = (double)NAN;
    MaeJson *record;
    MaeSaveAs as;
    MaeStatus status;

    trainer->last_loss = trainer->state.loss_sum / (double)trainer->state.batch;
    trainer->state.epoch++;
    trainer->state.batch = 0;
    trainer->state.loss_sum = 0.0;
    last = last || trainer->state.epoch == trainer->cfg->train.epochs;
    show(trainer, true);
    record = epoch_record(trainer, lr);
    status =
        trainer->task.evaluate(trainer->task.ctx, trainer->w,
                               (size_t)trainer->state.epoch, last, record, &score, err);
    if (status != MAE_OK) {
        mae_json_free(record);
        return status;
    }
    mae_json_set_real(record, "images_per_second", speed(trainer));
    mae_json_set_real(record, "data_wait_seconds", mae_loader_waited(trainer->loader));
    mae_json_set_real(record, "seconds",
                      trainer->state.seconds + mae_clock_now() - trainer->started);
    mae_run_folder_epoch(trainer->folder, record, trainer->state.step);
    if (isfinite(score))
        trainer->last_score = score;
    as = save_names(trainer, score, last);
    if (as.best)
        trainer->state.best = score;
    if (as.best || as.checkpoint || last || time_to_save(trainer))
        return save(trainer, as, err);
    return MAE_OK;
}

/* Does the same configuration, used again, continue this run? */
static bool goes_on_by_itself(const MaeConfig *cfg)
{
    return strcmp(cfg->train.resume, "auto") == 0 && !cfg->train.overwrite;
}

/* Between updates: stop if asked or out of time, save if it is time. */
static MaeStatus between(MaeTrainer *trainer, MaeError *err)
{
    const double hours = trainer->cfg->train.stop_after;
    const bool asked =
        trainer->hooks->stop != NULL && trainer->hooks->stop(trainer->hooks->ctx);
    const bool late = hours > 0.0 && mae_clock_now() - trainer->started > hours * 3600.0;

    if (!asked && !late)
        return time_to_save(trainer) ? save(trainer, (MaeSaveAs){0}, err) : MAE_OK;
    MAE_TRY(save(trainer, (MaeSaveAs){.must = true}, err));
    MAE_FAIL(
        err, MAE_ERR_INTERRUPTED,
        "%s in epoch %llu of %zu, step %llu; everything is saved in %s: run the same "
        "command again%s to go on",
        asked ? "stopped" : "train.stop_after is over",
        (unsigned long long)trainer->state.epoch + 1, trainer->cfg->train.epochs,
        (unsigned long long)trainer->state.step, trainer->folder->path,
        goes_on_by_itself(trainer->cfg) ? ""
                                        : " with train.resume=auto and without "
                                          "train.overwrite");
}

/* One epoch, or what is left of it. @param[out] over the time budget is used up. */
static MaeStatus run_epoch(MaeTrainer *trainer, bool *over, MaeError *err)
{
    while (trainer->state.batch < trainer->batches && !*over) {
        MAE_TRY(update(trainer, err));
        show(trainer, false);
        *over = budget_used(trainer) >= 1.0;
        MAE_TRY(between(trainer, err));
    }
    return end_epoch(trainer, *over, err);
}

/* Put the loader where the state is, unless it is there already. */
static MaeStatus place_loader(MaeTrainer *trainer, bool first, MaeError *err)
{
    const bool dropped = trainer->batches != mae_loader_batches(trainer->loader);

    if (!first && !dropped)
        return MAE_OK;
    return mae_loader_seek(trainer->loader, (uint32_t)trainer->state.epoch,
                           (size_t)trainer->state.batch, err);
}

MaeStatus mae_trainer_run(MaeTrainer *trainer, MaeTrainResult *result, MaeError *err)
{
    double waited = mae_loader_waited(trainer->loader), seconds;
    MaeStatus status = MAE_OK;
    bool first = true, over;

    trainer->started = trainer->last_save = mae_clock_now();
    over = budget_used(trainer) >= 1.0;
    while (status == MAE_OK && trainer->state.epoch < trainer->cfg->train.epochs &&
           !over) {
        status = place_loader(trainer, first, err);
        if (status == MAE_OK)
            status = run_epoch(trainer, &over, err);
        first = false;
    }
    seconds = mae_clock_now() - trainer->started;
    waited = mae_loader_waited(trainer->loader) - waited;
    *result = (MaeTrainResult){
        .epochs = (size_t)trainer->state.epoch,
        .steps = (size_t)trainer->state.step,
        .train_loss = trainer->last_loss,
        .score = isfinite(trainer->state.best) ? trainer->state.best : (double)NAN,
        .last_score = trainer->last_score,
        .images_per_second = speed(trainer),
        .waited = seconds > 0.0 ? waited / seconds : 0.0,
        .seconds = seconds,
    };
    return status;
}
