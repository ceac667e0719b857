#include "optim/lars.h"

#include <math.h>
#include <stdatomic.h>

#include "kernel/rows.h"

#define TRUST 0.001

typedef struct LarsJob {
    const MaeOptim *opt;
    const MaeOptimStep *step;
    atomic_bool spoilt;
} LarsJob;

/* What scales g = @p scale * grad + @p decay * w, from the sizes of w and g. */
static double trust_ratio(const float *w, const float *grad, size_t n, double scale,
                          double decay)
{
    const double size = sqrt(mae_rows_sumsq(w, n));
    double sum = 0.0;

    for (size_t i = 0; i < n; i++) {
        const double g = scale * (double)grad[i] + decay * (double)w[i];

        sum += g * g;
    }
    return size > 0.0 && sum > 0.0 ? TRUST * size / sqrt(sum) : 1.0;
}

/* A momentum that is not finite makes the weight so. */
static void update_tensor(void *ctx, size_t index, size_t thread)
{
    LarsJob *job = ctx;
    const MaeOptimStep *step = job->step;
    const MaeParamEntry *entry = &job->opt->tiles.table->entries[index];
    const MaeGroup *group = &job->opt->groups[index];
    const size_t n = entry->at.count;
    const bool matrix = entry->ndim > 1;
    float *w = step->weights + entry->at.off, *m = job->opt->state[0] + entry->at.off;
    const float *grad = step->grads + entry->at.off;
    double decay, trust;

    (void)thread;
    if (entry->flags & MAE_PARAM_FIXED)
        return;
    decay = matrix ? group->weight_decay : 0.0;
    trust = matrix ? trust_ratio(w, grad, n, step->grad_scale, decay) : 1.0;
    for (size_t i = 0; i < n; i++) {
        const double g = step->grad_scale * (double)grad[i] + decay * (double)w[i];

        m[i] = (float)(job->opt->config.beta1 * (double)m[i] + trust * g);
        w[i] = (float)((double)w[i] - step->lr * group->lr_scale * (double)m[i]);
    }
    mae_rows_enter(mae_operand_at(step->operands, entry->at.off), NULL, w, NULL, 1, 1, n);
    if (!mae_rows_finite(w, n))
        atomic_store(&job->spoilt, true);
}

static bool lars_step(const MaeOptim *opt, MaePool *pool, const MaeOptimStep *step)
{
    LarsJob job = {opt, step, false};

    mae_pool_run(pool, opt->tiles.table->count, update_tensor, &job);
    return !job.spoilt;
}

const MaeOptimizer mae_optimizer_lars = {
    .name = "lars",
    .whole_tensors = true,
    .state_slots = 1,
    .slots = {"mu"},
    .step = lars_step,
};
