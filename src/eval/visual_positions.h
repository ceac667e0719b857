/**
 * @file visual_positions.h
 * The numbers of the view "positions": cosine similarity of position embeddings.
 *
 * Source   Dosovitskiy et al. 2020, arXiv:2010.11929, figure 7 (centre).
 * Memory   Never allocates.
 * Errors   Cannot fail.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_VISUAL_POSITIONS_H
#define MAE_EVAL_VISUAL_POSITIONS_H

#include <stddef.h>

/**
 * @param[out] map [L] similarity of row @p from to every row; 0 where one has no length.
 * @param pos [L,D] without the class token's row.
 */
void mae_position_similarity(float *map, const float *pos, size_t count, size_t width,
                             size_t from);

#endif /* MAE_EVAL_VISUAL_POSITIONS_H */
