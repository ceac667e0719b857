/**
 * @file visual.h
 * Views: what can be drawn of a model, one row of a table each, and what they get to see.
 *
 * A view draws one or more figures of one model, or of two side by side: the second is
 * what the first is compared with, on the same images and the same scales.
 *
 * To add one: a file visual_<name>.c that defines a MaeVisual, its declaration below, its
 * place in the list of visual.c.
 *
 * Errors   As each view documents; ARG and SHAPE for what the input asks of it and cannot
 *          be had, NUMERIC for weights that are not finite.
 * Threads  The calling thread, which may drive the pool.
 */
#ifndef MAE_EVAL_VISUAL_H
#define MAE_EVAL_VISUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/survey.h"
#include "eval/figure.h"
#include "eval/gallery.h"
#include "model/snapshot.h"

/** Models in a figure, at most. */
#define MAE_VISUAL_MODELS 2

/** Whose attention is drawn. */
typedef enum MaeVisualQuery {
    MAE_QUERY_AUTO, /* the class token's; the mean where a classifier pools by the mean */
    MAE_QUERY_CLS,
    MAE_QUERY_MEAN, /* averaged over all patches that ask */
} MaeVisualQuery;

/** What a view cannot do without; or-ed. */
typedef enum MaeVisualNeeds {
    MAE_VISUAL_NEEDS_NOTHING = 0,
    MAE_VISUAL_NEEDS_IMAGES = 1, /* models[].gallery */
    MAE_VISUAL_NEEDS_DATA = 2,   /* ds */
} MaeVisualNeeds;

/** A model to look at. */
typedef struct MaeVisualModel {
    const char *name; /* for captions: its path, or "random weights" */
    const MaeEncoder *encoder;
    const float *w;            /* weights of its model */
    MaePooling query;          /* whose attention MAE_QUERY_AUTO shows */
    const float *mean, *std;   /* [C] of its images */
    const MaeGallery *gallery; /* images as this model takes them; NULL: there are none */
    const MaeLoadedModel *loaded; /* for views that need data; NULL: there is none */
} MaeVisualModel;

/** Everything that views may look at; borrowed. */
typedef struct MaeVisualInput {
    MaeVisualModel models[MAE_VISUAL_MODELS];
    size_t model_count;        /* 1, or 2: of the same channels, size and patch, with
                                  galleries of the same images */
    const MaeDataset *ds;      /* NULL: there is none */
    const MaeCompute *compute; /* products in f32 */
    size_t layer;              /* block from 1 on; 0: as the view documents */
    MaeVisualQuery query;
    double mask_ratio; /* share of patches hidden where a view hides some */
    uint64_t seed;     /* of random choices */
    size_t map_images; /* of ds on a map, at most, drawn by the seed */
    bool thumbnails;   /* pictures on it in place of points */
    size_t sample;     /* of ds to look for neighbours in, at most, drawn by the seed */
    MaeImageLimits limits; /* of the gallery's files, where they are read again */
    const MaeLog *log;
    MaeWatch watch; /* hears of images that are done */
} MaeVisualInput;

typedef struct MaeVisual {
    const char *name;
    const char *help; /* one line for the tool's help */
    unsigned needs;   /* MaeVisualNeeds */
    /** Append figures; some may have been appended before a failure. */
    MaeStatus (*draw)(MaeFigures *figures, const MaeVisualInput *input, MaeError *err);
} MaeVisual;

extern const MaeVisual mae_visual_kernels;    /* filters of the patch embedding */
extern const MaeVisual mae_visual_positions;  /* how alike positions are */
extern const MaeVisual mae_visual_attention;  /* where a block looks */
extern const MaeVisual mae_visual_features;   /* what patch tokens have in common */
extern const MaeVisual mae_visual_map;        /* where images of a data set lie */
extern const MaeVisual mae_visual_neighbours; /* what images are near to each image */

/** All of them in the order in which they are drawn; NULL ends the list. */
extern const MaeVisual *const mae_visuals[];

/** The view called @p name, or NULL. */
const MaeVisual *mae_visual_find(const char *name);

/**
 * What holds for any view: SHAPE unless all models take the same images and cut them into
 * the same patches, ARG for a layer that one of them does not have.
 */
MaeStatus mae_visual_check(const MaeVisualInput *input, MaeError *err);

/** A model of either kind from a checkpoint, without a gallery. */
MaeVisualModel mae_visual_model(const char *name, const MaeLoadedModel *loaded);

/** Append to a caption, cut off where it is full. */
void mae_visual_explain(MaeFigure *figure, const char *fmt, ...) MAE_PRINTF(2, 3);

/** Append which model is where, if there are two. */
void mae_visual_explain_models(MaeFigure *figure, const MaeVisualInput *input);

/** NUMERIC unless all of the view's numbers are finite. @param what names them. */
MaeStatus mae_visual_finite(const MaeVisualModel *model, const char *what,
                            const float *values, size_t n, MaeError *err);

#endif /* MAE_EVAL_VISUAL_H */
