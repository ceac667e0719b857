#include "train/poison.h"

#include <math.h>
#include <stdio.h>

#include "data/mix.h"
#include "model/snapshot.h"
#include "train/pretrain_step.h"

static struct {
    Poison what;
    uint32_t epoch;
    size_t first, last;
    bool hit;       /* the batch under way is one of them */
    float *weights; /* of the run */
} poison;

static void look(uint32_t epoch, size_t batch)
{
    poison.hit = (epoch == poison.epoch || poison.epoch == EVERY_EPOCH) &&
                 batch >= poison.first && batch <= poison.last;
}

static bool meets(Poison what)
{
    return poison.what == what && poison.hit;
}

double __real_mae_pretrain_step_run(MaePretrainStep *step, const MaeBatch *batch,
                                    MaeWeights w, float *dw, MaeGradUse use,
                                    double scale);
double __wrap_mae_pretrain_step_run(MaePretrainStep *step, const MaeBatch *batch,
                                    MaeWeights w, float *dw, MaeGradUse use,
                                    double scale);
MaeMix __real_mae_mix_draw(const MaeMixRule *rule, uint64_t seed, uint32_t epoch,
                           size_t batch, size_t height, size_t width);
MaeMix __wrap_mae_mix_draw(const MaeMixRule *rule, uint64_t seed, uint32_t epoch,
                           size_t batch, size_t height, size_t width);
double __real_mae_classifier_loss(MaeClassifierRun *run, const float *targets,
                                  size_t batch, double scale);
double __wrap_mae_classifier_loss(MaeClassifierRun *run, const float *targets,
                                  size_t batch, double scale);
void __real_mae_classifier_backward(MaeClassifierRun *run, float *dw, MaeGradUse use,
                                    MaeWeights w, const float *scales, size_t batch);
void __wrap_mae_classifier_backward(MaeClassifierRun *run, float *dw, MaeGradUse use,
                                    MaeWeights w, const float *scales, size_t batch);
bool __real_mae_optim_step(MaeOptim *opt, MaePool *pool, float *weights,
                           MaeOperand operands, const float *grads, double lr,
                           double grad_scale);
bool __wrap_mae_optim_step(MaeOptim *opt, MaePool *pool, float *weights,
                           MaeOperand operands, const float *grads, double lr,
                           double grad_scale);
MaeStatus __real_mae_snapshot_save(const char *path, const MaeSnapshot *snapshot,
                                   const MaeParamTable *table, const float *weights,
                                   const MaeOptim *optim, MaeError *err);
MaeStatus __wrap_mae_snapshot_save(const char *path, const MaeSnapshot *snapshot,
                                   const MaeParamTable *table, const float *weights,
                                   const MaeOptim *optim, MaeError *err);

double __wrap_mae_pretrain_step_run(MaePretrainStep *step, const MaeBatch *batch,
                                    MaeWeights w, float *dw, MaeGradUse use, double scale)
{
    const double loss = __real_mae_pretrain_step_run(step, batch, w, dw, use, scale);

    look(batch->epoch, batch->index);
    if (meets(GRADIENT))
        dw[SPOILT] = -INFINITY;
    return meets(LOSS) ? (double)NAN : loss;
}

MaeMix __wrap_mae_mix_draw(const MaeMixRule *rule, uint64_t seed, uint32_t epoch,
                           size_t batch, size_t height, size_t width)
{
    look(epoch, batch);
    return __real_mae_mix_draw(rule, seed, epoch, batch, height, width);
}

double __wrap_mae_classifier_loss(MaeClassifierRun *run, const float *targets,
                                  size_t batch, double scale)
{
    const double loss = __real_mae_classifier_loss(run, targets, batch, scale);

    return meets(LOSS) && scale > 0.0 ? (double)NAN : loss; /* 0: an evaluation */
}

void __wrap_mae_classifier_backward(MaeClassifierRun *run, float *dw, MaeGradUse use,
                                    MaeWeights w, const float *scales, size_t batch)
{
    __real_mae_classifier_backward(run, dw, use, w, scales, batch);
    if (meets(GRADIENT))
        dw[SPOILT] = -INFINITY;
}

bool __wrap_mae_optim_step(MaeOptim *opt, MaePool *pool, float *weights,
                           MaeOperand operands, const float *grads, double lr,
                           double grad_scale)
{
    poison.weights = weights;
    if (meets(WEIGHT))
        weights[SPOILT] = -INFINITY;
    if (meets(MOMENT))
        opt->state[1][SPOILT] = INFINITY;
    if (meets(AVERAGE))
        opt->average[SPOILT] = INFINITY;
    return __real_mae_optim_step(opt, pool, weights, operands, grads, lr, grad_scale);
}

MaeStatus __wrap_mae_snapshot_save(const char *path, const MaeSnapshot *snapshot,
                                   const MaeParamTable *table, const float *weights,
                                   const MaeOptim *optim, MaeError *err)
{
    const bool spoilt = poison.what == SAVED;
    const float good = spoilt ? poison.weights[SPOILT] : 0.0f;
    MaeStatus status;

    if (spoilt)
        poison.weights[SPOILT] = NAN;
    status = __real_mae_snapshot_save(path, snapshot, table, weights, optim, err);
    if (spoilt)
        poison.weights[SPOILT] = good;
    return status;
}

void spoil(Poison what, uint32_t epoch, size_t first, size_t last)
{
    poison.what = what;
    poison.epoch = epoch;
    poison.first = first;
    poison.last = last;
    poison.hit = false;
}

float *spoil_weights(void)
{
    return poison.weights;
}

const Way WAYS[WAY_COUNT] = {
    {false, 1, "train.preview_every=none train.threads=2"},
    {false, 2, "train.preview_every=none train.batch_size=5 train.accum_iter=2"},
    {true, 1, "finetune.init=random finetune.mixup=0.5 finetune.ema_decay=0.9"},
    {true, 2,
     "finetune.init=random train.batch_size=5 train.accum_iter=2 train.threads=2 "
     "data.workers=2"},
};

size_t spoil_second(const Way *way, Poison what)
{
    spoil(what, 1, 2 * way->accum - 1, 2 * way->accum - 1);
    return way->accum == 1 ? 8 : 4;
}

void spoil_run(TrainRun *run, const char *folder, const Way *way, const char *name,
               const char *more, size_t stop_at, MaeStatus status)
{
    char overrides[2000];

    (void)snprintf(overrides, sizeof overrides, "%s train.preflight=false %s",
                   way->overrides, more);
    train_expect(run,
                 &(TrainSpec){.folder = folder,
                              .name = name,
                              .finetune = way->finetune,
                              .overrides = overrides,
                              .stop_at = stop_at},
                 status);
}
