/**
 * @file maskset.h
 * The masks of a batch, with their memory, drawn in parallel.
 *
 * Errors   ARG and SHAPE as mae_mask_define reports them, NOMEM.
 * Threads  One thread at a time per object, which may drive a pool.
 */
#ifndef MAE_MODEL_MASKSET_H
#define MAE_MODEL_MASKSET_H

#include <stdint.h>

#include "base/arena.h"
#include "base/pool.h"
#include "model/masking.h"
#include "nn/patchify.h"

/** Zero-initialised is closed. */
typedef struct MaeMaskSet {
    MaeMask mask;            /* of `batch` samples */
    MaeMaskScratch *scratch; /* [threads of the pool] */
    size_t batch;
    MaePool *pool;  /* borrowed; NULL: the calling thread alone */
    MaeArena arena; /* what the pointers above point into */
} MaeMaskSet;

/** Memory for @p batch > 0 masks; contents are undefined until drawn. */
MaeStatus mae_maskset_open(MaeMaskSet *set, MaeMaskKind kind, const MaePatchGrid *grid,
                           double ratio, size_t batch, MaePool *pool, MaeError *err);

/** The same for @p visible patches. */
MaeStatus mae_maskset_open_visible(MaeMaskSet *set, MaeMaskKind kind,
                                   const MaePatchGrid *grid, size_t visible, size_t batch,
                                   MaePool *pool, MaeError *err);

/** Accepts NULL and a zeroed or closed set. */
void mae_maskset_close(MaeMaskSet *set);

/**
 * Draw masks 0 .. count-1; never allocates.
 * @param epoch   0 for the fixed masks of evaluations.
 * @param samples [count] address of each mask's random numbers; NULL: 0 .. count-1.
 */
void mae_maskset_draw(MaeMaskSet *set, uint64_t seed, uint32_t epoch,
                      const size_t *samples, size_t count);

/** The masks from sample @p first on; borrows from @p mask. */
MaeMask mae_mask_from(const MaeMask *mask, size_t first);

#endif /* MAE_MODEL_MASKSET_H */
