/* Part of trainer.h: how far a run is, how fast, and how long it will take. */
#include <math.h>

#include "base/clock.h"
#include "train/trainer.h"

double mae_trainer_seconds(const MaeTrainer *trainer)
{
    const double now =
        trainer->started > 0.0 ? mae_trainer_clock(trainer) - trainer->started : 0.0;

    return trainer->state.seconds + now;
}

double mae_trainer_budget(const MaeTrainer *trainer)
{
    const double hours = trainer->cfg->train.max_hours;

    return hours > 0.0 ? fmax(hours * 3600.0 - mae_trainer_seconds(trainer), 0.0)
                       : (double)INFINITY;
}

double mae_trainer_loss(const MaeTrainer *trainer)
{
    const MaeTrainState *state = &trainer->state;
    const double accum = (double)trainer->cfg->train.accum_iter;

    return state->loss_sum / ((double)state->batch - accum * (double)state->skipped);
}

bool mae_trainer_finished(const MaeTrainer *trainer)
{
    return trainer->state.epoch >= trainer->cfg->train.epochs ||
           (trainer->state.batch == 0 && mae_trainer_budget(trainer) <= 0.0);
}

double mae_trainer_speed(const MaeTrainer *trainer, const MaeTrainPace *past)
{
    const double images = (double)(trainer->pace.updates - past->updates) *
                          (double)mae_config_effective_batch(trainer->cfg);
    const double seconds = trainer->pace.updating - past->updating;

    return seconds > 0.0 ? images / seconds : 0.0;
}

/* To the end of the run at the pace of this session; NaN before the first update. */
static double seconds_left(const MaeTrainer *trainer, size_t updates, size_t evaluations)
{
    const MaeTrainPace *pace = &trainer->pace;
    double seconds;

    if (pace->updates == 0)
        return (double)NAN;
    seconds = (double)updates * pace->updating / (double)pace->updates;
    if (pace->epochs > 0)
        seconds += (double)evaluations * pace->evaluating / (double)pace->epochs;
    return fmin(seconds, mae_trainer_budget(trainer));
}

void mae_trainer_show(const MaeTrainer *trainer, bool epoch_done)
{
    const MaeTrainHooks *hooks = trainer->hooks;
    const MaeTrainState *state = &trainer->state;
    const size_t accum = trainer->cfg->train.accum_iter;
    MaeTrainProgress progress = {
        .epoch = (size_t)state->epoch + (epoch_done ? 0 : 1),
        .epochs = trainer->cfg->train.epochs,
        .step = (epoch_done ? trainer->batches : (size_t)state->batch) / accum,
        .steps = trainer->batches / accum,
        .images_per_second = mae_trainer_speed(trainer, &(MaeTrainPace){0}),
        .loss = epoch_done ? trainer->last_loss : mae_trainer_loss(trainer),
        .epoch_done = epoch_done,
    };
    const size_t after = progress.epochs - progress.epoch;

    if (hooks->progress == NULL)
        return;
    progress.seconds_left =
        seconds_left(trainer, (after + 1) * progress.steps - progress.step, after + 1);
    hooks->progress(hooks->ctx, &progress);
}

static void show_evaluation(void *ctx, size_t done, size_t total)
{
    const MaeTrainer *trainer = ctx;
    const double seconds = mae_clock_now() - trainer->evaluated_since;
    const double each = done > 0 ? seconds / (double)done : (double)NAN;
    const MaeTrainProgress progress = {
        .epoch = (size_t)trainer->state.epoch,
        .epochs = trainer->cfg->train.epochs,
        .step = done,
        .steps = total,
        .images_per_second = done > 0 && seconds > 0.0 ? (double)done / seconds : 0.0,
        .loss = (double)NAN,
        .seconds_left = each * (double)(total - done),
        .evaluated = trainer->evaluated,
    };

    trainer->hooks->progress(trainer->hooks->ctx, &progress);
}

MaeWatch mae_trainer_watch(MaeTrainer *trainer, const char *what)
{
    trainer->evaluated = what;
    trainer->evaluated_since = mae_clock_now();
    return (MaeWatch){trainer->hooks->progress != NULL ? show_evaluation : NULL, trainer};
}
