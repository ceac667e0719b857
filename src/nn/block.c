#include "nn/block.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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
    const size_t rows = sizes->images * sizes->tokens;

    mae_layernorm_reserve(&cache->norm1, arena, rows);
    mae_layernorm_reserve(&cache->norm2, arena, rows);
    cache->qkv = mae_arena_floats(arena, rows * 3 * sizes->width);
    cache->lse = mae_arena_floats(arena, rows * sizes->heads);
    cache->attention = mae_arena_floats(arena, rows * sizes->width);
    cache->x1 = mae_arena_floats(arena, rows * sizes->width);
    cache->fc1 = mae_arena_floats(arena, rows * sizes->hidden);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void mae_block_reserve_scratch(MaeBlockScratch *scratch, MaeArena *arena,
                               const MaeBlockSizes *sizes, size_t count)
{
    size_t narrow = 0, wide = 0, attention = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t rows = sizes[i].images * sizes[i].tokens;
        const size_t head_dim = sizes[i].width / sizes[i].heads;

        narrow = larger(narrow, rows * sizes[i].width);
        wide = larger(wide, rows * larger(sizes[i].hidden, 3 * sizes[i].width));
        attention = larger(attention, mae_attention_scratch(sizes[i].tokens, head_dim));
    }
    scratch->narrow = mae_arena_floats(arena, narrow);
    scratch->wide = mae_arena_floats(arena, wide);
    scratch->attention = mae_arena_floats(arena, attention);
}

void mae_block_reserve_grads(MaeBlockGrads *grads, MaeArena *arena,
                             const MaeBlockSizes *sizes, size_t count, bool drop_path)
{
    size_t width = 0, hidden = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t rows = sizes[i].images * sizes[i].tokens;

        width = larger(width, rows * sizes[i].width);
        hidden = larger(hidden, rows * sizes[i].hidden);
    }
    grads->norm1 = mae_arena_floats(arena, width);
    grads->norm2 = mae_arena_floats(arena, width);
    grads->gelu = mae_arena_floats(arena, hidden);
    grads->dqkv = mae_arena_floats(arena, 3 * width);
    grads->dfc1 = mae_arena_floats(arena, hidden);
    grads->dx1 = mae_arena_floats(arena, width);
    grads->scaled1 = drop_path ? mae_arena_floats(arena, width) : NULL;
    grads->scaled2 = drop_path ? mae_arena_floats(arena, width) : NULL;
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

/* out = res + s * (branch + bias), s per image. All pointers at the tile's first row. */
static void add_branch(float *out, const float *res, const float *branch,
                       const float *bias, const float *scales, size_t width, MaeTile tile)
{
    mae_rows_bias_residual(out, res, branch, bias,
                           scales != NULL ? scales + tile.image : NULL, tile.tokens,
                           tile.images * tile.tokens, width);
}

/* Gradient that enters a branch at this tile: dy itself, or a copy scaled per image. */
static const float *enter_branch(float *scaled, const float *dy, const float *scales,
                                 size_t width, MaeTile tile)
{
    const size_t step = tile.tokens * width;

    if (scales == NULL)
        return dy + tile.image * step;
    for (size_t i = tile.image; i < tile.image + tile.images; i++) {
        memcpy(scaled + i * step, dy + i * step, step * sizeof *dy);
        mae_rows_scale(scaled + i * step, scales[i], step);
    }
    return scaled + tile.image * step;
}

void mae_block_forward(const MaeBlock *block, const MaeGemm *gemm, float *out,
                       const MaeBlockCache *cache, const MaeBlockScratch *scratch,
                       const float *x, const float *w, const float *scales, size_t batch,
                       MaeTile tile)
{
    const size_t width = block->width, hidden = block->fc1.out, n = tile.tokens;
    const size_t row0 = tile.image * n, rows = tile.images * n;
    const size_t at = row0 * width;
    float *qkv = cache->qkv + 3 * at, *fc1 = cache->fc1 + row0 * hidden;

    mae_layernorm_forward(&block->norm1, scratch->narrow, &cache->norm1, x + at, w, row0,
                          rows);
    mae_linear_forward(&block->qkv, gemm, qkv, scratch->narrow, w, rows);
    for (size_t i = 0; i < tile.images; i++)
        mae_attention_forward(gemm, cache->attention + at + i * n * width,
                              cache->lse + (tile.image + i) * block->heads * n,
                              qkv + 3 * i * n * width, n, block->heads,
                              width / block->heads, scratch->attention);
    mae_linear_product(&block->proj, gemm, scratch->narrow, cache->attention + at, w,
                       rows);
    add_branch(cache->x1 + at, x + at, scratch->narrow, w + block->proj.bias.off, scales,
               width, tile);
    mae_layernorm_forward(&block->norm2, scratch->narrow, &cache->norm2, cache->x1 + at,
                          w, row0, rows);
    mae_linear_product(&block->fc1, gemm, fc1, scratch->narrow, w, rows);
    mae_rows_bias_gelu(scratch->wide, fc1, w + block->fc1.bias.off, rows, hidden);
    mae_linear_product(&block->fc2, gemm, scratch->narrow, scratch->wide, w, rows);
    add_branch(out + at, cache->x1 + at, scratch->narrow, w + block->fc2.bias.off,
               scales != NULL ? scales + batch : NULL, width, tile);
}

void mae_block_backward(const MaeBlock *block, const MaeGemm *gemm, float *dx,
                        float *sums, const MaeBlockGrads *grads,
                        const MaeBlockScratch *scratch, const float *dout, const float *x,
                        const MaeBlockCache *cache, const float *w, const float *scales,
                        size_t batch, MaeTile tile)
{
    const size_t width = block->width, hidden = block->fc1.out, n = tile.tokens;
    const size_t row0 = tile.image * n, rows = tile.images * n;
    const size_t at = row0 * width, wide_at = row0 * hidden;
    float *dfc1 = grads->dfc1 + wide_at, *dx1 = grads->dx1 + at,
          *dqkv = grads->dqkv + 3 * at;
    const float *dy;

    dy = enter_branch(grads->scaled2, dout, scales != NULL ? scales + batch : NULL, width,
                      tile);
    mae_linear_backward_bias(&block->fc2, sums, dy, rows);
    mae_linear_backward_input(&block->fc2, gemm, dfc1, dy, w, rows);
    mae_rows_gelu_grad(dfc1, grads->gelu + wide_at, cache->fc1 + wide_at, rows * hidden);
    mae_linear_backward_bias(&block->fc1, sums, dfc1, rows);
    mae_linear_backward_input(&block->fc1, gemm, scratch->narrow, dfc1, w, rows);
    mae_layernorm_backward(&block->norm2, dx1, grads->norm2 + at, sums, scratch->narrow,
                           dout + at, cache->x1 + at, &cache->norm2, w, row0, rows);

    dy = enter_branch(grads->scaled1, grads->dx1, scales, width, tile);
    mae_linear_backward_bias(&block->proj, sums, dy, rows);
    mae_linear_backward_input(&block->proj, gemm, scratch->narrow, dy, w, rows);
    for (size_t i = 0; i < tile.images; i++)
        mae_attention_backward(
            gemm, dqkv + 3 * i * n * width, scratch->narrow + i * n * width,
            cache->attention + at + i * n * width, cache->qkv + 3 * (at + i * n * width),
            cache->lse + (tile.image + i) * block->heads * n, n, block->heads,
            width / block->heads, scratch->attention);
    mae_linear_backward_bias(&block->qkv, sums, dqkv, rows);
    mae_linear_backward_input(&block->qkv, gemm, scratch->narrow, dqkv, w, rows);
    mae_layernorm_backward(&block->norm1, dx + at, grads->norm1 + at, sums,
                           scratch->narrow, dx1, x + at, &cache->norm1, w, row0, rows);
}

static MaeWeightGrad job(const MaeLinear *lin, const float *dy, const float *x,
                         size_t rows)
{
    return (MaeWeightGrad){.off = lin->weight.off,
                           .in = lin->in,
                           .out = lin->out,
                           .dy = dy,
                           .x = x,
                           .rows = rows};
}

void mae_block_weight_grads(const MaeBlock *block, const MaeGemm *gemm, MaePool *pool,
                            float *dw, const MaeBlockGrads *grads, const float *dout,
                            const MaeBlockCache *cache, const float *scales, size_t rows)
{
    const float *dproj = scales != NULL ? grads->scaled1 : grads->dx1;
    const float *dfc2 = scales != NULL ? grads->scaled2 : dout;
    const MaeWeightGrad jobs[] = {
        job(&block->qkv, grads->dqkv, grads->norm1, rows),
        job(&block->proj, dproj, cache->attention, rows),
        job(&block->fc1, grads->dfc1, grads->norm2, rows),
        job(&block->fc2, dfc2, grads->gelu, rows),
    };

    mae_weight_grad_run(jobs, sizeof jobs / sizeof *jobs, pool, gemm, dw);
}
