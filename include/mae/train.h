/**
 * @file train.h
 * Training runs: what mae-pretrain and mae-finetune do, as functions.
 *
 * A run is described by a YAML file and overrides "key.path=value" (mae-pretrain
 * --help-config lists all keys). It goes on where it was if train.output_dir holds it.
 *
 * Source   He et al. 2021, arXiv:2111.06377; facebookresearch/mae main_pretrain.py and
 *          main_finetune.py.
 * Errors   ARG (configuration, a folder that must not be used, data that do not fit the
 *          task), FORMAT and IO (data, checkpoints), NUMERIC (loss, gradient or weight
 *          that is not finite, see train.on_nonfinite; the last good state is saved),
 *          INTERRUPTED (stopped, everything saved), NOMEM.
 * Threads  A run owns its threads; callbacks come from the calling thread, log lines from
 *          any. Opening sets the BLAS library of the process to one thread.
 */
#ifndef MAE_TRAIN_H
#define MAE_TRAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "mae/log.h"
#include "mae/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where a run is; valid during the call. */
typedef struct MaeTrainProgress {
    size_t epoch, epochs;     /* under way, counted from 1 */
    size_t step, steps;       /* optimiser steps done in the epoch, and its total */
    double images_per_second; /* of this session's updates, evaluations left out */
    double loss;              /* mean over the epoch so far */
    double seconds_left; /* to the end of the run, evaluations included; NaN if unknown */
    bool epoch_done;     /* its evaluation, if there is one, comes next */
    /** What is being evaluated after the epoch, "held-out loss"; NULL: it trains. Step,
        steps, speed and seconds left are then those of that evaluation, in images. */
    const char *evaluated;
} MaeTrainProgress;

struct MaeComm;

/** What a run asks and tells its caller. */
typedef struct MaeTrainHooks {
    MaeLog log;
    void (*progress)(void *ctx, const MaeTrainProgress *progress); /* NULL: none */
    /** Asked after every step and in evaluations: save and end? NULL: never. */
    bool (*stop)(void *ctx);
    void *ctx;            /* of progress and stop */
    const char *tool;     /* stored in checkpoints, e.g. "mae-pretrain"; NULL: "libmae" */
    struct MaeComm *comm; /* processes that train together, as the tools of libmae open
                             it where mpirun starts them; NULL: this one alone */
} MaeTrainHooks;

/** What a run reports, also one that was stopped. */
typedef struct MaeTrainResult {
    size_t epochs, steps;     /* done, earlier sessions included */
    double train_loss;        /* of the last epoch; NaN if none ran */
    double score;             /* best: - held-out loss, or top-1 in 0..1; NaN if none */
    double last_score;        /* of the last evaluation; NaN if none, or not finite */
    double images_per_second; /* of this session's updates, evaluations left out */
    double waited;            /* share of the updates spent waiting for data, 0..1 */
    double met;               /* share spent waiting for other ranks, 0..1 */
    double seconds;           /* of this session */
} MaeTrainResult;

/**
 * MAE pretraining.
 * @param config path, or NULL for defaults and overrides alone.
 * @param overrides [n], later ones win; NULL if n is 0.
 * @param hooks not NULL, zeroed fields are fine.
 * @param[out] result not NULL; set once the run has begun, whatever its end.
 */
MaeStatus mae_pretrain_file(const char *config, const char *const *overrides, size_t n,
                            const MaeTrainHooks *hooks, MaeTrainResult *result,
                            MaeError *err);

/** Fine-tuning of a classifier; otherwise as mae_pretrain_file. */
MaeStatus mae_finetune_file(const char *config, const char *const *overrides, size_t n,
                            const MaeTrainHooks *hooks, MaeTrainResult *result,
                            MaeError *err);

#ifdef __cplusplus
}
#endif

#endif /* MAE_TRAIN_H */
