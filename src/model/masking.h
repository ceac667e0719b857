/**
 * @file masking.h
 * Which patches of each image are hidden: random, block-wise or grid masks.
 *
 * Every mask keeps exactly V = (size_t)(L * (1 - ratio)) patches, computed in double. The
 * order of patches is by (hidden, noise), stable: visible ones in ascending noise first,
 * hidden ones in ascending noise after them. A random mask hides by noise alone, so this
 * is the plain argsort of its noise.
 *
 *   random  the V patches with the smallest noise are visible
 *   block   rectangles of random size and aspect are hidden until L - V patches are; the
 *           last rectangle is trimmed to the exact count
 *   grid    an ordered-dither matrix of 8 x 8 decides, ties by noise: for a ratio of 0.75
 *           one patch of every 2 x 2 cell is visible, for 0.5 a checkerboard
 *
 * Random and grid masks of one address are nested: whatever the smaller V shows, the
 * larger one shows too. Block masks are not.
 *
 * A cover is a random mask turned round: its patches in order of rank form a ring, of
 * which every turn takes the next piece. For V < L/2 the pieces are visible ones, and
 * ceil(L/V) masks show each patch once (some twice if V does not divide L); otherwise
 * they are hidden ones, and ceil(L/(L-V)) masks hide each patch once (some twice). Either
 * way each patch is hidden at least once, and every mask is a random one by itself.
 *
 * Source   random: facebookresearch/mae models_mae.py, random_masking; block: Bao et al.
 *          2021, arXiv:2106.08254, algorithm 1; grid: He et al. 2021, arXiv:2111.06377,
 *          figure 6; Bayer 1973 for the matrix.
 * Shapes   B batch, L = grid_h * grid_w patches, patch l = row * grid_w + column.
 * Memory   Never allocates; buffers belong to arenas.
 * Threads  Different samples may be drawn concurrently, each thread with its own scratch.
 *          A mask depends on (seed, epoch, sample) only. Evaluation uses epoch 0 always.
 */
#ifndef MAE_MODEL_MASKING_H
#define MAE_MODEL_MASKING_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef enum MaeMaskKind {
    MAE_MASK_RANDOM = 0,
    MAE_MASK_BLOCK,
    MAE_MASK_GRID,
} MaeMaskKind;

/** Masks of a batch. */
typedef struct MaeMask {
    MaeMaskKind kind;
    size_t grid_h, grid_w;
    size_t patches;        /* L */
    size_t visible;        /* V, 1 .. L */
    uint32_t *ids_keep;    /* [B,V] patch at each visible token */
    uint32_t *ids_restore; /* [B,L] place of patch l in (visible, hidden) order */
    unsigned char *mask;   /* [B,L] 0 visible, 1 hidden */
} MaeMask;

/** Working memory of one thread. */
typedef struct MaeMaskScratch {
    float *noise;          /* [L] */
    uint32_t *order;       /* [L] */
    uint32_t *merge;       /* [L] */
    unsigned char *hidden; /* [L] */
} MaeMaskScratch;

/** Visible patches of @p patches: (size_t)(patches * (1 - ratio)) in double. */
size_t mae_mask_keep(size_t patches, double ratio);

/**
 * Set sizes; buffers are NULL afterwards.
 * Errors: MAE_ERR_ARG unless 0 <= ratio < 1 and at least one patch stays visible;
 * MAE_ERR_SHAPE for an empty grid or one of 2^31 patches or more.
 */
MaeStatus mae_mask_define(MaeMask *mask, MaeMaskKind kind, size_t grid_h, size_t grid_w,
                          double ratio, MaeError *err);

/** The same for @p visible patches: ARG unless they are 1 .. L. */
MaeStatus mae_mask_define_visible(MaeMask *mask, MaeMaskKind kind, size_t grid_h,
                                  size_t grid_w, size_t visible, MaeError *err);

/** Carve the buffers of @p batch samples; on a measuring arena only counts bytes. */
void mae_mask_reserve(MaeMask *mask, MaeArena *arena, size_t batch);

/** Carve one thread's scratch for masks of the same size. */
void mae_mask_reserve_scratch(MaeMaskScratch *scratch, const MaeMask *mask,
                              MaeArena *arena);

/** Fill sample @p b with the mask of (seed, epoch, sample) by the mask's kind. */
void mae_mask_draw(MaeMask *mask, size_t b, uint64_t seed, uint32_t epoch,
                   uint64_t sample, MaeMaskScratch *scratch);

/** Fill sample @p b from given noise [L]: a random mask whatever the kind. */
void mae_mask_from_noise(MaeMask *mask, size_t b, const float *noise,
                         MaeMaskScratch *scratch);

/**
 * Fill sample @p b from given flags; visible patches in ascending order of index.
 * @param hidden [L], 0 visible, anything else hidden.
 * Errors: MAE_ERR_SHAPE unless exactly V patches are visible; sample untouched.
 */
MaeStatus mae_mask_from_flags(MaeMask *mask, size_t b, const unsigned char *hidden,
                              MaeError *err);

/** Masks of a cover, see above; 0 if nothing is hidden. */
size_t mae_mask_cover(const MaeMask *mask);

/** Turn sample @p b, a random mask, into the one @p turns further in its cover. */
void mae_mask_turn(MaeMask *mask, size_t b, size_t turns);

#endif /* MAE_MODEL_MASKING_H */
