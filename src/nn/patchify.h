/**
 * @file patchify.h
 * Images as rows of patches, and back.
 *
 * The grid has (height / patch) rows and (width / patch) columns; patch l is at row
 * l / columns, column l % columns. Two orders of a patch's values are in use:
 *
 *   target order       [row, column, channel]: targets and predictions of the decoder
 *   convolution order  [channel, row, column]: operand of the patch embedding, whose
 *                      weight [D,C,p,p] is a [D,C*p*p] matrix
 *
 * Source   He et al. 2021, arXiv:2111.06377; facebookresearch/mae models_mae.py.
 * Shapes   C channels, H height, W width, p patch, L patches, P = C*p*p values a patch.
 * Memory   Never allocates; inputs and outputs must not overlap.
 * Errors   Only mae_patch_grid_check can fail; the others expect a grid that passed it.
 * Threads  Reentrant.
 */
#ifndef MAE_NN_PATCHIFY_H
#define MAE_NN_PATCHIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/operand.h"
#include "base/status.h"

/** How an image [C,H,W] is cut; all fields positive, H and W divisible by patch. */
typedef struct MaePatchGrid {
    size_t channels; /* C */
    size_t height;   /* H, pixels */
    size_t width;    /* W, pixels */
    size_t patch;    /* p, pixels */
} MaePatchGrid;

/** MAE_ERR_SHAPE unless sizes are positive, divisible and C*H*W floats addressable. */
MaeStatus mae_patch_grid_check(const MaePatchGrid *grid, MaeError *err);

/** @return columns of the grid, W / p. */
size_t mae_patch_columns(const MaePatchGrid *grid);

/** @return L, patches of an image. */
size_t mae_patch_count(const MaePatchGrid *grid);

/** @return P, values of a patch. */
size_t mae_patch_values(const MaePatchGrid *grid);

/** @return offset of the first value of patch @p l in channel 0 of an image [C,H,W]. */
size_t mae_patch_offset(const MaePatchGrid *grid, size_t l);

/** One patch. @param[out] values [P] in target order.  @param image [C,H,W]. */
void mae_patch_read(float *values, const float *image, const MaePatchGrid *grid,
                    size_t l);

/** @param[out] patches [L,P] in target order, overwritten.  @param image [C,H,W]. */
void mae_patchify(float *patches, const float *image, const MaePatchGrid *grid);

/** Inverse of mae_patchify. @param[out] image [C,H,W].  @param patches [L,P]. */
void mae_unpatchify(float *image, const float *patches, const MaePatchGrid *grid);

/**
 * Rows of the patch embedding's operand (im2col) for chosen patches.
 * @param[out] rows [count,P] operands in convolution order, overwritten.
 * @param ids [count] patch indices below L in any order, or NULL for 0 .. count-1.
 */
void mae_patchify_conv(MaeOperand rows, const float *image, const MaePatchGrid *grid,
                       const uint32_t *ids, size_t count);

#endif /* MAE_NN_PATCHIFY_H */
