/**
 * @file run_report.h
 * report.html of a run: how far it is, its curves, its configuration, and what the task
 * has to show.
 *
 * Curves are read from log.txt and steps.jsonl, so a run that was taken up again shows
 * all of its history. It is written after an epoch and at the end, but not more often
 * than lets it take a fiftieth of the time.
 *
 * Errors   A report that cannot be written is a warning: the run goes on.
 * Memory   Bounded for any number of epochs and steps (eval/curve.h, eval/report.h).
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_RUN_REPORT_H
#define MAE_TRAIN_RUN_REPORT_H

#include "train/trainer.h"

/** After an epoch that is logged. @param over the run is complete: write in any case. */
void mae_run_report_update(MaeTrainer *trainer, bool over);

#endif /* MAE_TRAIN_RUN_REPORT_H */
