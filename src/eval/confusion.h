/**
 * @file confusion.h
 * Which classes a classifier takes for which: the confusion matrix and what follows from
 * its rows and columns.
 *
 *   cells[l,p]  images with label l for which class p has the largest logit (the lower
 *               index of equal ones)
 *   recall      cells[c,c] / images with label c: the accuracy of the class
 *   precision   cells[c,c] / predictions of c; 0 if there are none
 *   F1          2 cells[c,c] / (images with label c + predictions of c)
 *   macro F1            mean over classes that are labels or predictions
 *   balanced accuracy   mean recall over classes that are labels
 *
 * What cannot be said of a class (no image has it) is NaN and takes no part in a mean.
 * The definitions are scikit-learn's, with zero_division=0.
 *
 * Shapes   B images, K classes.
 * Memory   open allocates; the cells only for up to MAE_CONFUSION_MAX classes, everything
 *          but the files does without.
 * Errors   NOMEM; IO of the files; COMM of the sum. An image whose logits hold a NaN has
 *          no prediction: it lacks in the recall of its class and in no cell. A label
 *          outside 0 .. K-1 is ignored.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_EVAL_CONFUSION_H
#define MAE_EVAL_CONFUSION_H

#include <stddef.h>
#include <stdint.h>

#include "comm/comm.h"
#include "data/dataset.h"
#include "image/image.h"

#define MAE_CONFUSION_MAX 2048 /* classes of which all pairs are counted: 16 MB */

/** Zero-initialised is closed. */
typedef struct MaeConfusion {
    size_t classes;                         /* K */
    uint64_t *right, *labelled, *predicted; /* [K] one block */
    uint32_t *cells; /* [K,K] row: label, column: prediction; NULL if K is too large */
} MaeConfusion;

/** Everything counts from 0. @param classes at least 1. */
MaeStatus mae_confusion_open(MaeConfusion *confusion, size_t classes, MaeError *err);

/** Accepts NULL and a zeroed or half-built object. */
void mae_confusion_close(MaeConfusion *confusion);

/** Count from 0 again. */
void mae_confusion_reset(MaeConfusion *confusion);

/** Count a batch. @param logits [B,K].  @param labels [B]. */
void mae_confusion_add(MaeConfusion *confusion, const float *logits,
                       const int64_t *labels, size_t batch);

/** Add up what several ranks have counted: all of them have all of it then. */
MaeStatus mae_confusion_sum(MaeConfusion *confusion, MaeComm *comm, MaeError *err);

/** Of one class, 0 .. 1 or NaN. */
double mae_confusion_recall(const MaeConfusion *confusion, size_t c);
double mae_confusion_precision(const MaeConfusion *confusion, size_t c);
double mae_confusion_f1(const MaeConfusion *confusion, size_t c);

/** Of all, 0 .. 1; NaN before the first image. */
double mae_confusion_macro_f1(const MaeConfusion *confusion);
double mae_confusion_balanced(const MaeConfusion *confusion);

/** Make @p canvas the picture of confusion.png, see below. ARG if there are no cells. */
MaeStatus mae_confusion_draw(MaeImage *canvas, const MaeConfusion *confusion,
                             MaeError *err);

/**
 * Write confusion.csv and confusion.png into @p folder, which is made if it is missing.
 *   csv  "label \ prediction" and the names of the classes; then a row for each label:
 *        its name and the counts (RFC 4180, names in quotes)
 *   png  the same rows and columns as squares, coloured by the share of their row from 0
 *        to 1 (canvas.h, sequential); a row without images is grey
 * @param names of K classes.
 * @return ARG if there are no cells.
 */
MaeStatus mae_confusion_write(const MaeConfusion *confusion, const MaeClasses *names,
                              const char *folder, MaeError *err);

#endif /* MAE_EVAL_CONFUSION_H */
