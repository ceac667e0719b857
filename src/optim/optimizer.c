#include "optim/optimizer.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "kernel/rows.h"
#include "optim/adamw.h"
#include "optim/lars.h"

const MaeOptimizer *const mae_optimizers[] = {
    &mae_optimizer_adamw,
    &mae_optimizer_lars,
    NULL,
};

const MaeOptimizer *mae_optimizer_find(const char *name)
{
    for (size_t i = 0; mae_optimizers[i] != NULL; i++) {
        if (strcmp(mae_optimizers[i]->name, name) == 0)
            return mae_optimizers[i];
    }
    return NULL;
}

static MaeStatus check_config(const MaeOptimConfig *config, MaeError *err)
{
    if (!(config->beta1 >= 0.0 && config->beta1 < 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "optimizer: beta1: expected from 0 to below 1, got %g",
                 config->beta1);
    if (!(config->beta2 >= 0.0 && config->beta2 < 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "optimizer: beta2: expected from 0 to below 1, got %g",
                 config->beta2);
    if (!isfinite(config->eps) || config->eps <= 0.0)
        MAE_FAIL(err, MAE_ERR_ARG, "optimizer: eps: expected a number above 0, got %g",
                 config->eps);
    if (!(config->ema_decay >= 0.0 && config->ema_decay < 1.0))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "optimizer: ema_decay: expected from 0 to below 1, got %g",
                 config->ema_decay);
    return mae_group_check(&config->groups, err);
}

MaeStatus mae_optim_define(MaeOptim *opt, const MaeParamTable *table,
                           const MaeOptimConfig *config, MaeError *err)
{
    const MaeOptimizer *driver = mae_optimizer_find(config->name);
    MaeGroup group;

    if (driver == NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "optimizer: no optimizer is called \"%s\"",
                 config->name);
    MAE_TRY(check_config(config, err));
    if (config->shards != NULL && (driver->whole_tensors || config->ema_decay > 0.0))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "optimizer: the state of %s cannot be spread over ranks%s", driver->name,
                 driver->whole_tensors ? "" : " where weights are averaged");
    for (size_t p = 0; p < table->count; p++) {
        if (!(table->entries[p].flags & MAE_PARAM_FIXED))
            MAE_TRY(mae_group_of(&group, &table->entries[p], &config->groups, err));
    }
    *opt = (MaeOptim){.driver = driver, .config = *config};
    opt->config.name = driver->name;
    mae_tiles_define(&opt->tiles, table, config->shards, config->shard_count);
    return MAE_OK;
}

void mae_optim_reserve(MaeOptim *opt, MaeArena *arena)
{
    const MaeParamTable *table = opt->tiles.table;

    opt->groups = mae_arena_bytes(arena, table->count, sizeof *opt->groups);
    mae_tiles_reserve(&opt->tiles, arena);
    for (size_t s = 0; s < opt->driver->state_slots; s++)
        opt->state[s] = mae_arena_floats(arena, mae_tiles_elements(&opt->tiles));
    opt->average =
        opt->config.ema_decay > 0.0 ? mae_arena_floats(arena, table->total) : NULL;
}

void mae_optim_init(MaeOptim *opt)
{
    const MaeParamTable *table = opt->tiles.table;

    /* define has checked that every trained parameter has a group */
    for (size_t p = 0; p < table->count; p++) {
        if (!(table->entries[p].flags & MAE_PARAM_FIXED))
            (void)mae_group_of(&opt->groups[p], &table->entries[p], &opt->config.groups,
                               NULL);
    }
    mae_tiles_init(&opt->tiles);
    for (size_t s = 0; s < opt->driver->state_slots; s++)
        memset(opt->state[s], 0, mae_tiles_elements(&opt->tiles) * sizeof(float));
    opt->steps = 0;
}

const float *mae_optim_slot(const MaeOptim *opt, size_t slot, MaeError *err)
{
    if (opt->tiles.shards == NULL)
        return opt->state[slot];
    if (opt->gather != NULL)
        return opt->gather(opt->gather_ctx, slot, err);
    (void)mae_error_set(err, MAE_ERR_COMM, __FILE__, __LINE__,
                        "optimizer: nobody gathers the state of all ranks");
    return NULL;
}

void mae_optim_set_slot(MaeOptim *opt, size_t slot, const float *whole)
{
    float *to = opt->state[slot];

    if (opt->tiles.shards == NULL) {
        memcpy(to, whole, opt->tiles.table->total * sizeof *to);
        return;
    }
    for (size_t i = 0; i < opt->tiles.shard_count; i++) {
        const MaeShard *shard = &opt->tiles.shards[i];

        memcpy(to, whole + shard->off, shard->count * sizeof *to);
        to += shard->count;
    }
}

MaeParamElement mae_optim_spoilt(const MaeOptim *opt, size_t slot)
{
    for (size_t t = 0; t < opt->tiles.count; t++) {
        const MaeParamTile *tile = &opt->tiles.items[t];
        const MaeParamEntry *entry = &opt->tiles.table->entries[tile->param];
        const float *values = opt->state[slot] + tile->state;

        for (size_t i = 0; i < tile->count; i++) {
            if (!isfinite(values[i]))
                return (MaeParamElement){entry->name, tile->off - entry->at.off + i,
                                         (double)values[i]};
        }
    }
    return (MaeParamElement){.name = NULL};
}

void mae_optim_start(MaeOptim *opt, const float *weights)
{
    if (opt->average != NULL && opt->steps == 0)
        memcpy(opt->average, weights, opt->tiles.table->total * sizeof *weights);
}

/* Statistics are not scaled: a clipped gradient has not seen less of the data. They are
 * averages themselves. */
static bool step_tracked(const MaeOptim *opt, float *weights, const float *grads)
{
    const MaeParamTable *table = opt->tiles.table;
    bool finite = true;

    for (size_t p = 0; p < table->count; p++) {
        const MaeParam at = table->entries[p].at;

        if (!(table->entries[p].flags & MAE_PARAM_TRACKED))
            continue;
        mae_rows_add(weights + at.off, grads + at.off, at.count);
        finite = finite && mae_rows_finite(weights + at.off, at.count);
        if (opt->average != NULL)
            memcpy(opt->average + at.off, weights + at.off, at.count * sizeof *weights);
    }
    return finite;
}

typedef struct AverageJob {
    const MaeOptim *opt;
    const float *weights;
    float rate; /* 1 - decay */
    atomic_bool spoilt;
} AverageJob;

static void average_tile(void *ctx, size_t index, size_t thread)
{
    AverageJob *job = ctx;
    const MaeParamTile *tile = &job->opt->tiles.items[index];
    float *average = job->opt->average + tile->off;
    const float *w = job->weights + tile->off;

    (void)thread;
    for (size_t i = 0; i < tile->count; i++)
        average[i] += job->rate * (w[i] - average[i]);
    if (!mae_rows_finite(average, tile->count))
        atomic_store(&job->spoilt, true);
}

bool mae_optim_step(MaeOptim *opt, MaePool *pool, float *weights, MaeOperand operands,
                    const float *grads, double lr, double grad_scale)
{
    const MaeOptimStep step = {
        .weights = weights,
        .operands = operands,
        .grads = grads,
        .lr = lr,
        .grad_scale = grad_scale,
    };
    bool finite;

    opt->steps++;
    finite = opt->driver->step(opt, pool, &step);
    finite = step_tracked(opt, weights, grads) && finite;
    if (opt->average != NULL) {
        const double ramp = (double)opt->steps / (double)(opt->steps + 9);
        AverageJob job = {opt, weights, (float)(1.0 - fmin(opt->config.ema_decay, ramp)),
                          false};

        mae_pool_run(pool, opt->tiles.count, average_tile, &job);
        finite = finite && !job.spoilt;
    }
    return finite;
}
