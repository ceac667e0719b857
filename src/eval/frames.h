/**
 * @file frames.h
 * An animation of masks: pictures numbered from 0 on, from one visible patch to all of
 * them, patches appearing in the order of the noise.
 *
 * Every frame is a picture of all images (eval/preview.h). Frame k of K shows
 * 1 + k (L-1) / (K-1) patches, rounded down; the model cannot be shown none.
 *
 * Memory   A sheet; else as the viewer.
 * Errors   ARG: block masks (they are not nested), more frames than MAE_FRAMES_MAX, or a
 *          frame of a longer animation in the folder, which would become part of this
 *          one; IO as writing reports it. What was written before a failure stays.
 * Threads  One thread at a time per viewer.
 */
#ifndef MAE_EVAL_FRAMES_H
#define MAE_EVAL_FRAMES_H

#include "eval/viewer.h"

/** Most frames: their numbers have three digits. */
#define MAE_FRAMES_MAX 999

/** Where frames go and what they show. */
typedef struct MaeFramesSpec {
    const char *folder; /* made if missing; nothing in it is touched but the frames */
    const char *name;   /* of the files: name-000.png */
    MaeMaskKind kind;   /* random or grid */
    size_t frames;      /* most; fewer if there are fewer patches */
    uint64_t seed;      /* of the masks, those of samples 0 .. N-1 */
} MaeFramesSpec;

/** @param[out] frames written. */
MaeStatus mae_frames_write(size_t *frames, MaeViewer *viewer, const MaeFramesSpec *spec,
                           MaeError *err);

#endif /* MAE_EVAL_FRAMES_H */
