/**
 * @file patch_features.h
 * Patch tokens of a few images after chosen blocks: of whole images, and of visible
 * patches alone as in pretraining.
 *
 * Shapes   N images, L patches of which V are visible, D width, F layers.
 * Memory   An object owns its arrays.
 * Errors   NOMEM.
 * Threads  The calling thread alone; products in f32.
 */
#ifndef MAE_EVAL_PATCH_FEATURES_H
#define MAE_EVAL_PATCH_FEATURES_H

#include "data/survey.h"
#include "eval/tokens.h"
#include "model/masking.h"

/** Layers of an object, at most. */
#define MAE_PATCH_LAYERS 3

/** Zero-initialised is closed. */
typedef struct MaePatchFeatures {
    size_t images, patches, visible, width; /* N, L, V, D */
    size_t layers[MAE_PATCH_LAYERS];        /* blocks that have run, rising */
    size_t layer_count;                     /* F */
    float *whole;                           /* [F,N,L,D] */
    float *part;                            /* [F,N,V,D] in the order of mask->ids_keep */
    MaeArena arena;
} MaePatchFeatures;

/** What to read of whom. */
typedef struct MaePatchSpec {
    const MaeEncoder *encoder;
    const float *w;
    const MaeGemm *gemm; /* f32 */
    size_t layer;        /* this one alone; 0: after a third, two thirds and all blocks */
    const MaeMask *mask; /* of N images */
    MaeWatch watch;      /* hears of every image */
} MaePatchSpec;

/**
 * @param[out] features closed by the caller; closed on failure.
 * @param images [N,C,H,W] normalised.
 */
MaeStatus mae_patch_features_read(MaePatchFeatures *features, const MaePatchSpec *spec,
                                  const float *images, size_t count, MaeError *err);

/** Accepts NULL and a closed object. */
void mae_patch_features_close(MaePatchFeatures *features);

/** [N,L,D] of layer number @p f. */
const float *mae_patch_features_whole(const MaePatchFeatures *features, size_t f);

/** [N,V,D] of layer number @p f. */
const float *mae_patch_features_part(const MaePatchFeatures *features, size_t f);

#endif /* MAE_EVAL_PATCH_FEATURES_H */
