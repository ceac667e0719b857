/*
 * Part of trainer.h: the optimiser's state spread over ranks (dist.shard_optimizer).
 *
 * Rank 0 asks for a slot whenever the writer of a checkpoint comes to it, so the others
 * answer until they are let go; a slot of all is put together in the gradients, which
 * are free between updates.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/trainer.h"

#define LET_GO UINT64_MAX

MaeStatus mae_trainer_share_state(MaeTrainer *trainer, const MaeParamTable *table,
                                  MaeOptimConfig *optim, MaeError *err)
{
    const MaeComm *comm = trainer->hooks->comm;

    if (!trainer->cfg->dist.shard_optimizer || mae_comm_world(comm) == 1)
        return MAE_OK;
    optim->shard_count = mae_gradients_shards(comm, table, NULL);
    trainer->shards = calloc(optim->shard_count, sizeof *trainer->shards);
    if (trainer->shards == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dist.shard_optimizer: out of memory");
    (void)mae_gradients_shards(comm, table, trainer->shards);
    optim->shards = trainer->shards;
    return MAE_OK;
}

/* Gradients = the slot of all ranks. */
static MaeStatus put_together(MaeTrainer *trainer, size_t slot, MaeError *err)
{
    const MaeTiles *tiles = &trainer->optim.tiles;
    const float *from = trainer->optim.state[slot];

    memset(trainer->dw, 0, tiles->table->total * sizeof *trainer->dw);
    for (size_t i = 0; i < tiles->shard_count; i++) {
        memcpy(trainer->dw + tiles->shards[i].off, from,
               tiles->shards[i].count * sizeof *from);
        from += tiles->shards[i].count;
    }
    return mae_gradients_collect(trainer->hooks->comm, tiles->table, trainer->dw, err);
}

const float *mae_trainer_gather(void *ctx, size_t slot, MaeError *err)
{
    MaeTrainer *trainer = ctx;
    uint64_t wanted = slot;

    if (mae_trainer_follow(trainer, &wanted, sizeof wanted, err) != MAE_OK ||
        put_together(trainer, slot, err) != MAE_OK)
        return NULL;
    return trainer->dw;
}

MaeStatus mae_trainer_answer(MaeTrainer *trainer, MaeError *err)
{
    for (;;) {
        uint64_t wanted = LET_GO;

        MAE_TRY(mae_trainer_follow(trainer, &wanted, sizeof wanted, err));
        if (wanted == LET_GO)
            return MAE_OK;
        MAE_TRY(put_together(trainer, (size_t)wanted, err));
    }
}

MaeStatus mae_trainer_let_go(MaeTrainer *trainer, MaeError *err)
{
    uint64_t wanted = LET_GO;

    return mae_trainer_follow(trainer, &wanted, sizeof wanted, err);
}

MaeStatus mae_trainer_norm(MaeTrainer *trainer, double *norm, MaeError *err)
{
    MaeComm *comm = trainer->hooks->comm;
    const MaeStatus status =
        mae_clip_norm(&trainer->clip, norm, trainer->compute.pool, trainer->dw, 1.0, err);
    double squares = *norm * *norm;

    if (trainer->shards == NULL)
        return status;
    MAE_TRY(mae_comm_sum_doubles(comm, &squares, 1, err)); /* also if it is not finite */
    *norm = sqrt(squares);
    return mae_comm_agree(comm, status, err);
}

MaeStatus mae_trainer_step(MaeTrainer *trainer, double lr, double factor, bool *finite,
                           MaeError *err)
{
    MaeComm *comm = trainer->hooks->comm;
    double spoilt;

    trainer->torn = trainer->shards != NULL;
    *finite = mae_optim_step(&trainer->optim, trainer->compute.pool, trainer->w,
                             trainer->operands, trainer->dw, lr, factor);
    if (trainer->shards == NULL)
        return MAE_OK;
    spoilt = *finite ? 0.0 : 1.0;
    MAE_TRY(mae_comm_sum_doubles(comm, &spoilt, 1, err));
    *finite = spoilt <= 0.0;
    MAE_TRY(mae_gradients_collect(comm, trainer->task.table, trainer->w, err));
    mae_trainer_refresh(trainer);
    trainer->torn = !*finite;
    return MAE_OK;
}

MaeStatus mae_trainer_spread_slot(MaeTrainer *trainer, size_t slot,
                                  const MaeCkptReader *reader, MaeError *err)
{
    const MaeParamTable *table = trainer->task.table;
    MaeStatus status = MAE_OK;

    if (reader != NULL)
        status =
            mae_snapshot_slot(reader, table, &trainer->optim, slot, trainer->dw, err);
    MAE_TRY(mae_comm_agree(trainer->hooks->comm, status, err));
    MAE_TRY(mae_trainer_follow(trainer, trainer->dw, table->total * sizeof *trainer->dw,
                               err));
    mae_optim_set_slot(&trainer->optim, slot, trainer->dw);
    return MAE_OK;
}
