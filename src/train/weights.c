/* Part of trainer.h: weights, averages and operands. */
#include "kernel/rows.h"
#include "train/trainer.h"

static MaeWeights weights_of(const MaeTrainer *trainer, const float *w)
{
    return (MaeWeights){
        .f32 = w, .operand = trainer->operands.data, .type = trainer->operands.type};
}

MaeWeights mae_trainer_weights(const MaeTrainer *trainer)
{
    return weights_of(trainer, trainer->w);
}

typedef struct RefreshJob {
    const MaeTrainer *trainer;
    const float *w;
} RefreshJob;

static void refresh_tile(void *ctx, size_t index, size_t thread)
{
    const RefreshJob *job = ctx;
    const MaeTrainer *trainer = job->trainer;
    const size_t total = trainer->task.table->total, at = index * MAE_TILE_SIZE;

    (void)thread;
    mae_rows_enter(mae_operand_at(trainer->operands, at), NULL, job->w + at, NULL, 1, 1,
                   total - at < MAE_TILE_SIZE ? total - at : MAE_TILE_SIZE);
}

/* Operands of other weights; those of w are always derived from it again. */
static MaeWeights refresh(MaeTrainer *trainer, const float *w)
{
    const size_t total = trainer->task.table->total;
    RefreshJob job = {trainer, w};

    if (trainer->operands.type == MAE_F32)
        return mae_weights_f32(w);
    mae_pool_run(trainer->compute.pool, (total + MAE_TILE_SIZE - 1) / MAE_TILE_SIZE,
                 refresh_tile, &job);
    return weights_of(trainer, w);
}

void mae_trainer_refresh(MaeTrainer *trainer)
{
    (void)refresh(trainer, trainer->w);
}

MaeStatus mae_trainer_ready(MaeTrainer *trainer, MaeError *err)
{
    const MaeGradUse use =
        trainer->cfg->train.accum_iter > 1 ? MAE_GRAD_ADD : MAE_GRAD_SET;

    mae_optim_start(&trainer->optim, trainer->w);
    return trainer->task.rehearse(trainer->task.ctx, refresh(trainer, trainer->w),
                                  trainer->dw, use, err);
}

static MaeStatus evaluate_weights(MaeTrainer *trainer, MaeWeights w, bool last,
                                  MaeEvaluated which, MaeJson *record, double *score,
                                  MaeError *err)
{
    return trainer->task.evaluate(trainer->task.ctx, trainer, w, last, which, record,
                                  score, err);
}

MaeStatus mae_trainer_evaluate(MaeTrainer *trainer, bool last, MaeJson *record,
                               double *score, MaeError *err)
{
    const MaeWeights w = mae_trainer_weights(trainer);
    const float *average = trainer->optim.average;
    MaeStatus status;
    double raw;

    if (average == NULL)
        return evaluate_weights(trainer, w, last, MAE_EVALUATED_ONLY, record, score, err);
    MAE_TRY(evaluate_weights(trainer, w, last, MAE_EVALUATED_RAW, record, &raw, err));
    status = evaluate_weights(trainer, refresh(trainer, average), last,
                              MAE_EVALUATED_AVERAGE, record, score, err);
    (void)refresh(trainer, trainer->w);
    return status;
}
