/**
 * @file subset.h
 * Which samples of a dataset take part: the first n, a fraction of each class, or a
 * number per class; or any, to look at.
 *
 * A class's share is the beginning of its permutation by the stream (seed, 0, class,
 * MAE_RNG_SUBSET): with one seed smaller subsets are part of larger ones.
 *
 * Memory   select and draw allocate the list.
 * Threads  Reentrant.
 */
#ifndef MAE_DATA_SUBSET_H
#define MAE_DATA_SUBSET_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/dataset.h"

typedef struct MaeSubset {
    size_t first_n;          /* only samples 0 .. n-1; 0: all. Applied first */
    double label_fraction;   /* of each class, rounded, at least 1 sample; 0: all */
    size_t labels_per_class; /* exactly as many of each class; 0: all */
    uint64_t seed;
} MaeSubset;

/**
 * @param[out] indices ascending, malloc'ed, freed by the caller; untouched on failure.
 * @param[out] count   at least 1.
 * @return ARG if both shares are given, the fraction is outside 0..1, the dataset is
 * unlabelled or a class has too few samples (it is named); NOMEM.
 */
MaeStatus mae_subset_select(size_t **indices, size_t *count, const MaeDataset *ds,
                            const MaeSubset *subset, MaeError *err);

/**
 * Draw samples to look at from the stream (seed, 0, 0, MAE_RNG_LOOK): the beginning of
 * its permutation.
 * @param[out] indices ascending, malloc'ed, freed by the caller; untouched on failure.
 * @param[in,out] count wanted; out: at most @p total.
 */
MaeStatus mae_subset_draw(size_t **indices, size_t *count, size_t total, uint64_t seed,
                          MaeError *err);

#endif /* MAE_DATA_SUBSET_H */
