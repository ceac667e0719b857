/**
 * @file predict.h
 * What a classifier says of images: probabilities of its classes, an image at a time.
 *
 *   p = softmax(W f + b),   f what the head sees (model/embedder.h)
 *
 * Shapes   K classes.
 * Types    Features as the embedder's precision has them; head and probabilities f32.
 * Memory   A batch of images and of their features, whatever the data set's size.
 * Errors   As mae_features_each.
 * Threads  Drives the embedder's pool. The bits of an image's probabilities depend on
 *          that image alone: not on batch, threads or neighbours.
 */
#ifndef MAE_EVAL_PREDICT_H
#define MAE_EVAL_PREDICT_H

#include "eval/feature_set.h"

/** Who predicts; borrowed. */
typedef struct MaePredictor {
    const MaeClassifier *model;
    const float *w; /* weights of the model */
    const MaeEmbedder *embedder;
    size_t feature;      /* of the embedder's: the one the head sees */
    const MaeGemm *gemm; /* open for f32 */
} MaePredictor;

/** Who hears of each image, in the order of the data set; a failure ends the pass. */
typedef struct MaePredictSink {
    /** @param p [K] probabilities, valid during the call. */
    MaeStatus (*take)(void *ctx, size_t sample, const float *p, MaeError *err);
    void *ctx;
} MaePredictSink;

/**
 * Predict for the images of a data set; bad ones are left out.
 * @param[out] bad how many, set on success; may be NULL.
 */
MaeStatus mae_predict(const MaePredictor *predictor, const MaeDataset *ds,
                      const MaeTransform *transform, const MaeFeaturesOptions *options,
                      const MaePredictSink *sink, size_t *bad, MaeError *err);

/** In place from logits to probabilities, [K]; sums in double. */
void mae_predict_softmax(float *logits, size_t classes);

/**
 * The likeliest classes, falling; of equals the one of the smaller number.
 * @param[out] best [n] classes, n at most @p classes.  @param p [classes] no NaN.
 */
void mae_predict_top(size_t *best, size_t n, const float *p, size_t classes);

#endif /* MAE_EVAL_PREDICT_H */
