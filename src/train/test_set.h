/**
 * @file test_set.h
 * A classifier that is being trained on its held-out images: what ranks find in their
 * parts, added up.
 *
 * Errors   As the loader; INTERRUPTED, and no confusion, if the run was asked to stop.
 *          Ends alike on all ranks.
 * Memory   Allocates a row of the confusion where there are several ranks.
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_TEST_SET_H
#define MAE_TRAIN_TEST_SET_H

#include "eval/accuracy.h"
#include "eval/confusion.h"
#include "model/classifier.h"
#include "train/inputs.h"
#include "train/trainer.h"

/** All borrowed. */
typedef struct MaeTestSet {
    MaeClassifierRun *run;
    const MaeInputs *inputs; /* val and val_loader */
    float *targets;          /* [B,K] to work in */
    MaeConfusion *confusion;
} MaeTestSet;

/**
 * One pass over data.val.
 * @param[in,out] accuracy zero.  @param[out] confusion begins anew.
 * @param[out] loss mean over the images; NaN if none could be read.
 */
MaeStatus mae_test_set_run(const MaeTestSet *set, MaeTrainer *trainer, MaeWeights w,
                           MaeAccuracy *accuracy, double *loss, MaeError *err);

#endif /* MAE_TRAIN_TEST_SET_H */
