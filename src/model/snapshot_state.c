/* Tensors of checkpoints: weights and what the optimiser keeps. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/snapshot.h"

#define RAW_GROUP "optim/weights" /* where params are averages */

static void slot_group(char *group, size_t size, const MaeOptim *optim, size_t slot)
{
    (void)snprintf(group, size, "optim/%s", optim->driver->slots[slot]);
}

MaeStatus mae_snapshot_put_optim(MaeCkptWriter *w, const MaeParamTable *table,
                                 const float *weights, const MaeOptim *optim,
                                 MaeError *err)
{
    char group[64];

    if (optim->average != NULL) {
        mae_ckpt_put_real(w, "ema_decay", optim->config.ema_decay);
        mae_ckpt_put_table(w, RAW_GROUP, table, weights);
    }

    mae_ckpt_put_text(w, "optimizer", optim->driver->name);
    mae_ckpt_put_int(w, "optim_steps", (int64_t)optim->steps);
    for (size_t i = 0; i < optim->driver->state_slots; i++) {
        const float *slot = mae_optim_slot(optim, i, err);

        if (slot == NULL)
            return MAE_ERR_COMM;
        slot_group(group, sizeof group, optim, i);
        mae_ckpt_put_table(w, group, table, slot);
    }
    return MAE_OK;
}

MaeStatus mae_snapshot_expect_finite(const MaeCkptReader *reader, const char *group,
                                     const MaeParamTable *table, const float *flat,
                                     MaeError *err)
{
    const MaeParamElement bad = mae_param_beyond(table, MAE_PARAM_ALL, flat, FLT_MAX);

    if (bad.name != NULL)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: %s/%s: expected finite numbers, element %zu "
                 "is %g",
                 mae_ckpt_path(reader), group, bad.name, bad.index, bad.value);
    return MAE_OK;
}

static MaeStatus get_finite(const MaeCkptReader *reader, const char *group,
                            const MaeParamTable *table, float *flat, MaeError *err)
{
    MAE_TRY(mae_ckpt_get_table(reader, group, table, flat, err));
    return mae_snapshot_expect_finite(reader, group, table, flat, err);
}

MaeStatus mae_snapshot_weights(const MaeCkptReader *reader, const MaeParamTable *table,
                               float *weights, MaeError *err)
{
    return get_finite(reader, "params", table, weights, err);
}

MaeStatus mae_snapshot_slot(const MaeCkptReader *reader, const MaeParamTable *table,
                            const MaeOptim *optim, size_t slot, float *whole,
                            MaeError *err)
{
    char group[64];

    slot_group(group, sizeof group, optim, slot);
    return get_finite(reader, group, table, whole, err);
}

MaeStatus mae_snapshot_optim(const MaeCkptReader *reader, const MaeParamTable *table,
                             MaeOptim *optim, MaeError *err)
{
    const char *path = mae_ckpt_path(reader), *name = optim->driver->name;
    char *stored = NULL;
    int64_t steps = 0;
    bool same;

    if (!mae_ckpt_has(reader, "optimizer"))
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: holds no optimiser state, training cannot be resumed from it",
                 path);
    MAE_TRY(mae_ckpt_get_text(reader, "optimizer", &stored, err));
    same = strcmp(stored, name) == 0;
    if (!same)
        (void)mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                            "%s: optimizer: expected the state of %s, found \"%.40s\"",
                            path, name, stored);
    free(stored);
    if (!same)
        return MAE_ERR_FORMAT;
    MAE_TRY(mae_ckpt_get_int(reader, "optim_steps", &steps, err));
    if (steps < 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: optim_steps: expected at least 0, found %lld",
                 path, (long long)steps);
    for (size_t i = 0; i < optim->driver->state_slots && optim->tiles.shards == NULL; i++)
        MAE_TRY(mae_snapshot_slot(reader, table, optim, i, optim->state[i], err));
    optim->steps = (uint64_t)steps;
    return MAE_OK;
}

MaeStatus mae_snapshot_resume(const MaeCkptReader *reader, const MaeParamTable *table,
                              float *weights, MaeOptim *optim, MaeError *err)
{
    const bool stored = mae_ckpt_has(reader, "ema_decay");
    const bool wanted = optim->average != NULL;

    if (stored != wanted)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: expected %s averaged weights, found %s",
                 mae_ckpt_path(reader), wanted ? "a run with" : "a run without",
                 stored ? "some" : "none");
    MAE_TRY(mae_snapshot_optim(reader, table, optim, err));
    if (!wanted)
        return mae_snapshot_weights(reader, table, weights, err);
    MAE_TRY(mae_snapshot_weights(reader, table, optim->average, err));
    return get_finite(reader, RAW_GROUP, table, weights, err);
}
