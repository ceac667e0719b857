/**
 * @file maskset.h
 * The masks of a fixed batch of images, with their memory.
 *
 * Errors   ARG and SHAPE as mae_mask_define reports them, NOMEM.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_EVAL_MASKSET_H
#define MAE_EVAL_MASKSET_H

#include <stdint.h>

#include "base/arena.h"
#include "model/masking.h"
#include "nn/patchify.h"

/** Zero-initialised is closed. */
typedef struct MaeMaskSet {
    MaeMask mask; /* of `batch` samples */
    MaeMaskScratch scratch;
    size_t batch;
    MaeArena arena; /* what the pointers above point into */
} MaeMaskSet;

/** Memory for @p batch > 0 masks; contents are undefined until drawn. */
MaeStatus mae_maskset_open(MaeMaskSet *set, MaeMaskKind kind, const MaePatchGrid *grid,
                           double ratio, size_t batch, MaeError *err);

/** Accepts NULL and a zeroed or closed set. */
void mae_maskset_close(MaeMaskSet *set);

/** Draw all masks: sample b of epoch 0, b = 0 .. batch-1. */
void mae_maskset_draw(MaeMaskSet *set, uint64_t seed);

/** The masks from sample @p first on; borrows from @p mask. */
MaeMask mae_mask_from(const MaeMask *mask, size_t first);

#endif /* MAE_EVAL_MASKSET_H */
