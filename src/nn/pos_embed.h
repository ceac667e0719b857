/**
 * @file pos_embed.h
 * Fixed 2-D sine-cosine position embeddings, and resizing of embeddings between grids.
 *
 * Row of patch (row r, column c), width D: [ e(c), e(r) ] with
 *   e(t) = [ sin(t w_0), ..., sin(t w_{D/4-1}), cos(t w_0), ..., cos(t w_{D/4-1}) ],
 *   w_i = 10000^(-i / (D/4)), computed in double.
 * The class token's row comes first and is 0.
 *
 * Source   facebookresearch/mae util/pos_embed.py (column first). Resizing: bicubic with
 *          a = -0.75, half-pixel centres, no antialiasing, edges clamped, as
 *          torch.nn.functional.interpolate(mode='bicubic', align_corners=False).
 * Shapes   [1 + grid_h * grid_w, D], f32, row-major.
 * Memory   Never allocates.
 * Errors   Cannot fail; broken preconditions assert.
 * Threads  Reentrant.
 */
#ifndef MAE_NN_POS_EMBED_H
#define MAE_NN_POS_EMBED_H

#include <stddef.h>

/** @param[out] pos [1 + grid_h * grid_w, width]; @p width divisible by 4. */
void mae_pos_embed_sincos(float *pos, size_t grid_h, size_t grid_w, size_t width);

/** Resize a table; the class token's row is copied. @p out may not alias @p in. */
void mae_pos_embed_resize(float *out, size_t out_h, size_t out_w, const float *in,
                          size_t in_h, size_t in_w, size_t width);

#endif /* MAE_NN_POS_EMBED_H */
