/**
 * @file visualize_source.h
 * What mae-visualize looks at: models, images and a data set, opened as the command line
 * says.
 *
 * Errors   ARG for unknown views and what they lack; else as opening reports them.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_VISUALIZE_SOURCE_H
#define MAE_TOOLS_COMMON_VISUALIZE_SOURCE_H

#include "common/tool.h"
#include "eval/visual.h"

typedef struct VisualizeChoice {
    const char *const *images; /* [image_count] files to look at */
    size_t image_count;
    const char *data;    /* NULL: none */
    const char *compare; /* a checkpoint, or "random"; NULL: nothing */
    size_t count;        /* images to take from data */
    size_t layer;        /* as MaeVisualInput */
    size_t map_images;   /* likewise */
    bool thumbnails;
    size_t sample;         /* likewise */
    MaeImageLimits limits; /* of single images and of data */
    bool report;           /* a page with all figures, and scores */
    double mask_ratio;     /* -1: the checkpoint's */
    int query;             /* MaeVisualQuery */
} VisualizeChoice;

/** Everything open; zero-initialised is closed. */
typedef struct VisualizeSource {
    MaeTool *tool;
    const VisualizeChoice *choice;
    MaeLoadedModel loaded[MAE_VISUAL_MODELS];
    MaeGallery galleries[MAE_VISUAL_MODELS];
    MaeDataset *ds;
    MaePool *pool;
    MaeGemm *gemm;
    MaeCompute compute;
    MaeVisualInput input;
} VisualizeSource;

/** Whether the view has all it needs. */
bool visualize_source_allows(const VisualizeChoice *choice, const MaeVisual *view);

/**
 * The tool's arguments behind the checkpoint: names of views are moved to the front, what
 * is none is an image and becomes one of choice->images.
 * @return ARG for one that is neither a view nor there.
 */
MaeStatus visualize_source_sort(VisualizeChoice *choice, MaeArgs *args, MaeError *err);

/** ARG unless the view, of which there is one of this name, has all it needs. */
MaeStatus visualize_source_view(const char *name, const VisualizeChoice *choice,
                                MaeError *err);

/** Open all that was chosen. The first operand of the tool is the checkpoint. */
MaeStatus visualize_source_open(VisualizeSource *source, MaeTool *tool,
                                const VisualizeChoice *choice, MaeError *err);

/** Whether the second model is the first one with random weights. */
bool visualize_source_random(const VisualizeSource *source);

/** Progress is that of @p label from here on. */
void visualize_source_begin(VisualizeSource *source, const char *label);

/** Accepts a zeroed or half-open source. */
void visualize_source_close(VisualizeSource *source);

#endif /* MAE_TOOLS_COMMON_VISUALIZE_SOURCE_H */
