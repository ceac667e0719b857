/**
 * @file accuracy.h
 * Top-1 and top-5 accuracy of a classifier.
 *
 * A sample is right at k when fewer than k classes rank before its label. Class j ranks
 * before the label y if its logit is larger, or equal with j < y, so that a tie goes to
 * the lower index, as argmax takes it. With fewer than five classes top-5 is top-K.
 *
 * Shapes   B samples, K classes.
 * Memory   Never allocates. The counters are plain integers: sums over ranks are exact.
 * Errors   Cannot fail. A sample with a NaN among its logits, or a label outside
 *          0 .. K-1, is counted and wrong.
 * Threads  Reentrant; an accumulator belongs to one thread at a time.
 */
#ifndef MAE_EVAL_ACCURACY_H
#define MAE_EVAL_ACCURACY_H

#include <stddef.h>
#include <stdint.h>

/** Zero-initialise before use. */
typedef struct MaeAccuracy {
    uint64_t count; /* samples seen */
    uint64_t top1;  /* of these, label ranked first */
    uint64_t top5;  /* of these, label among the first five */
} MaeAccuracy;

/** Count a batch. @param logits [B,K].  @param labels [B]. */
void mae_accuracy_add(MaeAccuracy *acc, const float *logits, const int64_t *labels,
                      size_t batch, size_t classes);

/** acc += other: parts counted by other threads or ranks. */
void mae_accuracy_merge(MaeAccuracy *acc, const MaeAccuracy *other);

/** @return fraction right in 0 .. 1; NaN before the first sample. */
double mae_accuracy_top1(const MaeAccuracy *acc);
double mae_accuracy_top5(const MaeAccuracy *acc);

/**
 * Wilson's interval that holds the true fraction with 95 % confidence, for @p right of
 * @p count. Source: Wilson 1927, J. Am. Stat. Assoc. 22; no continuity correction.
 */
void mae_accuracy_interval(double *low, double *high, uint64_t right, uint64_t count);

#endif /* MAE_EVAL_ACCURACY_H */
