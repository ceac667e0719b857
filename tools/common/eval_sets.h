/**
 * @file eval_sets.h
 * The labelled images that mae-eval scores and learns from, and their features.
 *
 * Errors   FORMAT without labels, ARG for classes that differ; else as data sets and
 *          features report them.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_EVAL_SETS_H
#define MAE_TOOLS_COMMON_EVAL_SETS_H

#include "common/feature_source.h"

/** Zero-initialised is closed. */
typedef struct EvalSets {
    MaeDataset *train, *test; /* train: NULL if there is none */
    size_t *subset;           /* [train_count] of train; NULL: all */
    size_t train_count;
    MaeFeatures memory, queries; /* of train and test */
} EvalSets;

/**
 * @param train path, or NULL.  @param labels_per_class of train; 0: all.
 * A failure leaves what eval_sets_close closes.
 */
MaeStatus eval_sets_open(EvalSets *sets, const FeatureSource *source, const char *train,
                         const char *test, size_t labels_per_class, MaeError *err);

/** Features of both, with all ranks, on rank 0; see feature_source_read. */
MaeStatus eval_sets_read(EvalSets *sets, FeatureSource *source, MaeError *err);

void eval_sets_close(EvalSets *sets);

#endif /* MAE_TOOLS_COMMON_EVAL_SETS_H */
