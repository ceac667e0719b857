/* Part of trainer.h: one update. */
#include <math.h>

#include "base/clock.h"
#include "train/trainer.h"

#define LARGEST_NORM 1e18 /* its square fits a float */

/* Fractional epoch after so many batches of the one under way. */
static double epoch_after(const MaeTrainer *trainer, uint64_t batch)
{
    return (double)trainer->state.epoch +
           (double)batch / (double)mae_loader_batches(trainer->loader);
}

double mae_trainer_rate(const MaeTrainer *trainer, uint64_t batch)
{
    const double hours = trainer->cfg->train.max_hours;
    const double used =
        hours > 0.0 ? mae_trainer_seconds(trainer) / (hours * 3600.0) : 0.0;

    return mae_schedule_lr(&trainer->schedule, fmax(epoch_after(trainer, batch),
                                                    used * trainer->schedule.epochs));
}

double mae_trainer_add(MaeTrainer *trainer, const MaeBatch *batch, bool first)
{
    const size_t parts =
        trainer->cfg->train.accum_iter * mae_comm_world(trainer->hooks->comm);

    return trainer->task.step(trainer->task.ctx, batch, mae_trainer_weights(trainer),
                              trainer->dw, first ? MAE_GRAD_SET : MAE_GRAD_ADD,
                              1.0 / (double)parts);
}

MaeStatus mae_trainer_fetch(MaeTrainer *trainer, const MaeBatch **batch, MaeError *err)
{
    const MaeTask *task = &trainer->task;
    MaeStatus status = mae_loader_next(trainer->loader, batch, err);

    if (status == MAE_OK && task->accept != NULL)
        status = task->accept(task->ctx, *batch, err);
    status = mae_comm_agree(trainer->hooks->comm, status, err);
    if (status != MAE_OK) {
        mae_loader_release(trainer->loader, *batch);
        *batch = NULL;
    }
    return status;
}

/* Forward and backward over accum_iter batches of all ranks, whatever the first ones'
 * losses are: all are told then. @param[out] loss their mean. */
static MaeStatus accumulate(MaeTrainer *trainer, double *loss, MaeError *err)
{
    const size_t accum = trainer->cfg->train.accum_iter;
    double sum = 0.0;

    for (size_t i = 0; i < accum; i++) {
        const MaeBatch *batch = NULL;

        MAE_TRY(mae_trainer_fetch(trainer, &batch, err));
        if (i + 1 == accum)
            mae_gradients_begin(trainer->gradients, trainer->task.table, trainer->dw);
        trainer->losses[i] = mae_trainer_add(trainer, batch, i == 0);
        mae_loader_release(trainer->loader, batch);
        sum += trainer->losses[i];
    }
    MAE_TRY(mae_trainer_combine(trainer, &sum, err));
    *loss = sum / (double)accum;
    if (!isfinite(*loss))
        MAE_FAIL(err, MAE_ERR_NUMERIC, "loss is %g", *loss);
    return MAE_OK;
}

MaeStatus mae_trainer_apply(MaeTrainer *trainer, double lr, double *norm, MaeError *err)
{
    double factor;
    bool finite;

    MAE_TRY(mae_trainer_norm(trainer, norm, err));
    factor = mae_clip_factor(*norm, trainer->cfg->optim.clip_grad);
    if (*norm * factor > LARGEST_NORM)
        MAE_FAIL(err, MAE_ERR_NUMERIC, "gradient norm %g, expected at most %g",
                 *norm * factor, LARGEST_NORM);
    MAE_TRY(mae_trainer_step(trainer, lr, factor, &finite, err));
    if (!finite)
        MAE_FAIL(err, MAE_ERR_NUMERIC, "the step left weights that are not finite");
    return MAE_OK;
}

MaeStatus mae_trainer_update(MaeTrainer *trainer, MaeError *err)
{
    const MaeConfig *cfg = trainer->cfg;
    const double start = mae_clock_now(), waited = mae_loader_waited(trainer->loader);
    const double met = mae_comm_waited(trainer->hooks->comm);
    double loss = 0.0;

    trainer->lr = mae_trainer_rate(trainer, trainer->state.batch);
    trainer->norm = (double)NAN;
    MAE_TRY(accumulate(trainer, &loss, err));
    MAE_TRY(mae_trainer_apply(trainer, trainer->lr, &trainer->norm, err));
    trainer->state.batch += cfg->train.accum_iter;
    trainer->state.step++;
    trainer->state.samples += mae_config_effective_batch(cfg);
    trainer->state.in_a_row = 0;
    trainer->state.loss_sum += loss * (double)cfg->train.accum_iter;
    trainer->pace.updates++;
    trainer->pace.updating += mae_clock_now() - start;
    trainer->pace.waiting += mae_loader_waited(trainer->loader) - waited;
    trainer->pace.meeting += mae_comm_waited(trainer->hooks->comm) - met;
    if (mae_trainer_leads(trainer) && trainer->state.step % cfg->train.log_every == 0)
        mae_run_folder_step(trainer->folder, trainer->state.step,
                            epoch_after(trainer, trainer->state.batch), loss, trainer->lr,
                            trainer->norm);
    return MAE_OK;
}
