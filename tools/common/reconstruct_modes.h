/**
 * @file reconstruct_modes.h
 * What mae-reconstruct can do, one at a time: panels of images, a sweep over mask ratios,
 * whole images from complementary masks, uncertainty, an animation, a ranked data set, a
 * replay of given tensors. Each is a row of a table: which options choose it and go with
 * it, and the function that does it.
 *
 * Errors   ARG for options that do not go together; else as what is done reports them.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_RECONSTRUCT_MODES_H
#define MAE_TOOLS_COMMON_RECONSTRUCT_MODES_H

#include "common/reconstruct_report.h"
#include "common/tool.h"
#include "model/snapshot.h"

/** Mask strategies by name, in the order of MaeMaskKind; ends with NULL. */
extern const char *const reconstruct_strategies[];

/** --mask-ratio was not given. */
#define RECONSTRUCT_RATIO_TRAINED (-1.0)

/** The options; NULL or 0 where not given. */
typedef struct ReconstructValues {
    const char *data, *out, *replay, *dump, *mask, *sweep, *frames, *rank;
    size_t count, frame_count, uncertainty, masks, batch, workers;
    MaeImageLimits limits; /* of images and of data */
    double mask_ratio;     /* RECONSTRUCT_RATIO_TRAINED: the checkpoint's */
    int strategy;          /* MaeMaskKind */
    bool oracle, grads, complementary;
} ReconstructValues;

/** Everything open while the tool works; zero-initialise but for the first two. */
typedef struct ReconstructSession {
    MaeTool *tool;
    const ReconstructValues *values;
    MaeLoadedModel loaded;
    MaePool *pool;
    MaeGemm *gemm;
    MaeCompute compute;
    MaeGallery gallery;
    MaeViewer viewer;
    ReconstructReport report;
    char out[64]; /* name of the picture where none was given */
} ReconstructSession;

/** Check the options, load the checkpoint, do what was chosen and print the report.
 *  Close the session afterwards, also after a failure. */
MaeStatus reconstruct_run(ReconstructSession *s, MaeError *err);

void reconstruct_close(ReconstructSession *s);

#endif /* MAE_TOOLS_COMMON_RECONSTRUCT_MODES_H */
