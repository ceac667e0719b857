#include "optim/adamw.h"

#include <stdatomic.h>

#include "kernel/adamw.h"

enum { EXP_AVG, EXP_AVG_SQ };

typedef struct AdamWJob {
    const MaeOptim *opt;
    const MaeOptimStep *step;
    MaeAdamWStep numbers; /* lr and weight decay are filled in per tile */
    atomic_bool spoilt;
} AdamWJob;

static void update_tile(void *ctx, size_t index, size_t thread)
{
    AdamWJob *job = ctx;
    const MaeOptim *opt = job->opt;
    const MaeParamTile *tile = &opt->tiles.items[index];
    const MaeGroup *group = &opt->groups[tile->param];
    MaeAdamWStep numbers = job->numbers;

    (void)thread;
    numbers.lr = job->step->lr * group->lr_scale;
    numbers.weight_decay = group->weight_decay;
    if (!mae_adamw_update(job->step->weights + tile->off,
                          mae_operand_at(job->step->operands, tile->off),
                          opt->state[EXP_AVG] + tile->state,
                          opt->state[EXP_AVG_SQ] + tile->state,
                          job->step->grads + tile->off, tile->count, &numbers))
        atomic_store(&job->spoilt, true);
}

static bool adamw_step(const MaeOptim *opt, MaePool *pool, const MaeOptimStep *step)
{
    AdamWJob job = {
        .opt = opt,
        .step = step,
        .numbers =
            {
                .beta1 = opt->config.beta1,
                .beta2 = opt->config.beta2,
                .eps = opt->config.eps,
                .grad_scale = step->grad_scale,
            },
    };

    mae_adamw_step(&job.numbers, opt->steps);
    mae_pool_run(pool, opt->tiles.count, update_tile, &job);
    return !job.spoilt;
}

const MaeOptimizer mae_optimizer_adamw = {
    .name = "adamw",
    .state_slots = 2,
    .slots = {[EXP_AVG] = "exp_avg", [EXP_AVG_SQ] = "exp_avg_sq"},
    .step = adamw_step,
};
