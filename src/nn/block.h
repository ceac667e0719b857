/**
 * @file block.h
 * Transformer block (pre-norm), forward and backward, one tile of whole images at a time.
 *
 *   x1  = x  + s1 * proj(attention(qkv(norm1(x))))
 *   out = x1 + s2 * fc2(gelu(fc1(norm2(x1))))
 *
 * s1, s2: per-image scales of stochastic depth, 1 without it. GELU is exact (erf), qkv
 * has a bias, attention is scaled by 1 / sqrt(head dim).
 *
 * Forward keeps what backward cannot cheaply rebuild (for an MLP ratio of 4: 7 D operands
 * and 2 D floats a row); outputs of norms and GELU are computed again, and that of the
 * attention where operands are f32 (in bf16 another D operands a row are kept for it).
 * Backward of a tile yields the input gradient and this tile's row sums; the four weight
 * gradients follow for the whole batch through mae_block_weight_grads.
 *
 * A block has two halves, attention and MLP; the functions of one half are for blocks of
 * which only the MLP is trained, or whose MLP has fewer rows than its attention.
 *
 * Source   Dosovitskiy et al. 2020, arXiv:2010.11929; timm's Block as used by
 *          facebookresearch/mae. Stochastic depth: Huang et al. 2016, arXiv:1603.09382.
 * Types    Operands have the type of the gemm; x, x1, out and their gradients are f32.
 * Shapes   R = rows = images * tokens, D width, F = hidden width of the MLP, H heads.
 * Memory   Never allocates; caches and buffers come from an arena.
 * Errors   Cannot fail; broken preconditions assert.
 * Threads  Tiles are independent: concurrent calls need distinct tiles, scratch and sums.
 */
#ifndef MAE_NN_BLOCK_H
#define MAE_NN_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/operand.h"
#include "base/param.h"
#include "base/rng.h"
#include "nn/compute.h"
#include "nn/layernorm.h"
#include "nn/linear.h"

/** Immutable once defined. */
typedef struct MaeBlock {
    MaeLayerNorm norm1, norm2;
    MaeLinear qkv, proj, fc1, fc2;
    size_t width; /* D */
    size_t heads; /* H */
} MaeBlock;

/** Consecutive whole images of a batch. */
typedef struct MaeTile {
    size_t image;  /* first image */
    size_t images; /* how many */
    size_t tokens; /* rows per image, N */
} MaeTile;

/** Kept from forward to backward for the whole batch. */
typedef struct MaeBlockCache {
    MaeLayerNormCache norm1, norm2;
    MaeOperand qkv;   /* [R,3D] */
    float *lse;       /* [images,H,N] */
    MaeOperand heads; /* [R,D] side by side: input of proj; no data in an f32 run and if
                         no backward follows */
    float *x1;        /* [R,D] */
    MaeOperand fc1;   /* [R,F] before GELU; backward leaves what is behind it there */
} MaeBlockCache;

/** One thread's working memory, for the largest tile. */
typedef struct MaeBlockScratch {
    float *narrow;      /* [R,D] of one tile */
    MaeOperand operand; /* [R,D] of one tile */
    MaeOperand wide;    /* [R,F] of one tile */
    float *attention;   /* mae_attention_scratch() floats */
    MaeLap *lap;        /* the thread's watch, or NULL; set by the owner */
} MaeBlockScratch;

/** What backward writes for the weight gradients, whole batch; shared by all blocks. */
typedef struct MaeBlockGrads {
    MaeOperand norm1; /* [R,D] output of norm1 again: input of qkv */
    MaeOperand norm2; /* [R,D] output of norm2 again: input of fc1 */
    MaeOperand heads; /* [R,D] side by side again; no data if the cache has them */
    MaeOperand dqkv;  /* [R,3D] */
    MaeOperand dfc1;  /* [R,F] gradient before GELU */
    float *dx1;       /* [R,D] gradient of x1 */
    MaeOperand dproj; /* [R,D] s1 * dx1; no data if that is dx1 itself */
    MaeOperand dfc2;  /* [R,D] s2 * dout; no data if that is dout itself */
} MaeBlockGrads;

/** Sizes of one user of a block's memory. */
typedef struct MaeBlockSizes {
    size_t images, tokens; /* of a batch (or of a tile, for scratch) */
    size_t width, hidden, heads;
    MaeDtype operand;
    bool forward_only; /* nothing is kept for a backward */
} MaeBlockSizes;

/** Register the parameters under @p scope, e.g. "blocks.0". */
void mae_block_define(MaeBlock *block, MaeParamTable *table, const char *scope,
                      size_t width, size_t heads, size_t hidden);

/** Where its parameters begin in the table. */
static inline size_t mae_block_offset(const MaeBlock *block)
{
    return block->norm1.gamma.off;
}

/** Carve the cache of a batch; on a measuring arena only counts bytes. */
void mae_block_reserve(MaeBlockCache *cache, MaeArena *arena, const MaeBlockSizes *sizes);

/** The same of what the attention's half keeps: norm1, qkv, lse and heads. */
void mae_block_reserve_attention(MaeBlockCache *cache, MaeArena *arena,
                                 const MaeBlockSizes *sizes);

/** And of the MLP's: norm2, x1 and fc1. */
void mae_block_reserve_mlp(MaeBlockCache *cache, MaeArena *arena,
                           const MaeBlockSizes *sizes);

/** One thread's scratch for the largest of @p count users; sizes[].images of a tile. */
void mae_block_reserve_scratch(MaeBlockScratch *scratch, MaeArena *arena,
                               const MaeBlockSizes *sizes, size_t count);

/** For the largest of @p count users. @param drop_path any has stochastic depth. */
void mae_block_reserve_grads(MaeBlockGrads *grads, MaeArena *arena,
                             const MaeBlockSizes *sizes, size_t count, bool drop_path);

/** Initial weights as the layers document them. */
void mae_block_init(const MaeBlock *block, float *w, MaeRng *rng);

/**
 * @param[out] out [R,D] of the batch; this tile's rows are written. May not alias @p x.
 * @param x [R,D] of the batch, kept by the caller for backward.
 * @param scales [2,images of the batch] s1 then s2, or NULL.
 */
void mae_block_forward(const MaeBlock *block, const MaeGemm *gemm, float *out,
                       const MaeBlockCache *cache, const MaeBlockScratch *scratch,
                       const float *x, MaeWeights w, const float *scales, size_t batch,
                       MaeTile tile);

/**
 * The first half: x1 = x + s1 * proj(attention(qkv(norm1(x)))).
 * @param[out] x1 [R,D] of the batch; this tile's rows are written. May not alias @p x.
 * @param scales [images of the batch] s1, or NULL.
 */
void mae_block_forward_attention(const MaeBlock *block, const MaeGemm *gemm, float *x1,
                                 const MaeBlockCache *cache,
                                 const MaeBlockScratch *scratch, const float *x,
                                 MaeWeights w, const float *scales, MaeTile tile);

/**
 * The second half: out = x1 + s2 * fc2(gelu(fc1(norm2(x1)))) with cache->x1.
 * @param[out] out [R,D] of the batch; this tile's rows are written.
 * @param scales [images of the batch] s2, or NULL.
 */
void mae_block_forward_mlp(const MaeBlock *block, const MaeGemm *gemm, float *out,
                           const MaeBlockCache *cache, const MaeBlockScratch *scratch,
                           MaeWeights w, const float *scales, MaeTile tile);

/**
 * @param[out]    dx [R,D] of the batch; this tile's rows are overwritten.
 * @param[in,out] sums row sums of this tile, accumulated (+=).
 * @param dout [R,D] of the batch; must live until mae_block_weight_grads. Not @p dx.
 * @param cache of the tile's forward pass, used up: another backward needs another one.
 */
void mae_block_backward(const MaeBlock *block, const MaeGemm *gemm, float *dx,
                        float *sums, const MaeBlockGrads *grads,
                        const MaeBlockScratch *scratch, const float *dout, const float *x,
                        const MaeBlockCache *cache, MaeWeights w, const float *scales,
                        size_t batch, MaeTile tile);

/**
 * Of the second half: leaves the gradient of x1 in grads->dx1.
 * @param scales [images of the batch] s2, or NULL.  The rest as above.
 */
void mae_block_backward_mlp(const MaeBlock *block, const MaeGemm *gemm, float *sums,
                            const MaeBlockGrads *grads, const MaeBlockScratch *scratch,
                            const float *dout, const MaeBlockCache *cache, MaeWeights w,
                            const float *scales, MaeTile tile);

/**
 * Of the first half: from the gradient of x1 in grads->dx1. @param scales s1, or NULL.
 * The rest as above.
 */
void mae_block_backward_attention(const MaeBlock *block, const MaeGemm *gemm, float *dx,
                                  float *sums, const MaeBlockGrads *grads,
                                  const MaeBlockScratch *scratch, const float *x,
                                  const MaeBlockCache *cache, MaeWeights w,
                                  const float *scales, MaeTile tile);

/**
 * dW of the four linear layers into @p dw, after all tiles; @p dout and
 * @p scales as given to backward, @p rows of the whole batch.
 * @param mlp the cache of the second half, with @p mlp_rows rows: @p cache and @p rows
 *        but where only some of them have an MLP.
 */
void mae_block_weight_grads(const MaeBlock *block, const MaeCompute *compute, float *dw,
                            MaeGradUse use, const MaeBlockGrads *grads, const float *dout,
                            const MaeBlockCache *cache, const MaeBlockCache *mlp,
                            const float *scales, size_t rows, size_t mlp_rows);

/** Of fc1 and fc2 alone. @param scales [images of the batch] s2, or NULL. */
void mae_block_weight_grads_mlp(const MaeBlock *block, const MaeCompute *compute,
                                float *dw, MaeGradUse use, const MaeBlockGrads *grads,
                                const float *dout, const MaeBlockCache *cache,
                                const float *scales, size_t rows);

#endif /* MAE_NN_BLOCK_H */
