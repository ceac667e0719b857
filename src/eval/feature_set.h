/**
 * @file feature_set.h
 * Features of all images of a data set: in memory, for what is evaluated, exported and
 * drawn; or a batch at a time, for any number of images.
 *
 * One pass of an embedder over the images as evaluation sees them (no augmentation).
 * Bad images are left out, as in any evaluation.
 *
 * With a comm every rank embeds its share of the images; what a pass counts and how it
 * ends is the same on all of them, and rank 0 gets the features of all.
 *
 * Shapes   N images read, F features of each, D their width.
 * Memory   A MaeFeatures owns its arrays. A pass that would take more than three quarters
 *          of the free memory is refused before it begins. Rank 0 has its own share twice
 *          for a moment.
 * Errors   ARG: too much memory; NUMERIC: features that are not finite (the image is
 *          named); INTERRUPTED: stopped; COMM; else as the loader reports.
 * Threads  One thread at a time per object; it drives the embedder's pool.
 */
#ifndef MAE_EVAL_FEATURE_SET_H
#define MAE_EVAL_FEATURE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "comm/comm.h"
#include "data/loader.h"
#include "data/survey.h"
#include "model/embedder.h"
#include "model/snapshot.h"

/** Zero-initialised is empty. */
typedef struct MaeFeatures {
    float *values;   /* [N,F,D] */
    int64_t *labels; /* [N]; -1 if unlabelled */
    size_t *samples; /* [N] where in the data set; ascending */
    size_t count;    /* N */
    size_t features; /* F */
    size_t width;    /* D */
} MaeFeatures;

/** How to read the images. */
typedef struct MaeFeaturesOptions {
    const size_t *indices; /* [index_count] samples that take part, rising; NULL: all */
    size_t index_count;
    MaeComm *comm;           /* borrowed: each rank takes its share; NULL: alone */
    size_t batch;            /* images at a time; 0: 64 */
    size_t workers;          /* decoding threads; 0: decode in the calling thread */
    double max_bad_fraction; /* of the images */
    const MaeLog *log;       /* borrowed; NULL: silent */
    MaeWatch watch;          /* hears of every batch */
    bool (*stop)(void *ctx); /* asked after every batch: end with INTERRUPTED? or NULL */
    void *stop_ctx;
} MaeFeaturesOptions;

/** Features of a batch of images, in the order of the data set. */
typedef struct MaeFeatureRows {
    const float *values;   /* [N,F,D], finite */
    const int64_t *labels; /* [N]; -1 if unlabelled */
    const size_t *samples; /* [N] where in the data set */
    size_t count;          /* N, possibly 0 */
    size_t stride;         /* F * D */
} MaeFeatureRows;

/** Who takes them: rows are valid during the call; what it fails with ends the pass. */
typedef struct MaeFeatureSink {
    MaeStatus (*take)(void *ctx, const MaeFeatureRows *rows, MaeError *err);
    void *ctx;
} MaeFeatureSink;

/**
 * One pass in the memory of a batch: this rank's share, batches in turn. All ranks call
 * it and end alike.
 * @param[out] bad images left out, on all ranks, set on success; may be NULL.
 */
MaeStatus mae_features_each(const MaeEmbedder *embedder, const MaeDataset *ds,
                            const MaeTransform *transform,
                            const MaeFeaturesOptions *options, const MaeFeatureSink *sink,
                            size_t *bad, MaeError *err);

/**
 * All ranks call it and end alike.
 * @param[out] features done by the caller; empty on failure and on ranks other than 0.
 * @param transform to the embedder's input, borrowed.
 */
MaeStatus mae_features_read(MaeFeatures *features, const MaeEmbedder *embedder,
                            const MaeDataset *ds, const MaeTransform *transform,
                            const MaeFeaturesOptions *options, MaeError *err);

/** Free; accepts NULL and an empty object. */
void mae_features_done(MaeFeatures *features);

/** Feature @p feature of the first image; the next image's is F * D floats further on. */
static inline const float *mae_features_at(const MaeFeatures *features, size_t feature)
{
    return features->values + feature * features->width;
}

/** Floats from one image's features to the next one's. */
static inline size_t mae_features_stride(const MaeFeatures *features)
{
    return features->features * features->width;
}

/** The embedder's spec of a loaded model, without features; weights: loaded->weights. */
MaeEmbedSpec mae_features_spec(const MaeLoadedModel *loaded);

/** One feature: the mean of the patch tokens after the last block and norm; of a
 *  classifier, what its head sees. */
MaeEmbedSpec mae_features_usual(const MaeLoadedModel *loaded);

/** Images as the model was trained for, without augmentation; borrows mean and std. */
MaeTransform mae_features_transform(const MaeLoadedModel *loaded);

/** What to call a feature: "12-mean-norm" is layer 12, mean of patches, normalised. */
void mae_features_name(const MaeEmbedSpec *spec, size_t feature, char *text, size_t size);

#endif /* MAE_EVAL_FEATURE_SET_H */
