/**
 * @file joined.h
 * A labelled data set followed by chosen samples of another, with labels given for them.
 *
 *   sample i < first's count    as the first has it
 *   the others                  samples[i - count] of the second, of class labels[...]
 *
 * Everything that works on a data set works on it; its kind is "joined", its classes are
 * those of the first. It is `encoded` only if both are.
 *
 * Memory   A label for each sample, a number for each chosen one.
 * Errors   ARG: the first is unlabelled or channels differ; NOMEM.
 * Threads  As any data set.
 */
#ifndef MAE_DATA_JOINED_H
#define MAE_DATA_JOINED_H

#include "data/dataset.h"

/** Samples and their classes. */
typedef struct MaeChosen {
    size_t *samples; /* [count] below the data set's count */
    int64_t *labels; /* [count] */
    size_t count;
} MaeChosen;

/**
 * @param[out] ds owned by the caller; on success it owns @p first and @p second, too, on
 * failure they stay the caller's.
 * @param chosen copied.
 */
MaeStatus mae_dataset_join(MaeDataset **ds, MaeDataset *first, MaeDataset *second,
                           const MaeChosen *chosen, MaeError *err);

#endif /* MAE_DATA_JOINED_H */
