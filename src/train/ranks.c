/* Part of trainer.h: what several ranks do together. */
#include "base/clock.h"
#include "train/trainer.h"

bool mae_trainer_leads(const MaeTrainer *trainer)
{
    return mae_comm_rank(trainer->hooks->comm) == 0;
}

static bool alone(const MaeTrainer *trainer)
{
    return mae_comm_world(trainer->hooks->comm) == 1;
}

double mae_trainer_clock(const MaeTrainer *trainer)
{
    return alone(trainer) ? mae_clock_now() : trainer->clock;
}

bool mae_trainer_told(const MaeTrainer *trainer)
{
    return alone(trainer) ? mae_trainer_poll(trainer->hooks, NULL) != MAE_OK
                          : trainer->told;
}

static MaeStatus stopped(MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_INTERRUPTED,
             "stopped before the first step: run the same command again");
}

MaeStatus mae_trainer_poll(const MaeTrainHooks *hooks, MaeError *err)
{
    return hooks->stop != NULL && hooks->stop(hooks->ctx) ? stopped(err) : MAE_OK;
}

MaeStatus mae_trainer_obey(const MaeTrainer *trainer, MaeError *err)
{
    return mae_trainer_told(trainer) ? stopped(err) : MAE_OK;
}

/* @param[in,out] loss summed on the way. */
static MaeStatus meet(MaeTrainer *trainer, double *loss, MaeError *err)
{
    const bool told = mae_trainer_poll(trainer->hooks, NULL) != MAE_OK;
    double sums[] = {*loss, told ? 1.0 : 0.0,
                     mae_trainer_leads(trainer) ? mae_clock_now() : 0.0};

    MAE_TRY(mae_comm_sum_doubles(trainer->hooks->comm, sums, 3, err));
    *loss = sums[0];
    trainer->told = trainer->told || sums[1] > 0.0;
    trainer->clock = sums[2];
    return MAE_OK;
}

MaeStatus mae_trainer_sync(MaeTrainer *trainer, MaeError *err)
{
    double loss = 0.0;

    return alone(trainer) ? MAE_OK : meet(trainer, &loss, err);
}

MaeStatus mae_trainer_combine(MaeTrainer *trainer, double *loss, MaeError *err)
{
    if (alone(trainer))
        return MAE_OK;
    MAE_TRY(mae_gradients_end(trainer->gradients, err));
    MAE_TRY(meet(trainer, loss, err));
    *loss /= (double)mae_comm_world(trainer->hooks->comm);
    return MAE_OK;
}

MaeStatus mae_trainer_follow(MaeTrainer *trainer, void *data, size_t bytes, MaeError *err)
{
    return mae_comm_broadcast(trainer->hooks->comm, data, bytes, 0, err);
}

/* Slots that are not spread lie in rank 0's memory; those that are, in its checkpoint. */
static MaeStatus spread_state(MaeTrainer *trainer, const MaeCkptReader *reader,
                              MaeError *err)
{
    MaeOptim *optim = &trainer->optim;
    const size_t bytes = trainer->task.table->total * sizeof *trainer->w;

    for (size_t s = 0; s < optim->driver->state_slots; s++) {
        if (trainer->shards == NULL)
            MAE_TRY(mae_trainer_follow(trainer, optim->state[s], bytes, err));
        else if (trainer->resumed)
            MAE_TRY(mae_trainer_spread_slot(trainer, s, reader, err));
    }
    return MAE_OK;
}

MaeStatus mae_trainer_spread(MaeTrainer *trainer, const MaeCkptReader *reader,
                             MaeError *err)
{
    MaeOptim *optim = &trainer->optim;
    const size_t bytes = trainer->task.table->total * sizeof *trainer->w;

    if (alone(trainer))
        return MAE_OK;
    trainer->torn = true;
    MAE_TRY(mae_trainer_follow(trainer, &trainer->resumed, sizeof trainer->resumed, err));
    MAE_TRY(mae_trainer_follow(trainer, trainer->w, bytes, err));
    MAE_TRY(spread_state(trainer, reader, err));
    if (optim->average != NULL)
        MAE_TRY(mae_trainer_follow(trainer, optim->average, bytes, err));
    MAE_TRY(mae_trainer_follow(trainer, &optim->steps, sizeof optim->steps, err));
    MAE_TRY(mae_trainer_follow(trainer, &trainer->state, sizeof trainer->state, err));
    trainer->torn = false;
    return MAE_OK;
}
