/**
 * @file spot_check.h
 * What features are worth, measured on a sample of one labelled data set: precision at
 * 10 of retrieval, and accuracy of 20 nearest neighbours.
 *
 * Of the images that are drawn every third asks; the others are the memory in which
 * neighbours are found. Any number of models are measured on the same images. The feature
 * is mae_features_usual. Where the memory is smaller than the neighbours that are asked
 * for, all of it answers.
 *
 * Memory   Features of the sample, and what mae_score_feature takes; freed.
 * Errors   ARG for data without labels or fewer than MAE_SPOT_CHECK_FEWEST images; as
 *          mae_features_read and mae_score_feature report.
 * Threads  Drives the pool of the compute, whose products are open for f32.
 */
#ifndef MAE_EVAL_SPOT_CHECK_H
#define MAE_EVAL_SPOT_CHECK_H

#include "eval/score.h"

#define MAE_SPOT_CHECK_FEWEST ((size_t)3) /* images */

/** The sample; zero-initialised is closed. */
typedef struct MaeSpotCheck {
    const MaeDataset *ds;
    size_t *memory, *queries; /* samples of ds, ascending; owned */
    size_t memory_count, query_count;
    size_t retrieved, k; /* neighbours that are judged, and that vote */
    double chance;       /* precision of neighbours in random order; NaN without any */
} MaeSpotCheck;

/** Draw the sample. @param images at most.  @param ds borrowed. */
MaeStatus mae_spot_check_open(MaeSpotCheck *check, const MaeDataset *ds, size_t images,
                              uint64_t seed, MaeError *err);

/** Accepts NULL and a closed object. */
void mae_spot_check_close(MaeSpotCheck *check);

/** @param[out] scores of kNN and retrieval.  @param watch hears of images, twice. */
MaeStatus mae_spot_check_run(MaeScores *scores, const MaeSpotCheck *check,
                             const MaeLoadedModel *loaded, const MaeCompute *compute,
                             const MaeLog *log, MaeWatch watch, MaeError *err);

#endif /* MAE_EVAL_SPOT_CHECK_H */
