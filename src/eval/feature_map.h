/**
 * @file feature_map.h
 * Maps of a data set: where its images lie in the plane by a model's features, once by
 * principal components and once by t-SNE; a row of panels for each model.
 *
 * The feature is the mean of the patch tokens after the last block and the final norm; of
 * a classifier, what its head sees. Every model sees the same images, drawn by the seed.
 * Classes colour the points if the data has any.
 *
 * Memory   Features of the images, and what mae_tsne takes; the drawing.
 * Errors   ARG for fewer than 4 images or too many (MAE_TSNE_MAX); as mae_features_read,
 *          mae_tsne and mae_scatter_write report.
 * Threads  Drives the pool.
 */
#ifndef MAE_EVAL_FEATURE_MAP_H
#define MAE_EVAL_FEATURE_MAP_H

#include <stdbool.h>

#include "eval/feature_set.h"
#include "eval/tsne.h"

/** Images, at least. */
#define MAE_FEATURE_MAP_FEWEST 4

/** Models, at most. */
#define MAE_FEATURE_MAP_MODELS 2

typedef struct MaeFeatureMapModel {
    const char *name; /* for the panels' titles */
    const MaeLoadedModel *loaded;
} MaeFeatureMapModel;

typedef struct MaeFeatureMap {
    MaeFeatureMapModel models[MAE_FEATURE_MAP_MODELS];
    size_t model_count; /* at least 1; of the same channels */
    const MaeDataset *ds;
    size_t images;     /* at most; 2000 are drawn in seconds */
    double perplexity; /* at most; lowered to a third of the images if they are few */
    bool thumbnails;   /* pictures in place of points */
    uint64_t seed;
    size_t workers; /* decoding threads */
    const MaeLog *log;
    MaeWatch watch; /* hears of images, then of t-SNE's iterations, model by model */
} MaeFeatureMap;

/**
 * @param[out] svg text, freed by the caller; untouched on failure.
 * @param compute products in f32, with a handle for each thread of the pool.
 */
MaeStatus mae_feature_map_draw(char **svg, const MaeFeatureMap *map,
                               const MaeCompute *compute, MaeError *err);

#endif /* MAE_EVAL_FEATURE_MAP_H */
