#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "train/run_report.h"

static void reserve(MaeTrainer *trainer, MaeArena *arena)
{
    const MaeDtype operand = mae_gemm_operand(trainer->compute.gemm);

    trainer->w = mae_arena_floats(arena, trainer->task.table->total);
    trainer->dw = mae_arena_floats(arena, trainer->task.table->total);
    trainer->operands =
        operand == MAE_F32
            ? mae_operand_f32(trainer->w)
            : mae_operand_carve(arena, operand, trainer->task.table->total);
    mae_optim_reserve(&trainer->optim, arena);
    mae_clip_reserve(&trainer->clip, arena);
    trainer->losses =
        mae_arena_bytes(arena, trainer->cfg->train.accum_iter, sizeof *trainer->losses);
}

MaeStatus mae_trainer_open(MaeTrainer *trainer, const MaeConfig *cfg,
                           const MaeTrainHooks *hooks, const MaeTask *task,
                           const MaeCompute *compute, MaeRunFolder *folder,
                           double layer_decay, size_t depth, MaeError *err)
{
    MaeOptimConfig optim = {
        .name = task->optimizer,
        .beta1 = cfg->optim.betas[0],
        .beta2 = cfg->optim.betas[1],
        .eps = cfg->optim.eps,
        .ema_decay = cfg->tool == MAE_CONF_FINETUNE ? cfg->finetune.ema_decay : 0.0,
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
    MAE_TRY(mae_trainer_share_state(trainer, task->table, &optim, err));
    MAE_TRY(mae_optim_define(&trainer->optim, task->table, &optim, err));
    trainer->optim.gather = mae_trainer_gather;
    trainer->optim.gather_ctx = trainer;
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
    if (trainer == NULL)
        return;
    if (trainer->hooks == NULL || !mae_comm_broken(trainer->hooks->comm))
        mae_arena_close(&trainer->arena); /* else others may still write into it */
    free(trainer->shards);
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
    trainer->torn = true;
    MAE_TRY(mae_snapshot_resume(reader, trainer->task.table, trainer->w, &trainer->optim,
                                err));
    trainer->torn = trainer->shards != NULL; /* the slots come by mae_trainer_spread */
    trainer->resumed = true;
    trainer->state = (MaeTrainState){
        .epoch = snapshot->epoch,
        .batch = snapshot->batch,
        .step = snapshot->step,
        .samples = snapshot->samples,
        .skipped = snapshot->skipped,
        .in_a_row = snapshot->in_a_row,
        .loss_sum = snapshot->loss_sum,
        .best = snapshot->best,
        .seconds = snapshot->seconds,
    };
    return MAE_OK;
}

/* On the rank that writes. */
static MaeStatus write_state(MaeTrainer *trainer, MaeSaveAs as, MaeError *err)
{
    MaeSnapshot snapshot = {
        .epoch = trainer->state.epoch,
        .batch = trainer->state.batch,
        .step = trainer->state.step,
        .samples = trainer->state.samples,
        .skipped = trainer->state.skipped,
        .in_a_row = trainer->state.in_a_row,
        .loss_sum = trainer->state.loss_sum,
        .best = trainer->state.best,
        .seconds = mae_trainer_seconds(trainer),
    };
    char *config = NULL;
    MaeStatus status;

    if (!mae_trainer_sound(trainer))
        MAE_FAIL(err, MAE_ERR_NUMERIC,
                 "weights or moments are not finite after step %llu: not saved",
                 (unsigned long long)trainer->state.step);
    status = mae_config_text(trainer->cfg, &config, err);
    if (status == MAE_OK) {
        trainer->task.describe(trainer->task.ctx, &snapshot);
        (void)snprintf(snapshot.tool, sizeof snapshot.tool, "%s",
                       trainer->hooks->tool != NULL ? trainer->hooks->tool : "libmae");
        (void)snprintf(snapshot.version, sizeof snapshot.version, "%s", MAE_VERSION);
        (void)snprintf(snapshot.backend, sizeof snapshot.backend, "%s",
                       mae_gemm_backend(trainer->compute.gemm));
        snapshot.config = config;
        status = mae_run_folder_save(trainer->folder, &snapshot, trainer->task.table,
                                     trainer->w, &trainer->optim, as, err);
    }
    free(config);
    return status;
}

/* Rank 0 writes; where the state is spread, the others help. */
static MaeStatus write_together(MaeTrainer *trainer, MaeSaveAs as, MaeError *err)
{
    MaeStatus status, left = MAE_OK;

    if (!mae_trainer_leads(trainer))
        return trainer->shards != NULL ? mae_trainer_answer(trainer, err) : MAE_OK;
    status = write_state(trainer, as, err);
    if (trainer->shards != NULL)
        left = mae_trainer_let_go(trainer, status == MAE_OK ? err : NULL);
    return status == MAE_OK ? left : status;
}

static MaeStatus save(MaeTrainer *trainer, MaeSaveAs as, MaeError *err)
{
    MaeStatus status = write_together(trainer, as, err);

    status = mae_comm_agree(trainer->hooks->comm, status, err);
    trainer->owed = status == MAE_OK ? (MaeSaveAs){0} : as;
    trainer->last_save = mae_trainer_clock(trainer);
    return status;
}

/* An update or, if its numbers are not finite, what is to be done about them. */
static MaeStatus advance(MaeTrainer *trainer, MaeError *err)
{
    MaeStatus status;

    if (mae_trainer_barred(trainer))
        return mae_trainer_pass_over(trainer, err);
    status = mae_trainer_update(trainer, err);
    return status == MAE_ERR_NUMERIC ? mae_trainer_recover(trainer, err) : status;
}

/* What every line of log.txt begins with. */
static MaeJson *begin_record(const MaeTrainer *trainer, double lr, uint64_t skipped)
{
    MaeJson *record = mae_json_object();

    mae_json_set_int(record, "epoch", (int64_t)trainer->state.epoch);
    mae_json_set_int(record, "step", (int64_t)trainer->state.step);
    mae_json_set_real(record, "train_loss", trainer->last_loss);
    mae_json_set_real(record, "train_lr", lr);
    if (skipped > 0)
        mae_json_set_int(record, "skipped", (int64_t)skipped);
    return record;
}

/* And ends with: speed and waiting of the epoch's updates, as far as in this session. */
static void end_record(const MaeTrainer *trainer, MaeJson *record)
{
    const MaeTrainPace *past = &trainer->epoch_at;

    mae_json_set_real(record, "images_per_second", mae_trainer_speed(trainer, past));
    mae_json_set_real(record, "data_wait_seconds", trainer->pace.waiting - past->waiting);
    if (mae_comm_world(trainer->hooks->comm) > 1)
        mae_json_set_real(record, "rank_wait_seconds",
                          trainer->pace.meeting - past->meeting);
    mae_json_set_real(record, "seconds", mae_trainer_seconds(trainer));
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

    return minutes > 0.0 &&
           mae_trainer_clock(trainer) - trainer->last_save > 60.0 * minutes;
}

/* Does the same configuration, used again, continue this run? */
static bool goes_on_by_itself(const MaeConfig *cfg)
{
    return strcmp(cfg->train.resume, "auto") == 0 && !cfg->train.overwrite;
}

/* Save and end the session. */
static MaeStatus leave(MaeTrainer *trainer, const char *why, MaeError *err)
{
    MAE_TRY(save(trainer, (MaeSaveAs){.must = true}, err));
    mae_run_report_update(trainer, MAE_RUN_STOPPED);
    MAE_FAIL(
        err, MAE_ERR_INTERRUPTED,
        "%s in epoch %llu of %zu, step %llu; everything is saved in %s: run the same "
        "command again%s to go on",
        why, (unsigned long long)trainer->state.epoch + 1, trainer->cfg->train.epochs,
        (unsigned long long)trainer->state.step, trainer->folder->path,
        goes_on_by_itself(trainer->cfg) ? ""
                                        : " with train.resume=auto and without "
                                          "train.overwrite");
}

/* Count the epoch, evaluate it and log it. @param last no other will follow. */
static MaeStatus close_epoch(MaeTrainer *trainer, bool last, double *score, MaeError *err)
{
    const double lr =
        mae_trainer_rate(trainer, trainer->state.batch - trainer->cfg->train.accum_iter);
    const double start = mae_clock_now();
    const uint64_t skipped = trainer->state.skipped;
    MaeJson *record;
    MaeStatus status;

    trainer->last_loss = mae_trainer_loss(trainer);
    trainer->state.epoch++;
    trainer->state.batch = trainer->state.skipped = 0;
    trainer->state.loss_sum = 0.0;
    mae_trainer_show(trainer, true);
    record = begin_record(trainer, lr, skipped);
    status = mae_trainer_evaluate(trainer, last, record, score, err);
    if (status == MAE_OK)
        status = mae_trainer_sync(trainer, err);
    if (status != MAE_OK) {
        mae_json_free(record);
        return status;
    }
    end_record(trainer, record);
    if (skipped > 0)
        mae_log(&trainer->hooks->log, MAE_LOG_WARN,
                "epoch %llu: %llu updates were left out, numbers were not finite",
                (unsigned long long)trainer->state.epoch, (unsigned long long)skipped);
    if (mae_trainer_leads(trainer))
        mae_run_folder_epoch(trainer->folder, record, trainer->state.step);
    else
        mae_json_free(record);
    trainer->pace.epochs++;
    trainer->pace.evaluating += mae_clock_now() - start;
    trainer->epoch_at = trainer->pace;
    return MAE_OK;
}

/* @param[out] over the run is complete. */
static MaeStatus end_epoch(MaeTrainer *trainer, bool *over, MaeError *err)
{
    const MaeTrainState before = trainer->state;
    const bool last = before.epoch + 1 == trainer->cfg->train.epochs ||
                      mae_trainer_budget(trainer) <= 0.0;
    double score = (double)NAN;
    MaeStatus status = close_epoch(trainer, last, &score, err);
    MaeSaveAs as;

    if (status != MAE_OK) { /* the next session will evaluate again */
        trainer->state = before;
        return status == MAE_ERR_INTERRUPTED ? leave(trainer, "stopped", err) : status;
    }
    *over = mae_trainer_finished(trainer);
    if (!isnan(score))
        trainer->last_score = isfinite(score) ? score : (double)NAN;
    as = save_names(trainer, score, *over);
    if (as.best)
        trainer->state.best = score;
    if (as.best || as.checkpoint || *over || time_to_save(trainer))
        MAE_TRY(save(trainer, as, err));
    if (as.best && trainer->folder->best_failed)
        trainer->state.best = before.best; /* of what best.h5 holds */
    if (as.best)
        MAE_TRY(mae_trainer_follow(trainer, &trainer->state.best,
                                   sizeof trainer->state.best, err));
    mae_run_report_update(trainer, *over ? MAE_RUN_FINISHED : MAE_RUN_UNDER_WAY);
    return MAE_OK;
}

MaeStatus mae_trainer_check_loss(const MaeTrainer *trainer, double loss, size_t images,
                                 bool *finite, MaeError *err)
{
    const unsigned long long epoch = trainer->state.epoch;

    if (images == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "data.val: none of the images could be read");
    if (!isfinite(loss) && trainer->cfg->train.on_nonfinite == MAE_CONF_NONFINITE_STOP)
        MAE_FAIL(err, MAE_ERR_NUMERIC,
                 "epoch %llu: loss on data.val is %g; run again with "
                 "train.on_nonfinite=skip to go on without it, or anew with a lower "
                 "optim.lr or with optim.clip_grad",
                 epoch, loss);
    *finite = isfinite(loss);
    if (!*finite)
        mae_log(&trainer->hooks->log, MAE_LOG_WARN,
                "epoch %llu: loss on data.val is %g; training goes on without it", epoch,
                loss);
    return MAE_OK;
}

/* Between updates: stop if asked or out of time, save if it is time. */
static MaeStatus between(MaeTrainer *trainer, MaeError *err)
{
    const double hours = trainer->cfg->train.stop_after;

    if (mae_trainer_told(trainer))
        return leave(trainer, "stopped", err);
    if (hours > 0.0 && mae_trainer_clock(trainer) - trainer->started > hours * 3600.0)
        return leave(trainer, "train.stop_after is over", err);
    return time_to_save(trainer) ? save(trainer, (MaeSaveAs){0}, err) : MAE_OK;
}

/*
 * What is left of an epoch, or of the time budget, but one update at least: an epoch that
 * was begun is closed. @param[out] over as end_epoch.
 */
static MaeStatus run_epoch(MaeTrainer *trainer, bool *over, MaeError *err)
{
    while (trainer->state.batch < trainer->batches &&
           (trainer->state.batch == 0 || mae_trainer_budget(trainer) > 0.0)) {
        MAE_TRY(advance(trainer, err));
        mae_trainer_show(trainer, false);
        MAE_TRY(between(trainer, err));
    }
    return end_epoch(trainer, over, err);
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

/*
 * A failure must not cost what was learnt so far, if that is good, nor, if it is of a
 * save, the names that this was for. Other ranks that are gone are missed only where they
 * have part of the state.
 */
static void rescue(MaeTrainer *trainer, MaeStatus status)
{
    if (status == MAE_OK || status == MAE_ERR_INTERRUPTED || trainer->pace.updates == 0 ||
        (status == MAE_ERR_COMM && trainer->shards != NULL))
        return;
    trainer->owed.must = true;
    if (write_together(trainer, trainer->owed, NULL) == MAE_OK &&
        mae_trainer_leads(trainer))
        mae_log(&trainer->hooks->log, MAE_LOG_INFO, "saved up to step %llu in %s",
                (unsigned long long)trainer->state.step, trainer->folder->path);
}

/* There has to be a checkpoint to go back to. */
static MaeStatus save_start(MaeTrainer *trainer, MaeError *err)
{
    if (trainer->cfg->train.on_nonfinite != MAE_CONF_NONFINITE_ROLLBACK ||
        trainer->resumed)
        return MAE_OK;
    return save(trainer, (MaeSaveAs){0}, err);
}

/* The result of a finished run is last.h5, even if that went bad since. */
static MaeStatus restore_last(MaeTrainer *trainer, MaeError *err)
{
    bool whole = trainer->folder->last_is_whole;

    MAE_TRY(mae_trainer_follow(trainer, &whole, sizeof whole, err));
    if (whole)
        return MAE_OK;
    MAE_TRY(save(trainer, (MaeSaveAs){.must = true}, err));
    if (mae_trainer_leads(trainer))
        mae_log(&trainer->hooks->log, MAE_LOG_INFO, "%s/last.h5 is written again from %s",
                trainer->folder->path, trainer->folder->resume);
    return MAE_OK;
}

MaeStatus mae_trainer_run(MaeTrainer *trainer, MaeTrainResult *result, MaeError *err)
{
    const MaeTrainPace *pace = &trainer->pace;
    MaeStatus status = mae_trainer_sync(trainer, err);
    bool first = true, over = mae_trainer_finished(trainer);

    trainer->started = trainer->last_save = mae_trainer_clock(trainer);
    if (status == MAE_OK)
        status = over ? restore_last(trainer, err) : save_start(trainer, err);
    while (status == MAE_OK && !over) {
        status =
            mae_comm_agree(trainer->hooks->comm, place_loader(trainer, first, err), err);
        if (status == MAE_OK)
            status = run_epoch(trainer, &over, err);
        first = false;
    }
    rescue(trainer, status);
    *result = (MaeTrainResult){
        .epochs = (size_t)trainer->state.epoch,
        .steps = (size_t)trainer->state.step,
        .train_loss = trainer->last_loss,
        .score = isfinite(trainer->state.best) ? trainer->state.best : (double)NAN,
        .last_score = trainer->last_score,
        .images_per_second = mae_trainer_speed(trainer, &(MaeTrainPace){0}),
        .waited = pace->updating > 0.0 ? pace->waiting / pace->updating : 0.0,
        .met = pace->updating > 0.0 ? pace->meeting / pace->updating : 0.0,
        .seconds = mae_trainer_clock(trainer) - trainer->started,
    };
    return status;
}
