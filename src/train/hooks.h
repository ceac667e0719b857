/**
 * @file hooks.h
 * How a training run talks to whoever started it.
 *
 * Threads  Callbacks are called from the training thread (the log from any thread).
 */
#ifndef MAE_TRAIN_HOOKS_H
#define MAE_TRAIN_HOOKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

/** Where a run is; valid during the call. */
typedef struct MaeTrainProgress {
    size_t epoch, epochs; /* under way, counted from 1 */
    size_t step, steps;   /* optimiser steps done in the epoch, and its total */
    double images_per_second;
    double loss;         /* mean over the epoch so far */
    double seconds_left; /* to the end of the run; NaN if unknown */
    bool epoch_done;
} MaeTrainProgress;

typedef struct MaeTrainHooks {
    MaeLog log;
    void (*progress)(void *ctx, const MaeTrainProgress *progress); /* NULL: none */
    void *ctx;                                                     /* of progress */
    const atomic_int
        *stop;        /* not 0: save and end with MAE_ERR_INTERRUPTED; NULL: never */
    const char *tool; /* stored in checkpoints, "mae-pretrain" */
} MaeTrainHooks;

/** What a finished run reports. */
typedef struct MaeTrainResult {
    size_t epochs, steps; /* done, earlier sessions included */
    double train_loss;    /* of the last epoch; NaN if none ran */
    double score;         /* best: - held-out loss, or top-1 accuracy 0..1; NaN if none */
    double last_score;    /* of the last evaluation; NaN if none */
    double images_per_second; /* of this session */
    double waited;  /* share of the session's time spent waiting for data, 0..1 */
    double seconds; /* of this session */
} MaeTrainResult;

#endif /* MAE_TRAIN_HOOKS_H */
