/**
 * @file schedule.h
 * Learning rate over fractional epochs: linear warm-up, then half a cosine.
 *
 *   epoch < warmup   lr(e) = lr * e / warmup
 *   otherwise        lr(e) = min_lr + (lr - min_lr) / 2 * (1 + cos(pi * t))
 *                    t = (e - warmup) / (epochs - warmup)
 *
 * Source   facebookresearch/mae util/lr_sched.py; linear scaling rule of Goyal et al.
 *          2017, arXiv:1706.02677.
 * Units    Epochs are fractional: step / steps per epoch.
 * Memory   Plain data, nothing to free.
 * Errors   Only mae_schedule_check can fail.
 * Threads  Reentrant.
 */
#ifndef MAE_OPTIM_SCHEDULE_H
#define MAE_OPTIM_SCHEDULE_H

#include <stddef.h>

#include "base/status.h"

/** A schedule; mae_schedule_check says whether it makes sense. */
typedef struct MaeSchedule {
    double lr;            /* peak, reached at the end of the warm-up; >= min_lr */
    double min_lr;        /* reached at the end; >= 0, default 0 */
    double warmup_epochs; /* 0 .. epochs, 0 = start at the peak */
    double epochs;        /* length of the run; > 0 */
} MaeSchedule;

/** MAE_ERR_ARG naming the field that is out of range or not finite. */
MaeStatus mae_schedule_check(const MaeSchedule *schedule, MaeError *err);

/**
 * Learning rate at @p epoch >= 0 of a schedule that passes the check. Past the end it
 * stays at its last value: min_lr, or lr if the whole run is warm-up.
 */
double mae_schedule_lr(const MaeSchedule *schedule, double epoch);

/** blr * batch / 256. @param batch images per update over all ranks and accumulations. */
double mae_schedule_scaled_lr(double blr, size_t batch);

#endif /* MAE_OPTIM_SCHEDULE_H */
