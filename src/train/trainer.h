/**
 * @file trainer.h
 * The step loop that pretraining and fine-tuning share: batches in, updates, logs and
 * checkpoints out. What differs is a MaeTask.
 *
 * One update: accum_iter batches forward and backward, global gradient norm (which finds
 * numbers that are not finite), clipping, learning rate of the fractional epoch,
 * optimiser. A run can be left and taken up after any update: positions, sums and moments
 * are in the checkpoint, random numbers follow from (seed, epoch, sample), so the rest of
 * the run is bitwise the same.
 *
 * With finetune.ema_decay the averaged weights are evaluated and scored, beside those
 * that are trained, and are the model in checkpoints (model/snapshot.h).
 *
 * train.stop_after  saves and ends with INTERRUPTED after so many hours of a session.
 * train.max_hours   runs the schedule by the larger of the share of epochs and the share
 *                   of time used, so that it ends annealed within the budget.
 *
 * train.on_nonfinite  when a loss, a gradient or its square, a weight or a moment is not
 *                   finite, which is seen in the update that makes it so:
 *   stop      ends with NUMERIC.
 *   skip      leaves the update out while the weights are good: it counts as a step and
 *             its images as seen, but changes nothing, and its loss is in no mean. Too
 *             many in a row, or bad weights, end the run.
 *   rollback  goes back to the newest checkpoint, logs included, and leaves the update
 *             out when it comes to it again; a new run saves its first state for this.
 * A loss on data.val that is not finite ends with NUMERIC if it is to stop, else the
 * evaluation has no result; the weights are kept as they are.
 * What happened in an update is in nonfinite-STEP.json (train/nonfinite.h). Updates that
 * are left out are part of checkpoints, so a run that is taken up again equals one that
 * was not.
 *
 * Ranks (hooks.comm) share every update: each trains on its part of the batches, their
 * gradients are added up, and all do the same step with the sum. Rank 0 alone reads and
 * writes the run folder, and its clock decides. What can fail or be stopped on one rank
 * is agreed upon before the next thing that ranks do together, so a function that takes
 * part in such things ends alike on all of them: with the same status, unless it is COMM.
 *
 * Memory   Everything is planned when the trainer opens; updates never allocate.
 * Errors   NUMERIC as above; INTERRUPTED after a stop with everything saved. Before any
 *          other failure, e.g. of data or of numbers, what was learnt so far is saved if
 *          that is possible and all finite.
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_TRAINER_H
#define MAE_TRAIN_TRAINER_H

#include "comm/comm.h"
#include "conf/config.h"
#include "data/loader.h"
#include "data/survey.h"
#include "eval/report.h"
#include "mae/train.h"
#include "model/snapshot.h"
#include "optim/clip.h"
#include "optim/schedule.h"
#include "train/gradients.h"
#include "train/run_folder.h"

#define MAE_TRAIN_ROLLBACKS 3 /* of a session; schema.c tells it */

/** Which weights an evaluation sees. */
typedef enum MaeEvaluated {
    MAE_EVALUATED_ONLY,    /* what is trained; there are no others */
    MAE_EVALUATED_RAW,     /* what is trained, where weights are averaged */
    MAE_EVALUATED_AVERAGE, /* the averages: the model that counts */
} MaeEvaluated;

struct MaeTrainer;

/** What is trained. Functions get @p ctx. */
typedef struct MaeTask {
    void *ctx;
    const MaeParamTable *table;
    const char *optimizer;    /* name of the driver */
    const MaeDataset *images; /* of the batches */

    /**
     * Prepare the products of all batches to come; @p dw is free to write into. @p use is
     * ADD if gradients will also be added up.
     */
    MaeStatus (*rehearse)(void *ctx, MaeWeights w, float *dw, MaeGradUse use,
                          MaeError *err);

    /** Refuse a batch that cannot be trained on; NULL: any can. */
    MaeStatus (*accept)(void *ctx, const MaeBatch *batch, MaeError *err);

    /** @return the loss of a batch; dw = or += scale * its gradient. */
    double (*step)(void *ctx, const MaeBatch *batch, MaeWeights w, float *dw,
                   MaeGradUse use, double scale);

    /**
     * Evaluate after an epoch of @p trainer and add the results to @p record. What
     * takes long asks mae_trainer_poll in between and shows how far it is
     * (mae_trainer_watch); an evaluation that was interrupted is done again when the run
     * goes on.
     * Names of results begin with "raw_" for RAW.
     * @param[out] score higher is better; -INFINITY if the loss was not finite; left
     *                   alone if there is none.
     */
    MaeStatus (*evaluate)(void *ctx, struct MaeTrainer *trainer, MaeWeights w, bool last,
                          MaeEvaluated which, MaeJson *record, double *score,
                          MaeError *err);

    /** Add to the report of the run (train/run_report.h); NULL: nothing to show. */
    MaeStatus (*illustrate)(void *ctx, MaeWeights w, MaeReport *report, MaeError *err);

    /** Fill kind, arch, mask_ratio, mean, std and class_names (borrowed). */
    void (*describe)(void *ctx, MaeSnapshot *snapshot);
} MaeTask;

/** Where a run stands; all of it is saved. */
typedef struct MaeTrainState {
    uint64_t epoch, batch; /* completed epochs; batches done in the one under way */
    uint64_t step, samples;
    uint64_t skipped;  /* updates of the epoch under way that were left out */
    uint64_t in_a_row; /* updates that were left out since the last one that was not */
    double loss_sum; /* over the batches done in the epoch under way, skipped ones not */
    double best;     /* score; -INFINITY if there is none */
    double seconds;  /* of earlier sessions */
} MaeTrainState;

/** Where the time of a session went: an evaluation must not look like slow training. */
typedef struct MaeTrainPace {
    uint64_t updates, epochs; /* done */
    double updating;          /* seconds of updates, waiting for data included */
    double waiting;           /* of these for data */
    double meeting;           /* of these for other ranks */
    double evaluating;        /* seconds of evaluations, at the ends of epochs */
} MaeTrainPace;

/** Zero-initialised is closed. */
typedef struct MaeTrainer {
    const MaeConfig *cfg;
    const MaeTrainHooks *hooks;
    MaeTask task;
    MaeCompute compute;
    MaeLoader *loader;
    MaeGradients *gradients; /* sums over ranks; set after open, NULL: alone */
    MaeRunFolder *folder;
    MaeArena arena;
    float *w, *dw;       /* [table.total] weights and gradients */
    MaeOperand operands; /* [table.total] weights as operands; in an f32 run w itself */
    MaeOptim optim;
    MaeClip clip;
    MaeSchedule schedule;
    size_t batches; /* used per epoch: a multiple of accum_iter */
    bool resumed;   /* the run goes on from a checkpoint */
    bool told;      /* a rank was asked to stop; of several ranks */
    double clock;   /* of rank 0 when ranks last met; of several ranks */
    MaeTrainState state;
    MaeSaveAs owed;              /* names of the last save, if it ended the run */
    double started, last_save;   /* mae_trainer_clock; 0 before the run */
    MaeTrainPace pace, epoch_at; /* of the session: now, and at the start of the epoch */
    double last_loss, last_score;
    double lr, norm;  /* of the update under way; NaN until the norm is known */
    double *losses;   /* [accum_iter] of its batches, as far as they are this rank's */
    bool torn;        /* weights and state are not those of one moment */
    MaeShard *shards; /* [optim.tiles.shard_count] owned; NULL: state is not spread */
    size_t reports;   /* failed updates that the session has told */
    size_t rollbacks;
    uint64_t barred[MAE_TRAIN_ROLLBACKS]; /* [rollbacks] steps that are left out */
    double next_report;                   /* clock: not before, but at the end */
    const char *evaluated;                /* as MaeTrainProgress */
    double evaluated_since;               /* clock */
} MaeTrainer;

/**
 * Plan and allocate weights, gradients and the optimiser.
 * @param layer_decay 1 in pretraining.  @param depth blocks of the encoder.
 * Pointers are borrowed and must outlive the trainer; weights are zero.
 */
MaeStatus mae_trainer_open(MaeTrainer *trainer, const MaeConfig *cfg,
                           const MaeTrainHooks *hooks, const MaeTask *task,
                           const MaeCompute *compute, MaeRunFolder *folder,
                           double layer_decay, size_t depth, MaeError *err);

/** Accepts NULL and a zeroed or half-built object. */
void mae_trainer_close(MaeTrainer *trainer);

/** Bytes of weights, gradients and optimiser state. */
size_t mae_trainer_bytes(const MaeTrainer *trainer);

/**
 * INTERRUPTED if the caller asked this rank to stop; the message is for one that has not
 * begun, mae_trainer_run has its own.
 */
MaeStatus mae_trainer_poll(const MaeTrainHooks *hooks, MaeError *err);

/** The same if any rank was asked, known when ranks meet. */
MaeStatus mae_trainer_obey(const MaeTrainer *trainer, MaeError *err);

/**
 * What an evaluation of @p images held-out images must have found: FORMAT if no image
 * could be read; for a loss that is not finite a warning or, if train.on_nonfinite is
 * stop, NUMERIC. @param[out] finite false: it has no result.
 */
MaeStatus mae_trainer_check_loss(const MaeTrainer *trainer, double loss, size_t images,
                                 bool *finite, MaeError *err);

/** Seconds trained, those of earlier sessions included. */
double mae_trainer_seconds(const MaeTrainer *trainer);

/** Seconds that are left of train.max_hours, 0 or more; INFINITY without it. */
double mae_trainer_budget(const MaeTrainer *trainer);

/** Mean over the batches done in the epoch under way; NaN if all were left out. */
double mae_trainer_loss(const MaeTrainer *trainer);

/** True if all epochs are done, or the budget is used up and no epoch is under way. */
bool mae_trainer_finished(const MaeTrainer *trainer);

/** Images per second of the updates since @p past, 0 if there were none. */
double mae_trainer_speed(const MaeTrainer *trainer, const MaeTrainPace *past);

/**
 * Tell the caller's progress callback where the run is: after an update or, with
 * @p epoch_done, after the last one of an epoch and before its evaluation.
 */
void mae_trainer_show(const MaeTrainer *trainer, bool epoch_done);

/**
 * Who hears of an evaluation that begins now, one at a time, in images; the caller's
 * progress callback does. @param what as MaeTrainProgress.evaluated; kept.
 */
MaeWatch mae_trainer_watch(MaeTrainer *trainer, const char *what);

/** Hand over the loader; computes steps per epoch. */
void mae_trainer_set_loader(MaeTrainer *trainer, MaeLoader *loader);

/**
 * Take weights, optimiser state and position from a checkpoint of the same task; slots
 * that are spread over ranks come by mae_trainer_spread.
 */
MaeStatus mae_trainer_resume(MaeTrainer *trainer, const MaeCkptReader *reader,
                             const MaeSnapshot *snapshot, MaeError *err);

/**
 * Weights are in place: derive the operands from them and prepare all products. Whoever
 * writes trainer->w calls this before anything else below.
 */
MaeStatus mae_trainer_ready(MaeTrainer *trainer, MaeError *err);

/** Operands follow the weights. */
void mae_trainer_refresh(MaeTrainer *trainer);

/** Weights as the model reads them. */
MaeWeights mae_trainer_weights(const MaeTrainer *trainer);

/**
 * Evaluate the weights or, with averaging, both: what is trained as "raw_", then the
 * averages, whose score counts. Meanwhile the operands are those of what is evaluated;
 * after an interruption, too, they are as before.
 */
MaeStatus mae_trainer_evaluate(MaeTrainer *trainer, bool last, MaeJson *record,
                               double *score, MaeError *err);

/**
 * Measure real updates without changing anything and report size, memory, time and disk.
 * @param activations bytes of the task's run.  @param images bytes of its loaders.
 */
MaeStatus mae_trainer_preflight(MaeTrainer *trainer, size_t activations, size_t images,
                                MaeError *err);

/**
 * The next batch that can be trained on, on all ranks.
 * @param[out] batch to be released; NULL on failure.
 */
MaeStatus mae_trainer_fetch(MaeTrainer *trainer, const MaeBatch **batch, MaeError *err);

/** Learning rate of the update that begins after so many batches of the epoch. */
double mae_trainer_rate(const MaeTrainer *trainer, uint64_t batch);

/**
 * The first half of an update: loss, maybe not finite, and gradient of this rank's part
 * of one batch out of accum_iter.
 * @param first of the update: the gradients begin at zero.
 */
double mae_trainer_add(MaeTrainer *trainer, const MaeBatch *batch, bool first);

/**
 * The second half: gradient norm, clipping, optimiser step. Counts nothing.
 * @param[out] norm before clipping.
 * @return NUMERIC for a gradient that is not finite or too large: nothing changes then;
 * or for weights or moments that are not finite any more.
 */
MaeStatus mae_trainer_apply(MaeTrainer *trainer, double lr, double *norm, MaeError *err);

/** An update, counted and logged. @return NUMERIC if it is for mae_trainer_recover. */
MaeStatus mae_trainer_update(MaeTrainer *trainer, MaeError *err);

/** True on the rank that writes. */
bool mae_trainer_leads(const MaeTrainer *trainer);

/** What decisions are made by: mae_clock_now; of several ranks rank 0's, as of when they
 * last met. */
double mae_trainer_clock(const MaeTrainer *trainer);

/** Has this run, on any rank, been asked to stop? Known when ranks meet. */
bool mae_trainer_told(const MaeTrainer *trainer);

/** Ranks meet: clock and wishes to stop. */
MaeStatus mae_trainer_sync(MaeTrainer *trainer, MaeError *err);

/**
 * The end of what mae_gradients_begin began: gradients are those of all ranks.
 * @param[in,out] loss of this rank; mean over ranks.
 */
MaeStatus mae_trainer_combine(MaeTrainer *trainer, double *loss, MaeError *err);

/** Every rank gets what rank 0 has. */
MaeStatus mae_trainer_follow(MaeTrainer *trainer, void *data, size_t bytes,
                             MaeError *err);

/**
 * Every rank takes rank 0's weights, optimiser state and position.
 * @param reader on rank 0 of the checkpoint, if the run goes on from one; else NULL.
 */
MaeStatus mae_trainer_spread(MaeTrainer *trainer, const MaeCkptReader *reader,
                             MaeError *err);

/** With dist.shard_optimizer and several ranks: fill in the shards of both. */
MaeStatus mae_trainer_share_state(MaeTrainer *trainer, const MaeParamTable *table,
                                  MaeOptimConfig *optim, MaeError *err);

/** MaeOptim.gather on rank 0, while the others answer; writes into the gradients. */
const float *mae_trainer_gather(void *trainer, size_t slot, MaeError *err);

/** Help rank 0, which writes a checkpoint, until it lets go. */
MaeStatus mae_trainer_answer(MaeTrainer *trainer, MaeError *err);
MaeStatus mae_trainer_let_go(MaeTrainer *trainer, MaeError *err);

/** Norm of the gradients of all ranks, as mae_clip_norm. */
MaeStatus mae_trainer_norm(MaeTrainer *trainer, double *norm, MaeError *err);

/** A step of the optimiser on all ranks. @param[out] finite as mae_optim_step. */
MaeStatus mae_trainer_step(MaeTrainer *trainer, double lr, double factor, bool *finite,
                           MaeError *err);

/** Of spread, where the state is spread: each rank takes its part of one slot. */
MaeStatus mae_trainer_spread_slot(MaeTrainer *trainer, size_t slot,
                                  const MaeCkptReader *reader, MaeError *err);

/** True if weights, moments and averages are finite and those of one moment. */
bool mae_trainer_sound(const MaeTrainer *trainer);

/** Is the next update to be left out? */
bool mae_trainer_barred(const MaeTrainer *trainer);

/** Leave the next update out. */
MaeStatus mae_trainer_pass_over(MaeTrainer *trainer, MaeError *err);

/**
 * The update under way has ended with NUMERIC: report it, and do as train.on_nonfinite
 * says. @return NUMERIC if the run ends here.
 */
MaeStatus mae_trainer_recover(MaeTrainer *trainer, MaeError *err);

/** Train to the end of the last epoch, or until stopped. */
MaeStatus mae_trainer_run(MaeTrainer *trainer, MaeTrainResult *result, MaeError *err);

#endif /* MAE_TRAIN_TRAINER_H */
