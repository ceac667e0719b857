/**
 * @file fixture.h
 * Small training runs for the tests of train/: data, configuration, hooks, comparison.
 *
 * Everything lives in one scratch folder: "train" and "val" hold class folders of RGB
 * images, runs are folders beside them.
 */
#ifndef MAE_TESTS_TRAIN_FIXTURE_H
#define MAE_TESTS_TRAIN_FIXTURE_H

#include "data/fixture.h"
#include "support/operand.h"
#include "train/finetune.h"
#include "train/pretrain.h"

#define TRAIN_IMAGES 27 /* in "train", 3 classes; "val" has 9 */

/** Precision and backend: f32 by OpenBLAS, f32 by the best there is, bf16. */
#define TRAIN_KINDS 3

/** Kind @p i as overrides; NULL, with a line on stderr, if it cannot run here. */
const char *train_kind(int i);

/** What to run; zero-initialise. */
typedef struct TrainSpec {
    const char *folder;    /* the scratch folder */
    const char *name;      /* of the run */
    bool finetune;         /* else pretraining */
    const char *overrides; /* "a.b=c d.e=f", after those every run has; or NULL */
    size_t stop_at; /* ask to stop in this update of the session, from 1; 0: never */
    void (*at_start)(void *ctx); /* just before it runs; NULL: nothing */
    size_t stop_in_evaluation;   /* ask to stop in that of this epoch of the session */
    void (*at_update)(void *ctx, size_t update);    /* NULL: nothing to do */
    void (*at_evaluation)(void *ctx, size_t epoch); /* before it; NULL: nothing to do */
    void *ctx;
} TrainSpec;

/** What came out. */
typedef struct TrainRun {
    MaeStatus status;
    MaeError err;
    MaeTrainResult result;
    size_t updates, epochs; /* seen in this session */
    double seconds_left;    /* as told after the last update */
    char log[16384];        /* lines */
    char evaluated[1024]; /* lines: epoch, what, images of evaluations that were shown */
} TrainRun;

/** A scratch folder with data; removed by mae_test_folder_remove. */
char *train_place(void);

/** One session of a tiny model: img 8x8, patch 4, width 16. */
void train_run(TrainRun *run, const TrainSpec *spec);

/** The same, which must end with @p status. */
void train_expect(TrainRun *run, const TrainSpec *spec, MaeStatus status);

/** Copy a run as it is on disk. */
void train_copy(const char *folder, const char *from, const char *to);

/**
 * Flip a bit in the middle of "<folder>/<name>", or cut it back to @p size; other
 * names of the file stay whole.
 */
void train_flip(const char *folder, const char *name);
void train_truncate(const char *folder, const char *name, size_t size);

/** Two runs must have the same tensors and progress in last.h5. */
void train_compare_states(const char *folder, const char *a, const char *b);

/** Two runs must have the same tensors, progress and logs, wall-clock fields aside. */
void train_compare(const char *folder, const char *a, const char *b);

/** True if "<folder>/<name>" exists. */
bool train_exists(const char *folder, const char *name);

/** Number of entries of a folder that do not begin with a dot, or all. */
size_t train_entries(const char *folder, const char *name, bool hidden);

#endif /* MAE_TESTS_TRAIN_FIXTURE_H */
