/**
 * @file run_report.h
 * report.html of a run: how far it is, its curves, its configuration, and what the task
 * has to show.
 *
 * Curves are read from log.txt and steps.jsonl, so a run that was taken up again shows
 * all of its history. It is written after an epoch, when the run is stopped and at the
 * end, but after an epoch not more often than lets it take a fiftieth of the time.
 *
 * Errors   A report that cannot be written is a warning: the run goes on.
 * Memory   Bounded for any number of epochs and steps (eval/curve.h, eval/report.h).
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_RUN_REPORT_H
#define MAE_TRAIN_RUN_REPORT_H

#include "train/trainer.h"

/** Where the run is. */
typedef enum MaeRunStage {
    MAE_RUN_UNDER_WAY, /* after an epoch that is logged */
    MAE_RUN_STOPPED,   /* everything is saved, it can be taken up again */
    MAE_RUN_FINISHED,
} MaeRunStage;

/** Write it, on rank 0, if it is time for one, or in any case unless the run is under
 * way. */
void mae_run_report_update(MaeTrainer *trainer, MaeRunStage stage);

#endif /* MAE_TRAIN_RUN_REPORT_H */
