/**
 * @file clip.h
 * Norm of the gradient over all trained parameters, and the factor that clips it.
 *
 *   norm = grad_scale * sqrt(sum g^2),   factor = min(1, max_norm / (norm + 1e-6))
 *
 * The factor is folded into the optimiser's grad_scale, so clipping costs no pass of its
 * own. Squares are summed in double, tile by tile; the tiles' sums are added in index
 * order, so the norm is bitwise the same for any number of threads.
 *
 * Source   torch.nn.utils.clip_grad_norm_.
 * Memory   The arena owns the sums; the tiles are borrowed and must outlive the object.
 * Errors   A gradient with NaN or infinity, what is TRACKED included, is
 *          MAE_ERR_NUMERIC, the parameter named.
 * Threads  One norm at a time per object; the work itself runs on the pool.
 */
#ifndef MAE_OPTIM_CLIP_H
#define MAE_OPTIM_CLIP_H

#include "base/arena.h"
#include "base/pool.h"
#include "base/status.h"
#include "optim/tiles.h"

/** Working memory of the norm. */
typedef struct MaeClip {
    const MaeTiles *tiles;
    double *sums; /* [tiles->count] squares of each tile */
} MaeClip;

/** @param tiles defined; initialised before the first norm. */
void mae_clip_define(MaeClip *clip, const MaeTiles *tiles);

/** Carve the sums; on a measuring arena only counts bytes. */
void mae_clip_reserve(MaeClip *clip, MaeArena *arena);

/**
 * @param[out] norm of grad_scale * grads; written even if it is not finite.
 * @param grads flat buffer of the tiles' table.
 * @param grad_scale > 0, what the step will multiply gradients with before clipping,
 * e.g. 1 / accumulation steps.
 */
MaeStatus mae_clip_norm(MaeClip *clip, double *norm, MaePool *pool, const float *grads,
                        double grad_scale, MaeError *err);

/** Factor that brings @p norm down to @p max_norm; 1 if max_norm is 0 (no clipping). */
double mae_clip_factor(double norm, double max_norm);

#endif /* MAE_OPTIM_CLIP_H */
