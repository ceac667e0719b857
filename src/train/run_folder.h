/**
 * @file run_folder.h
 * The folder of a run: what may be in it, what is resumed, its logs and checkpoints.
 *
 *   config.yaml            resolved configuration
 *   log.txt                one JSON line per epoch
 *   steps.jsonl            one JSON line per train.log_every steps
 *   events.out.tfevents.*  the same for TensorBoard
 *   last.h5                newest state, maybe in the middle of an epoch
 *   previous.h5            the state that last.h5 held before (train/generations.h)
 *   checkpoint-N.h5        state after N epochs; best.h5: after the best one
 *   nonfinite-STEP.json    what was not finite in a step (train/nonfinite.h)
 *   confusion.csv, .png    of the last evaluation of a classifier
 *   reconstructions/       previews
 *   report.html            all of it to look at (train/run_report.h)
 *   before-N/              what was left of an earlier run without a checkpoint
 *   .lock                  there while a run is active, says whose
 *
 * Errors   ARG for a folder that must not be used, IO. A failed save never harms an older
 *          file: it is a warning, and an error when the third in a row fails or when the
 *          run ends with it. A log that cannot be written is a warning.
 * Threads  One thread.
 */
#ifndef MAE_TRAIN_RUN_FOLDER_H
#define MAE_TRAIN_RUN_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "conf/config.h"
#include "model/snapshot.h"
#include "store/events.h"
#include "store/jsonl.h"

/** Closed if lock is -1 and the rest is zero. */
typedef struct MaeRunFolder {
    char path[MAE_CONFIG_PATH];
    char resume[MAE_CONFIG_PATH + 32]; /* checkpoint to go on from; "" = start anew */
    const MaeLog *log;
    int lock;           /* descriptor of .lock, -1 */
    bool made;          /* the folder did not exist */
    bool lost;          /* a run is there, but no checkpoint of it */
    bool saved;         /* by this session */
    bool log_failed;    /* the last line of a log could not be written */
    bool link_failed;   /* previous.h5 could not be made of the last last.h5 */
    bool last_is_whole; /* last.h5 is known to be undamaged */
    bool best_failed;   /* the last save that was to write best.h5 did not */
    size_t keep;        /* checkpoint-N.h5 files to keep */
    int failed;         /* saves that failed in a row */
    MaeJsonl *epochs;   /* log.txt */
    MaeJsonl *steps;    /* steps.jsonl */
    MaeEvents *events;
} MaeRunFolder;

/**
 * Check and lock the folder (made if it is missing) and find the checkpoint to resume
 * from, newest first; damaged ones are passed over with a warning. Writes nothing else. A
 * run is recognised by last.h5, previous.h5, checkpoint-N.h5 or steps.jsonl; folders
 * before-N are not looked at.
 */
MaeStatus mae_run_folder_open(MaeRunFolder *folder, const MaeConfig *cfg,
                              const MaeLog *log, MaeError *err);

/**
 * Let resume be the newest valid checkpoint of this session or, if it has saved none,
 * what the session went on from. ARG if there is none.
 */
MaeStatus mae_run_folder_newest(MaeRunFolder *folder, MaeError *err);

/** Unlock; a folder that open made and nobody wrote to is removed again. */
void mae_run_folder_close(MaeRunFolder *folder);

/**
 * Write config.yaml and open the logs; ARG, and nothing has changed, for a configuration
 * that could not be read again. Going on: cut back to @p from, log.txt replaced by its
 * history or, if that is empty, cut back. Starting anew (@p from is zeroed): an earlier
 * run's logs, checkpoints and previews are removed or, if it was to go on but has no
 * checkpoint, moved to before-N, with a warning.
 * Again after a return to folder->resume.
 */
MaeStatus mae_run_folder_begin(MaeRunFolder *folder, const MaeConfig *cfg,
                               const MaeSnapshot *from, MaeError *err);

/** Append to log.txt and as scalars "epoch/<key>" to the events; consumes @p record. */
void mae_run_folder_epoch(MaeRunFolder *folder, MaeJson *record, uint64_t step);

/** Append to steps.jsonl and the events; the values are finite. */
void mae_run_folder_step(MaeRunFolder *folder, uint64_t step, double epoch, double loss,
                         double lr, double grad_norm);

/** Which names besides last.h5 a state gets, and how much depends on it. */
typedef struct MaeSaveAs {
    bool must;       /* a failure is an error at once: the run ends here */
    bool best;       /* best.h5 */
    bool checkpoint; /* checkpoint-<epoch>.h5; the oldest beyond keep are removed */
} MaeSaveAs;

/** Save last.h5 and the other names of the same state, with log.txt as its history. */
MaeStatus mae_run_folder_save(MaeRunFolder *folder, const MaeSnapshot *snapshot,
                              const MaeParamTable *table, const float *weights,
                              const MaeOptim *optim, MaeSaveAs as, MaeError *err);

/** "<folder>/<name>". */
MaeStatus mae_run_folder_file(const MaeRunFolder *folder, const char *name, char *path,
                              size_t size, MaeError *err);

/**
 * Epochs whose previews are there, rising: at most @p most, evenly chosen, the first and
 * the last included. @param[out] epochs [most].  @return how many
 */
size_t mae_run_folder_previews(const MaeRunFolder *folder, size_t *epochs, size_t most);

/** "<folder>/reconstructions/epoch-0010.png"; makes the folder. */
MaeStatus mae_run_folder_preview(const MaeRunFolder *folder, size_t epoch, char *path,
                                 size_t size, MaeError *err);

#endif /* MAE_TRAIN_RUN_FOLDER_H */
