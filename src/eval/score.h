/**
 * @file score.h
 * What features are worth: nearest neighbours, linear probes, retrieval, each fitted on
 * one set of features and scored on another.
 *
 *   kNN        weighted vote of the k nearest training images by cosine similarity
 *   ridge      linear probe in closed form on standardised features
 *   logistic   multinomial logistic regression on standardised features
 *   retrieval  training images of the same class among the K nearest
 *
 * Shapes   N training and Q test images; see knn.h and probe.h.
 * Memory   Freed before a function returns; neighbours of all test images and logits.
 * Errors   As knn.h and probe.h.
 * Threads  Drives the pool of @p compute, whose products are open for f32.
 */
#ifndef MAE_EVAL_SCORE_H
#define MAE_EVAL_SCORE_H

#include <stdbool.h>

#include "eval/accuracy.h"
#include "eval/confusion.h"
#include "eval/feature_set.h"
#include "eval/knn.h"

/** What is computed; the rest stays empty. */
typedef struct MaeScoreOptions {
    bool knn, ridge, logistic, retrieval;
    size_t k;           /* neighbours that vote, 20 in the field */
    double temperature; /* of their votes, 0.07 */
    size_t retrieved;   /* K of retrieval, 10 */
} MaeScoreOptions;

/** Results for one feature; counts of 0 where nothing was asked. */
typedef struct MaeScores {
    MaeAccuracy knn, ridge, logistic;
    MaeRetrieval retrieval;
    double lambda;     /* that the ridge probe chose */
    size_t iterations; /* of the logistic probe */
    double grad_max;   /* where it ended: above MAE_PROBE_TOLERANCE it was cut short */
} MaeScores;

/** Score feature @p feature of @p test by what @p train says. @param classes of both. */
MaeStatus mae_score_feature(MaeScores *scores, const MaeFeatures *train,
                            const MaeFeatures *test, size_t feature, size_t classes,
                            const MaeScoreOptions *options, const MaeCompute *compute,
                            MaeError *err);

/**
 * Accuracy of a classifier from what its head sees.
 * @param w weights of @p model.  @param features with the feature of
 * mae_embed_spec_classifier as number @p feature.
 * @param[out] confusion counts them too; open for its classes, or NULL.
 */
MaeStatus mae_score_classifier(MaeAccuracy *accuracy, MaeConfusion *confusion,
                               const MaeClassifier *model, const float *w,
                               const MaeFeatures *features, size_t feature,
                               const MaeCompute *compute, MaeError *err);

#endif /* MAE_EVAL_SCORE_H */
