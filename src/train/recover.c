/* Part of trainer.h: what happens when numbers are not finite. */
#include <stdio.h>
#include <string.h>

#include "train/nonfinite.h"

#define IN_A_ROW 10 /* updates that may be left out; schema.c tells them */
#define REPORTS 20  /* of a session, but for the one that ends it */

/* An update that failed, in words. */
typedef struct Failure {
    MaeNonfinite found;
    char place[96]; /* "step 13 (epoch 2, batches 5 to 6)" */
    char text[320]; /* what was not finite */
    char file[64];  /* "; see nonfinite-13.json", or "" */
} Failure;

bool mae_trainer_sound(const MaeTrainer *trainer)
{
    MaeNonfinite found;

    return !trainer->torn && !mae_nonfinite_state(&found, trainer);
}

bool mae_trainer_barred(const MaeTrainer *trainer)
{
    for (size_t i = 0; i < trainer->rollbacks; i++) {
        if (trainer->barred[i] == trainer->state.step + 1)
            return true;
    }
    return false;
}

MaeStatus mae_trainer_pass_over(MaeTrainer *trainer, MaeError *err)
{
    MaeTrainState *state = &trainer->state;

    state->batch += trainer->cfg->train.accum_iter;
    state->step++;
    state->samples += mae_config_effective_batch(trainer->cfg);
    state->skipped++;
    state->in_a_row++;
    return mae_loader_seek(trainer->loader, (uint32_t)state->epoch, (size_t)state->batch,
                           err);
}

/* What train.on_nonfinite comes to here. */
static MaeConfNonfinite choose(const MaeTrainer *trainer, const MaeNonfinite *found)
{
    const MaeConfNonfinite wanted = trainer->cfg->train.on_nonfinite;

    if (wanted == MAE_CONF_NONFINITE_SKIP && found->place != MAE_NONFINITE_STATE &&
        trainer->state.in_a_row < IN_A_ROW)
        return wanted;
    if (wanted == MAE_CONF_NONFINITE_ROLLBACK && trainer->rollbacks < MAE_TRAIN_ROLLBACKS)
        return wanted;
    return MAE_CONF_NONFINITE_STOP;
}

/* A file that cannot be written is no reason to end differently. */
static MaeStatus describe(Failure *failure, MaeTrainer *trainer, MaeConfNonfinite then,
                          MaeError *err)
{
    static const char *const names[] = {"stop", "skip", "rollback"};
    const MaeTrainState *state = &trainer->state;
    const size_t accum = trainer->cfg->train.accum_iter;
    char name[40], to[48] = "";
    MaeError why = {0};

    if (then == MAE_CONF_NONFINITE_STOP || trainer->reports < REPORTS) {
        const MaeStatus status = mae_nonfinite_report(
            &failure->found, trainer, names[then], name, sizeof name, &why);

        if (status == MAE_ERR_COMM)
            MAE_FAIL(err, MAE_ERR_COMM, "%s", why.msg);
        if (status == MAE_OK)
            (void)snprintf(failure->file, sizeof failure->file, "; see %s", name);
        else
            mae_log(&trainer->hooks->log, MAE_LOG_WARN, "%s", why.msg);
    }
    if (accum > 1)
        (void)snprintf(to, sizeof to, " to %llu",
                       (unsigned long long)state->batch + accum);
    (void)snprintf(
        failure->place, sizeof failure->place, "step %llu (epoch %llu, %s %llu%s)",
        (unsigned long long)state->step + 1, (unsigned long long)state->epoch + 1,
        accum > 1 ? "batches" : "batch", (unsigned long long)state->batch + 1, to);
    mae_nonfinite_text(&failure->found, trainer, failure->text, sizeof failure->text);
    return MAE_OK;
}

/* The first ones are told, so that a log does not drown in them. */
static void warn(MaeTrainer *trainer, const Failure *failure, const char *then)
{
    const char *samples = failure->found.samples;

    if (trainer->reports < REPORTS)
        mae_log(&trainer->hooks->log, MAE_LOG_WARN, "%s: %s%s%s%s; %s%s", failure->place,
                failure->text, samples[0] != '\0' ? " (samples " : "", samples,
                samples[0] != '\0' ? ")" : "", then, failure->file);
    if (++trainer->reports == REPORTS)
        mae_log(&trainer->hooks->log, MAE_LOG_WARN,
                "updates that are left out from here on are only counted, in log.txt");
}

/* On rank 0: weights and place of the run as a checkpoint has them, or, torn, in part. */
static MaeStatus take(MaeTrainer *trainer, const MaeCkptReader *reader,
                      const MaeSnapshot *snapshot, MaeError *err)
{
    const double seconds = trainer->state.seconds; /* those that were lost count, too */

    if (snapshot->step > trainer->state.step)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s is of a later step, %llu",
                 mae_ckpt_path(reader), (unsigned long long)snapshot->step);
    MAE_TRY(mae_trainer_resume(trainer, reader, snapshot, err));
    trainer->state.seconds = seconds;
    return mae_run_folder_begin(trainer->folder, trainer->cfg, snapshot, err);
}

/* @param[out] reader to be closed. */
static MaeStatus take_newest(MaeTrainer *trainer, MaeCkptReader **reader, MaeError *err)
{
    MaeSnapshot snapshot = {0};
    MaeStatus status;

    MAE_TRY(mae_run_folder_newest(trainer->folder, err));
    MAE_TRY(mae_snapshot_open(reader, &snapshot, trainer->folder->resume, err));
    status = take(trainer, *reader, &snapshot, err);
    mae_snapshot_done(&snapshot);
    return status;
}

/* Go on from where the state is. */
static MaeStatus go_on(MaeTrainer *trainer, MaeError *err)
{
    MAE_TRY(mae_trainer_ready(trainer, err));
    return mae_loader_seek(trainer->loader, (uint32_t)trainer->state.epoch,
                           (size_t)trainer->state.batch, err);
}

static MaeStatus to_last_checkpoint(MaeTrainer *trainer, MaeError *err)
{
    MaeComm *comm = trainer->hooks->comm;
    MaeCkptReader *reader = NULL;
    MaeStatus status = MAE_OK;

    if (mae_trainer_leads(trainer))
        status = take_newest(trainer, &reader, err);
    status = mae_comm_agree(comm, status, err);
    if (status == MAE_OK)
        status = mae_trainer_spread(trainer, reader, err);
    mae_ckpt_close(reader);
    MAE_TRY(status);
    return mae_comm_agree(comm, go_on(trainer, err), err);
}

static MaeStatus roll_back(MaeTrainer *trainer, const Failure *failure, MaeError *err)
{
    const uint64_t step = trainer->state.step + 1;
    MaeError why = {0};
    MaeStatus status;

    warn(trainer, failure, "going back to the last checkpoint");
    status = to_last_checkpoint(trainer, &why);
    if (status != MAE_OK) /* that of a comm that is broken ends the other ranks */
        MAE_FAIL(err, status == MAE_ERR_COMM ? status : MAE_ERR_NUMERIC,
                 "%s: %.150s; there is no going back: %.150s", failure->place,
                 failure->text, why.msg);
    trainer->barred[trainer->rollbacks++] = step;
    mae_log(&trainer->hooks->log, MAE_LOG_INFO,
            "going on from %s, after step %llu; step %llu will be left out",
            trainer->folder->resume, (unsigned long long)trainer->state.step,
            (unsigned long long)step);
    return MAE_OK;
}

/* What a run that ends here should be tried with. */
static const char *advice(const MaeTrainer *trainer, const MaeNonfinite *found)
{
    switch (trainer->cfg->train.on_nonfinite) {
    case MAE_CONF_NONFINITE_ROLLBACK:
        return "the run went back too often; start anew";
    case MAE_CONF_NONFINITE_SKIP:
        if (found->place != MAE_NONFINITE_STATE)
            return "too many in a row were left out before it; start anew";
        break;
    case MAE_CONF_NONFINITE_STOP:
        if (found->place != MAE_NONFINITE_STATE)
            return "run again with train.on_nonfinite=skip to leave it out, or anew";
        break;
    }
    return "run again with train.on_nonfinite=rollback to leave it out, or anew";
}

MaeStatus mae_trainer_recover(MaeTrainer *trainer, MaeError *err)
{
    Failure failure = {.file = ""};
    MaeConfNonfinite then;

    MAE_TRY(mae_nonfinite_find(&failure.found, trainer, err));
    then = choose(trainer, &failure.found);
    MAE_TRY(describe(&failure, trainer, then, err));
    if (then == MAE_CONF_NONFINITE_ROLLBACK)
        return roll_back(trainer, &failure, err);
    if (then == MAE_CONF_NONFINITE_SKIP) {
        warn(trainer, &failure, "left out");
        return mae_trainer_pass_over(trainer, err);
    }
    MAE_FAIL(err, MAE_ERR_NUMERIC,
             "%s: %s%s; %s with a lower optim.lr or with optim.clip_grad%s",
             failure.place, failure.text, failure.file, advice(trainer, &failure.found),
             failure.found.place == MAE_NONFINITE_PIXEL
                 ? ", and look at the image, data.mean and data.std"
                 : "");
}
