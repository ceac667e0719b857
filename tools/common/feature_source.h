/**
 * @file feature_source.h
 * What tools that work with features share: the options that say which, and everything
 * that is open between a checkpoint and the features of a data set.
 *
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_FEATURE_SOURCE_H
#define MAE_TOOLS_COMMON_FEATURE_SOURCE_H

#include "base/pool.h"
#include "common/tool.h"
#include "eval/score.h"
#include "kernel/gemm.h"

/** Which features: FEATURE_OPTIONS fill it but for random and head. */
typedef struct FeatureChoice {
    const char *layers;    /* "last", "all" or numbers, "3,6,12"; NULL: none but head's */
    int pooling;           /* index of feature_poolings */
    int norm;              /* index of feature_norms */
    int precision;         /* index of feature_precisions */
    size_t batch;          /* images at a time; 0: 64 */
    size_t workers;        /* decoding threads */
    MaeImageLimits limits; /* of JPEG and PNG files */
    bool random;           /* new weights, drawn by --seed, instead of the checkpoint's */
    bool head;             /* of a classifier also what its head sees */
} FeatureChoice;

enum { FEATURE_MEAN, FEATURE_CLS, FEATURE_BOTH };
enum { FEATURE_NORM_MODEL, FEATURE_NORM_NONE };
enum { FEATURE_AUTO, FEATURE_F32, FEATURE_BF16 };

extern const char *const feature_poolings[];
extern const char *const feature_norms[];
extern const char *const feature_precisions[];

/** Rows of a tool's table; @p at offset of its FeatureChoice. */
#define FEATURE_OPTIONS(at)                                                              \
    {"layers",                                                                           \
     'l',                                                                                \
     MAE_OPTION_TEXT,                                                                    \
     (at) + offsetof(FeatureChoice, layers),                                             \
     .value = "LIST",                                                                    \
     .help =                                                                             \
         "blocks after which features are taken: last, all, or numbers from 0 (what "    \
         "enters the first block) on, 3,6,12"},                                          \
        {"pool",                                                                         \
         'p',                                                                            \
         MAE_OPTION_CHOICE,                                                              \
         (at) + offsetof(FeatureChoice, pooling),                                        \
         .choices = feature_poolings,                                                    \
         .help = "mean of the patch tokens, class token, or both"},                      \
        {"norm",                                                                         \
         0,                                                                              \
         MAE_OPTION_CHOICE,                                                              \
         (at) + offsetof(FeatureChoice, norm),                                           \
         .choices = feature_norms,                                                       \
         .help = "after the last block: the final norm as the model has it, or none"},   \
        FEATURE_RUN_OPTIONS(at)

/** Those of them that do not say which features. */
#define FEATURE_RUN_OPTIONS(at)                                                          \
    {"precision",                                                                        \
     0,                                                                                  \
     MAE_OPTION_CHOICE,                                                                  \
     (at) + offsetof(FeatureChoice, precision),                                          \
     .choices = feature_precisions,                                                      \
     .help = "of the encoder's products; auto is bf16 where the processor "              \
             "multiplies it "                                                            \
             "natively"},                                                                \
        {"batch-size",    'b',                                                           \
         MAE_OPTION_SIZE, (at) + offsetof(FeatureChoice, batch),                         \
         .value = "N",    .min = 1,                                                      \
         .max = 65536,    .help = "images at a time; changes no result"},                \
        {"workers",                                                                      \
         'w',                                                                            \
         MAE_OPTION_SIZE,                                                                \
         (at) + offsetof(FeatureChoice, workers),                                        \
         .value = "N",                                                                   \
         .max = 256,                                                                     \
         .help = "threads that decode images"},                                          \
        MAE_TOOL_LIMITS_OPTION((at) + offsetof(FeatureChoice, limits))

/** Defaults of the latter, and of all. */
#define FEATURE_RUN_DEFAULTS .batch = 64, .workers = 2, .limits = MAE_TOOL_LIMITS
#define FEATURE_DEFAULTS                                                                 \
    {                                                                                    \
        .layers = "last", FEATURE_RUN_DEFAULTS                                           \
    }

/** Everything open; zero-initialised is closed. */
typedef struct FeatureSource {
    MaeTool *tool;
    MaeLoadedModel loaded;
    MaePool *pool;
    MaeGemm *gemm; /* of the encoder, in its precision */
    MaeEmbedSpec spec;
    size_t head; /* of a classifier: the feature that its head sees, if asked for */
    MaeEmbedder embedder;
    MaeTransform transform;
    const FeatureChoice *choice;
    bool exif; /* images are turned as their EXIF orientation says */
} FeatureSource;

/**
 * Load the checkpoint and prepare for the features chosen.
 * @return ARG for layers that cannot be read or do not exist, or if only a head's feature
 * is asked for and there is no head.
 */
MaeStatus feature_source_open(FeatureSource *source, MaeTool *tool,
                              const char *checkpoint, const FeatureChoice *choice,
                              MaeError *err);

/** Accepts a zeroed or half-open source. */
void feature_source_close(FeatureSource *source);

/** Images as the model was trained for: its channels, its orientation. */
MaeDatasetOptions feature_source_options(const FeatureSource *source);

/** How to read features of a data set, with a progress line called @p label. */
MaeFeaturesOptions feature_source_reading(FeatureSource *source, const char *label);

/** Open the data set at @p path with them. */
MaeStatus feature_source_dataset(const FeatureSource *source, MaeDataset **ds,
                                 const char *path, bool labelled, MaeError *err);

/** ARG unless a classifier's classes, if the model is one, are those of the data. */
MaeStatus feature_source_same_classes(const FeatureSource *source, const MaeClasses *data,
                                      MaeError *err);

/** The classifier, or NULL if the model is none. */
const MaeClassifier *feature_source_classifier(const FeatureSource *source);

/**
 * Features of @p ds with a progress line. All ranks that the tool has joined share the
 * images and end alike; rank 0 gets the features.
 * @param indices as in MaeFeaturesOptions.
 */
MaeStatus feature_source_read(FeatureSource *source, MaeFeatures *features,
                              const MaeDataset *ds, const char *label,
                              const size_t *indices, size_t count, MaeError *err);

#endif /* MAE_TOOLS_COMMON_FEATURE_SOURCE_H */
