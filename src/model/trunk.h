/**
 * @file trunk.h
 * A stack of transformer blocks and the memory all blocks of a model share.
 *
 * A batch is cut into tiles of whole images; a tile runs through all layers forward
 * without meeting another. Where an image has more tokens than the tile was sized for
 * (the decoder), a block takes the tile in parts, so that its rows stay in one core's
 * cache. Backward alternates, block by block, between a grid over tiles (input gradients,
 * row sums) and one over bands of the weight gradients. Sizes of tiles and parts depend
 * on shapes alone.
 *
 * Blocks in front may be frozen: they run forward only and backward ends behind them.
 * Halves of blocks are counted, attention first, so the MLP of a block can be trained on
 * frozen attention. Who runs the frozen ones (model/encoder.h) needs memory for a tile.
 *
 * Rows of which nobody reads the last block's output can end behind its attention, which
 * the other rows still need: M of an image's N rows leave it, side by side.
 *
 * Source   Halves: He et al. 2021, arXiv:2111.06377, section 4.3.
 * Shapes   B images, N tokens each, R = B * N rows, D width.
 * Memory   MaeWork and MaeTrunkCache live in an arena; a trunk owns its blocks' array.
 * Errors   Only define can fail (NOMEM).
 * Threads  Tile functions may run concurrently on distinct tiles and thread indices.
 */
#ifndef MAE_MODEL_TRUNK_H
#define MAE_MODEL_TRUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/param.h"
#include "nn/block.h"

/** Immutable once defined. */
typedef struct MaeTrunk {
    MaeBlock *blocks; /* [depth], owned */
    size_t depth;
    size_t width;  /* D */
    size_t heads;  /* H */
    size_t hidden; /* F of the MLP */
    size_t frozen; /* halves of blocks in front that are not trained; 0 .. 2 * depth */
} MaeTrunk;

/** What forward leaves behind for backward. */
typedef enum MaeKeep {
    MAE_KEEP_NOTHING, /* no backward will follow */
    MAE_KEEP_ALL,
    MAE_KEEP_INPUTS, /* of the blocks: backward runs each forward again, bit for bit */
} MaeKeep;

/** Sizes of the memory that a model's trunks share. */
typedef struct MaeWorkPlan {
    size_t batch;       /* most images in a batch */
    size_t tile_images; /* most images in a tile */
    size_t sum_first;   /* mae_param_sum_first; row sums before it have no memory */
    size_t sum_total;   /* MaeParamTable.sum_total; 0 without backward */
    MaeKeep keep;
    bool frozen; /* no block is trained: backward will not enter the trunks */
    bool drop_path;
    size_t trunk_count;
    MaeBlockSizes trunks[2]; /* images = batch */
} MaeWorkPlan;

/** Shared by the trunks of one model; every pointer belongs to the arena. */
typedef struct MaeWork {
    MaeCompute compute;
    MaeWorkPlan plan;
    MaeBlockScratch *scratch; /* [threads] */
    MaeBlockGrads grads;      /* whole batch */
    float *dx[2]; /* [largest R*D] gradient of the residual stream, in turns */
    float *sums;  /* [sum_first + tiles*(sum_total-sum_first)], see mae_work_sums */
} MaeWork;

/** How far a backward pass is; it walks the table from its end to its beginning. */
typedef struct MaeGradFront {
    const MaeParamTable *table;
    float *dw;      /* [table->total] */
    MaeGradUse use; /* what becomes of gradients that are there already */
    size_t batch;
    size_t from; /* gradients from here on are final; table->total at first */
} MaeGradFront;

/** Kept from forward to backward. */
typedef struct MaeTrunkCache {
    MaeBlockCache *blocks; /* [depth]; all alias one cache if nothing is kept */
    float **x; /* [depth+1] inputs of the blocks, then the output; each [R,D], the output
                  [B*M,D]; NULL before the first block that is trained as a whole */
    size_t leaving;    /* M, rows of an image that leave the last block; N: all do */
    uint32_t *leave;   /* [B,M] which ones, for the caller to fill in; NULL for all */
    MaeBlockCache end; /* of the last block's MLP then: M rows an image */
} MaeTrunkCache;

/** Images in a tile: enough rows of @p tokens for an efficient product. */
size_t mae_work_tile_images(size_t tokens);

/** Number of tiles of a batch, at most plan.batch many; of sizes that differ by one. */
size_t mae_work_tiles(const MaeWork *work, size_t batch);

/** Tile @p index of a batch whose images have @p tokens rows. */
MaeTile mae_work_tile(const MaeWork *work, size_t batch, size_t tokens, size_t index);

/**
 * Whether a tile may be left out because products are rehearsed and an earlier one has
 * the same size.
 */
bool mae_work_skips(const MaeWork *work, size_t batch, size_t index);

/**
 * Images in a part of a tile, at most: 384 rows of @p tokens, rounded to whole images, at
 * least one. Weights are packed anew for each part: ViT-B/16, bf16, takes 1.5 % less time
 * than with 192 rows.
 */
size_t mae_tile_part_images(size_t tokens);

/** Parts of @p tile that a block takes at a time. */
size_t mae_tile_parts(MaeTile tile);

/** Part @p index of @p tile. */
MaeTile mae_tile_part(MaeTile tile, size_t index);

/** This tile's row sums; only elements sum_first .. sum_total-1 are its own. */
float *mae_work_sums(const MaeWork *work, size_t tile);

/** Set them to zero: how a tile's backward pass begins. @return mae_work_sums. */
float *mae_work_clear_sums(const MaeWork *work, size_t tile);

/**
 * Carve scratch per thread and, with backward, gradients and row sums for the largest of
 * the plan's trunks; on a measuring arena only counts bytes.
 */
void mae_work_reserve(MaeWork *work, MaeArena *arena, const MaeWorkPlan *plan,
                      const MaeCompute *compute);

/**
 * Nothing more will come for parameters from offset @p from on: dw = or += the tiles' row
 * sums in tile order, for every trained ROWSUM parameter between there and the front, and
 * whoever waits is told. Offset 0 ends a backward pass.
 */
void mae_work_advance(const MaeWork *work, MaeGradFront *front, size_t from);

/** The same in the middle of one, if somebody waits; else it is left for later. */
void mae_work_offer(const MaeWork *work, MaeGradFront *front, size_t from);

/** Register blocks "<prefix>.0" ... @p hidden is F. */
MaeStatus mae_trunk_define(MaeTrunk *trunk, MaeParamTable *table, const char *prefix,
                           size_t width, size_t depth, size_t heads, size_t hidden,
                           MaeError *err);

/** Accepts NULL and a zeroed or half-built object. */
void mae_trunk_done(MaeTrunk *trunk);

/** Initial weights as the layers document them. */
void mae_trunk_init(const MaeTrunk *trunk, float *w, MaeRng *rng);

/** Blocks that are trained as a whole are those from here on; depth if there is none. */
size_t mae_trunk_first(const MaeTrunk *trunk);

/**
 * Blocks that keep nothing of their own share one cache; frozen ones have none.
 * @param leaving M; fewer than @p tokens only if there are blocks and none is frozen.
 */
void mae_trunk_reserve(const MaeTrunk *trunk, MaeTrunkCache *cache, MaeArena *arena,
                       size_t batch, size_t tokens, size_t leaving, MaeDtype operand,
                       MaeKeep keep);

/**
 * Run one tile through what is trained, to cache->x[depth]: from x[mae_trunk_first()], or
 * if the MLP of the block before is trained, from the x1 of that block.
 * @param scales [depth,2,batch] of stochastic depth, or NULL.
 */
void mae_trunk_forward(const MaeTrunk *trunk, const MaeWork *work,
                       const MaeTrunkCache *cache, MaeWeights w, const float *scales,
                       size_t batch, MaeTile tile, size_t thread);

/**
 * All tiles, all that is trained, weight gradients included. @p dout, of the output's
 * rows, is one of work->dx.
 * @param[in,out] front its dw gets gradients of the linear layers; row sums go to the
 * tiles' buffers. Comes as far as the first block that is trained as a whole.
 * @return the gradient of cache->x[mae_trunk_first()] [R,D]: one of work->dx.
 */
float *mae_trunk_backward(const MaeTrunk *trunk, const MaeWork *work, MaeGradFront *front,
                          float *dout, const MaeTrunkCache *cache, MaeWeights w,
                          const float *scales, size_t tokens);

#endif /* MAE_MODEL_TRUNK_H */
