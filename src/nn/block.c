#include "nn/block.h"

#include <assert.h>
#include <stdio.h>

#include "base/size.h"
#include "kernel/attention.h"
#include "kernel/rows.h"
#include "nn/weight_grad.h"

void mae_block_define(MaeBlock *block, MaeParamTable *table, const char *scope,
                      size_t width, size_t heads, size_t hidden)
{
    char name[MAE_PARAM_NAME];

    assert(heads > 0 && width % heads == 0);
    *block = (MaeBlock){.width = width, .heads = heads};
    (void)snprintf(name, sizeof name, "%s.norm1", scope);
    mae_layernorm_define(&block->norm1, table, name, width);
    (void)snprintf(name, sizeof name, "%s.attn.qkv", scope);
    mae_linear_define(&block->qkv, table, name, width, 3 * width);
    (void)snprintf(name, sizeof name, "%s.attn.proj", scope);
    mae_linear_define(&block->proj, table, name, width, width);
    (void)snprintf(name, sizeof name, "%s.norm2", scope);
    mae_layernorm_define(&block->norm2, table, name, width);
    (void)snprintf(name, sizeof name, "%s.mlp.fc1", scope);
    mae_linear_define(&block->fc1, table, name, width, hidden);
    (void)snprintf(name, sizeof name, "%s.mlp.fc2", scope);
    mae_linear_define(&block->fc2, table, name, hidden, width);
}

void mae_block_reserve(MaeBlockCache *cache, MaeArena *arena, const MaeBlockSizes *sizes)
{
    mae_block_reserve_attention(cache, arena, sizes);
    mae_block_reserve_mlp(cache, arena, sizes);
}

void mae_block_reserve_attention(MaeBlockCache *cache, MaeArena *arena,
                                 const MaeBlockSizes *sizes)
{
    const size_t rows = sizes->images * sizes->tokens;

    mae_layernorm_reserve(&cache->norm1, arena, rows);
    cache->qkv = mae_operand_carve(arena, sizes->operand, rows * 3 * sizes->width);
    cache->lse = mae_arena_floats(arena, rows * sizes->heads);
    cache->heads = sizes->operand == MAE_F32 || sizes->forward_only
                       ? (MaeOperand){NULL, sizes->operand}
                       : mae_operand_carve(arena, sizes->operand, rows * sizes->width);
}

void mae_block_reserve_mlp(MaeBlockCache *cache, MaeArena *arena,
                           const MaeBlockSizes *sizes)
{
    const size_t rows = sizes->images * sizes->tokens;

    mae_layernorm_reserve(&cache->norm2, arena, rows);
    cache->x1 = mae_arena_floats(arena, rows * sizes->width);
    cache->fc1 = mae_operand_carve(arena, sizes->operand, rows * sizes->hidden);
}

void mae_block_reserve_scratch(MaeBlockScratch *scratch, MaeArena *arena,
                               const MaeBlockSizes *sizes, size_t count)
{
    size_t narrow = 0, wide = 0, attention = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t rows = sizes[i].images * sizes[i].tokens;
        const MaeAttentionSizes heads = {sizes[i].images, sizes[i].tokens, sizes[i].heads,
                                         sizes[i].width / sizes[i].heads};

        narrow = mae_larger(narrow, rows * sizes[i].width);
        wide = mae_larger(wide, rows * sizes[i].hidden);
        attention =
            mae_larger(attention, mae_attention_scratch(&heads, sizes[i].operand));
    }
    scratch->narrow = mae_arena_floats(arena, narrow);
    scratch->operand = mae_operand_carve(arena, sizes->operand, narrow);
    scratch->wide = mae_operand_carve(arena, sizes->operand, wide);
    scratch->attention = mae_arena_floats(arena, attention);
}

void mae_block_reserve_grads(MaeBlockGrads *grads, MaeArena *arena,
                             const MaeBlockSizes *sizes, size_t count, bool drop_path)
{
    const MaeDtype type = sizes->operand;
    const bool own = drop_path || type != MAE_F32;
    const MaeOperand none = {NULL, type};
    size_t width = 0, hidden = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t rows = sizes[i].images * sizes[i].tokens;

        width = mae_larger(width, rows * sizes[i].width);
        hidden = mae_larger(hidden, rows * sizes[i].hidden);
    }
    grads->norm1 = mae_operand_carve(arena, type, width);
    grads->norm2 = mae_operand_carve(arena, type, width);
    grads->heads = type == MAE_F32 ? mae_operand_carve(arena, type, width) : none;
    grads->dqkv = mae_operand_carve(arena, type, 3 * width);
    grads->dfc1 = mae_operand_carve(arena, type, hidden);
    grads->dx1 = mae_arena_floats(arena, width);
    grads->dproj = own ? mae_operand_carve(arena, type, width) : none;
    grads->dfc2 = own ? mae_operand_carve(arena, type, width) : none;
}

void mae_block_init(const MaeBlock *block, float *w, MaeRng *rng)
{
    mae_layernorm_init(&block->norm1, w);
    mae_linear_init(&block->qkv, w, rng);
    mae_linear_init(&block->proj, w, rng);
    mae_layernorm_init(&block->norm2, w);
    mae_linear_init(&block->fc1, w, rng);
    mae_linear_init(&block->fc2, w, rng);
}

/*
 * out = res + s * lin(x), s per image; all pointers at the tile's first row.
 */
static void leave_branch(const MaeLinear *lin, const MaeGemm *gemm, float *out,
                         const float *res, const void *x, MaeWeights w,
                         const float *scales, float *narrow, MaeTile tile)
{
    const size_t rows = tile.images * tile.tokens;

    if (scales == NULL) {
        mae_linear_forward(lin, gemm, mae_operand_f32(out), x, w, res, rows);
        return;
    }
    mae_linear_forward(lin, gemm, mae_operand_f32(narrow), x, w, NULL, rows);
    mae_rows_residual(out, res, narrow, scales + tile.image, tile.tokens, rows, lin->out);
}

/* Whether the residual stream's gradient can serve as operand of a branch as it is. */
static bool serves(MaeOperand own, const float *scales)
{
    return own.data == NULL || (own.type == MAE_F32 && scales == NULL);
}

/*
 * Gradient that enters a branch at this tile, and its row sums: dy itself where it can
 * serve as operand, else converted and scaled per image. @return the tile's first row.
 */
static const void *enter_branch(const MaeLinear *lin, MaeOperand own, float *sums,
                                const float *dy, const float *scales, MaeTile tile)
{
    const size_t at = tile.image * tile.tokens * lin->out;
    const size_t rows = tile.images * tile.tokens;

    if (serves(own, scales)) {
        mae_linear_backward_bias(lin, sums, mae_operand_view(dy + at), rows);
        return dy + at;
    }
    own = mae_operand_at(own, at);
    mae_rows_enter(own, sums + lin->bias.sum, dy + at,
                   scales != NULL ? scales + tile.image : NULL, tile.tokens, rows,
                   lin->out);
    return own.data;
}

/* The tile's part of the attention's output as forward keeps it; no data: it does not. */
static MaeOperand kept_heads(const MaeBlockCache *cache, size_t at)
{
    return cache->heads.data != NULL ? mae_operand_at(cache->heads, at) : cache->heads;
}

static MaeAttentionSizes heads_of(const MaeBlock *block, MaeTile tile)
{
    return (MaeAttentionSizes){tile.images, tile.tokens, block->heads,
                               block->width / block->heads};
}

void mae_block_forward_attention(const MaeBlock *block, const MaeGemm *gemm, float *x1,
                                 const MaeBlockCache *cache,
                                 const MaeBlockScratch *scratch, const float *x,
                                 MaeWeights w, const float *scales, MaeTile tile)
{
    const size_t width = block->width, n = tile.tokens;
    const size_t row0 = tile.image * n, rows = tile.images * n, at = row0 * width;
    const MaeOperand qkv = mae_operand_at(cache->qkv, 3 * at);
    const MaeOperand kept = kept_heads(cache, at);
    const MaeOperand out = kept.data != NULL ? kept : scratch->operand;
    const MaeAttentionSizes heads = heads_of(block, tile);

    mae_layernorm_forward(&block->norm1, scratch->operand, &cache->norm1, x + at, w, row0,
                          rows);
    mae_lap(scratch->lap, MAE_LAP_NORM);
    mae_linear_forward(&block->qkv, gemm, qkv, scratch->operand.data, w, NULL, rows);
    mae_lap(scratch->lap, MAE_LAP_FORWARD);
    mae_attention_forward(gemm, out, cache->lse + tile.image * block->heads * n, qkv,
                          &heads, scratch->attention);
    mae_lap(scratch->lap, MAE_LAP_ATTENTION);
    leave_branch(&block->proj, gemm, x1 + at, x + at, out.data, w, scales,
                 scratch->narrow, tile);
    mae_lap(scratch->lap, MAE_LAP_FORWARD);
}

void mae_block_forward_mlp(const MaeBlock *block, const MaeGemm *gemm, float *out,
                           const MaeBlockCache *cache, const MaeBlockScratch *scratch,
                           MaeWeights w, const float *scales, MaeTile tile)
{
    const size_t width = block->width, hidden = block->fc1.out;
    const size_t row0 = tile.image * tile.tokens, rows = tile.images * tile.tokens;
    const size_t at = row0 * width;
    const MaeOperand fc1 = mae_operand_at(cache->fc1, row0 * hidden);

    mae_layernorm_forward(&block->norm2, scratch->operand, &cache->norm2, cache->x1 + at,
                          w, row0, rows);
    mae_lap(scratch->lap, MAE_LAP_NORM);
    mae_linear_forward(&block->fc1, gemm, fc1, scratch->operand.data, w, NULL, rows);
    mae_lap(scratch->lap, MAE_LAP_FORWARD);
    mae_rows_gelu(scratch->wide, fc1, rows * hidden);
    mae_lap(scratch->lap, MAE_LAP_GELU);
    leave_branch(&block->fc2, gemm, out + at, cache->x1 + at, scratch->wide.data, w,
                 scales, scratch->narrow, tile);
    mae_lap(scratch->lap, MAE_LAP_FORWARD);
}

/* s2 behind s1. */
static const float *scales_of_mlp(const float *scales, size_t batch)
{
    return scales != NULL ? scales + batch : NULL;
}

void mae_block_forward(const MaeBlock *block, const MaeGemm *gemm, float *out,
                       const MaeBlockCache *cache, const MaeBlockScratch *scratch,
                       const float *x, MaeWeights w, const float *scales, size_t batch,
                       MaeTile tile)
{
    mae_block_forward_attention(block, gemm, cache->x1, cache, scratch, x, w, scales,
                                tile);
    mae_block_forward_mlp(block, gemm, out, cache, scratch, w,
                          scales_of_mlp(scales, batch), tile);
}

/* From the gradient of the attention's output to that of norm1's output, in narrow. */
static void attention_backward(const MaeBlock *block, const MaeGemm *gemm, float *sums,
                               const MaeBlockGrads *grads, const MaeBlockScratch *scratch,
                               const MaeBlockCache *cache, MaeWeights w, MaeTile tile)
{
    const size_t width = block->width, n = tile.tokens, rows = tile.images * n;
    const size_t at = tile.image * n * width;
    const MaeOperand dqkv = mae_operand_at(grads->dqkv, 3 * at);
    const MaeOperand none = {NULL, dqkv.type};
    const MaeAttentionSizes heads = heads_of(block, tile);

    mae_attention_backward(
        gemm, dqkv, cache->heads.data != NULL ? none : mae_operand_at(grads->heads, at),
        scratch->operand, mae_operand_at(cache->qkv, 3 * at),
        cache->lse + tile.image * block->heads * n, &heads, scratch->attention);
    mae_lap(scratch->lap, MAE_LAP_ATTENTION);
    mae_linear_backward_bias(&block->qkv, sums, dqkv, rows);
    mae_lap(scratch->lap, MAE_LAP_RESIDUAL);
    mae_linear_backward_input(&block->qkv, gemm, mae_operand_f32(scratch->narrow),
                              dqkv.data, w, rows);
    mae_lap(scratch->lap, MAE_LAP_INPUT_GRAD);
}

void mae_block_backward_mlp(const MaeBlock *block, const MaeGemm *gemm, float *sums,
                            const MaeBlockGrads *grads, const MaeBlockScratch *scratch,
                            const float *dout, const MaeBlockCache *cache, MaeWeights w,
                            const float *scales, MaeTile tile)
{
    const size_t width = block->width, hidden = block->fc1.out;
    const size_t row0 = tile.image * tile.tokens, rows = tile.images * tile.tokens;
    const size_t at = row0 * width, wide_at = row0 * hidden;
    const MaeOperand dfc1 = mae_operand_at(grads->dfc1, wide_at);
    const MaeOperand fc1 = mae_operand_at(cache->fc1, wide_at);
    const void *dy = enter_branch(&block->fc2, grads->dfc2, sums, dout, scales, tile);

    mae_lap(scratch->lap, MAE_LAP_RESIDUAL);
    mae_linear_backward_input(&block->fc2, gemm, dfc1, dy, w, rows);
    mae_lap(scratch->lap, MAE_LAP_INPUT_GRAD);
    mae_rows_gelu_grad(dfc1, fc1, sums + block->fc1.bias.sum, fc1, rows, hidden);
    mae_lap(scratch->lap, MAE_LAP_GELU);
    mae_linear_backward_input(&block->fc1, gemm, mae_operand_f32(scratch->narrow),
                              dfc1.data, w, rows);
    mae_lap(scratch->lap, MAE_LAP_INPUT_GRAD);
    mae_layernorm_backward(&block->norm2, grads->dx1 + at,
                           mae_operand_at(grads->norm2, at), sums, scratch->narrow,
                           dout + at, cache->x1 + at, &cache->norm2, w, row0, rows);
    mae_lap(scratch->lap, MAE_LAP_NORM);
}

void mae_block_backward_attention(const MaeBlock *block, const MaeGemm *gemm, float *dx,
                                  float *sums, const MaeBlockGrads *grads,
                                  const MaeBlockScratch *scratch, const float *x,
                                  const MaeBlockCache *cache, MaeWeights w,
                                  const float *scales, MaeTile tile)
{
    const size_t row0 = tile.image * tile.tokens, rows = tile.images * tile.tokens;
    const size_t at = row0 * block->width;
    const void *dy =
        enter_branch(&block->proj, grads->dproj, sums, grads->dx1, scales, tile);

    mae_lap(scratch->lap, MAE_LAP_RESIDUAL);
    mae_linear_backward_input(&block->proj, gemm, scratch->operand, dy, w, rows);
    mae_lap(scratch->lap, MAE_LAP_INPUT_GRAD);
    attention_backward(block, gemm, sums, grads, scratch, cache, w, tile);
    mae_layernorm_backward(&block->norm1, dx + at, mae_operand_at(grads->norm1, at), sums,
                           scratch->narrow, grads->dx1 + at, x + at, &cache->norm1, w,
                           row0, rows);
    mae_lap(scratch->lap, MAE_LAP_NORM);
}

void mae_block_backward(const MaeBlock *block, const MaeGemm *gemm, float *dx,
                        float *sums, const MaeBlockGrads *grads,
                        const MaeBlockScratch *scratch, const float *dout, const float *x,
                        const MaeBlockCache *cache, MaeWeights w, const float *scales,
                        size_t batch, MaeTile tile)
{
    mae_block_backward_mlp(block, gemm, sums, grads, scratch, dout, cache, w,
                           scales_of_mlp(scales, batch), tile);
    mae_block_backward_attention(block, gemm, dx, sums, grads, scratch, x, cache, w,
                                 scales, tile);
}

static MaeWeightGrad job(const MaeLinear *lin, const void *dy, const void *x, size_t rows)
{
    return (MaeWeightGrad){.off = lin->weight.off,
                           .in = lin->in,
                           .out = lin->out,
                           .dy = dy,
                           .x = x,
                           .rows = rows};
}

/* What enter_branch left for the batch. */
static const void *entered(MaeOperand own, const float *dy, const float *scales)
{
    return serves(own, scales) ? dy : own.data;
}

/* The attention's output of the batch: kept, or computed again. */
static const void *heads_in(const MaeBlockGrads *grads, const MaeBlockCache *cache)
{
    return cache->heads.data != NULL ? cache->heads.data : grads->heads.data;
}

void mae_block_weight_grads(const MaeBlock *block, const MaeCompute *compute, float *dw,
                            MaeGradUse use, const MaeBlockGrads *grads, const float *dout,
                            const MaeBlockCache *cache, const MaeBlockCache *mlp,
                            const float *scales, size_t rows, size_t mlp_rows)
{
    const MaeWeightGrad jobs[] = {
        /* widest first: what is left for the end of the grid should be small */
        job(&block->fc2, entered(grads->dfc2, dout, scales), mlp->fc1.data, mlp_rows),
        job(&block->fc1, grads->dfc1.data, grads->norm2.data, mlp_rows),
        job(&block->qkv, grads->dqkv.data, grads->norm1.data, rows),
        job(&block->proj, entered(grads->dproj, grads->dx1, scales),
            heads_in(grads, cache), rows),
    };

    mae_weight_grad_run(jobs, sizeof jobs / sizeof *jobs, compute, dw, use);
}

void mae_block_weight_grads_mlp(const MaeBlock *block, const MaeCompute *compute,
                                float *dw, MaeGradUse use, const MaeBlockGrads *grads,
                                const float *dout, const MaeBlockCache *cache,
                                const float *scales, size_t rows)
{
    const MaeWeightGrad jobs[] = {
        job(&block->fc2, entered(grads->dfc2, dout, scales), cache->fc1.data, rows),
        job(&block->fc1, grads->dfc1.data, grads->norm2.data, rows),
    };

    mae_weight_grad_run(jobs, sizeof jobs / sizeof *jobs, compute, dw, use);
}
