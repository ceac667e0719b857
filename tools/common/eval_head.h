/**
 * @file eval_head.h
 * The part of mae-eval that only a classifier has: its head scored, class by class.
 *
 * Errors   ARG for a folder where nothing can be written; else as scoring and writing
 *          report them.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_EVAL_HEAD_H
#define MAE_TOOLS_COMMON_EVAL_HEAD_H

#include "common/feature_source.h"
#include "eval/confusion.h"

/** Zero-initialised is closed. */
typedef struct EvalHead {
    const MaeClassifier *model; /* NULL: the checkpoint is no classifier */
    const char *folder;         /* for the confusion matrix; NULL: not wanted */
    const MaeDataset *ds;       /* of the images scored, names the classes */
    MaeAccuracy accuracy;
    MaeConfusion confusion;
} EvalHead;

/**
 * @param folder is made if it is missing; ARG unless the model is a classifier of few
 * enough classes.  @param data [2] data sets in which it must not lie, or NULL.
 */
MaeStatus eval_head_open(EvalHead *head, const FeatureSource *source, const char *folder,
                         const char *const data[2], MaeError *err);

void eval_head_close(EvalHead *head);

/** Score the features of a data set and write the confusion matrix, if wanted. */
MaeStatus eval_head_score(EvalHead *head, const FeatureSource *source,
                          const MaeFeatures *features, const MaeDataset *ds,
                          const MaeCompute *compute, MaeError *err);

/** Write the tables on stdout. */
void eval_head_print(const EvalHead *head);

/** The same as an object. */
MaeJson *eval_head_json(const EvalHead *head);

/** "  83.20 +- 0.70" on stdout: half the width of the interval of 95 % confidence. */
void eval_head_put_accuracy(const MaeAccuracy *acc);

/** An accuracy as an object: top1, top1_interval, top5. */
MaeJson *eval_head_accuracy_json(const MaeAccuracy *acc);

#endif /* MAE_TOOLS_COMMON_EVAL_HEAD_H */
