#include "model/encoder.h"

#include <assert.h>
#include <string.h>

#include "kernel/rows.h"
#include "nn/pos_embed.h"

MaeStatus mae_encoder_define(MaeEncoder *encoder, MaeParamTable *table,
                             const MaeArch *arch, MaeEncoderUse use, MaeError *err)
{
    const size_t width = arch->embed_dim, p = arch->grid.patch, c = arch->grid.channels;
    const size_t cls_shape[] = {1, 1, width};
    const size_t pos_shape[] = {1, 1 + mae_patch_count(&arch->grid), width};
    const size_t patch_shape[] = {width, c, p, p};
    const bool tune = use == MAE_ENCODER_FINETUNE;
    const unsigned cls_flags = MAE_PARAM_ROWSUM | (tune ? MAE_PARAM_NO_DECAY : 0u);
    const unsigned pos_flags =
        tune ? MAE_PARAM_ROWSUM | MAE_PARAM_NO_DECAY : (unsigned)MAE_PARAM_FIXED;

    *encoder = (MaeEncoder){.grid = arch->grid, .pos_trained = tune};
    encoder->cls_token =
        mae_param_add_shape(table, "", "cls_token", 3, cls_shape, cls_flags);
    encoder->pos_embed =
        mae_param_add_shape(table, "", "pos_embed", 3, pos_shape, pos_flags);
    encoder->patch = (MaeLinear){
        .weight =
            mae_param_add_shape(table, "patch_embed.proj", "weight", 4, patch_shape, 0),
        .bias =
            mae_param_add(table, "patch_embed.proj", "bias", width, MAE_PARAM_NO_DECAY),
        .in = mae_patch_values(&arch->grid),
        .out = width,
    };
    return mae_trunk_define(&encoder->trunk, table, "blocks", width, arch->depth,
                            arch->heads, mae_arch_hidden(arch, width), err);
}

void mae_encoder_done(MaeEncoder *encoder)
{
    if (encoder != NULL)
        mae_trunk_done(&encoder->trunk);
}

void mae_encoder_init(const MaeEncoder *encoder, float *w, MaeRng *rng)
{
    const MaePatchGrid *grid = &encoder->grid;

    for (size_t i = 0; i < encoder->cls_token.count; i++)
        w[encoder->cls_token.off + i] = (float)(0.02 * mae_rng_normal(rng));
    mae_pos_embed_sincos(w + encoder->pos_embed.off, grid->height / grid->patch,
                         grid->width / grid->patch, encoder->patch.out);
    mae_linear_init(&encoder->patch, w, rng);
    mae_trunk_init(&encoder->trunk, w, rng);
}

void mae_encoder_freeze(MaeEncoder *encoder, size_t trained)
{
    assert(trained <= 2 * encoder->trunk.depth);
    encoder->trunk.frozen = 2 * encoder->trunk.depth - trained;
}

MaeParam mae_encoder_first_trained(const MaeEncoder *encoder)
{
    const MaeTrunk *trunk = &encoder->trunk;
    const MaeBlock *block = &trunk->blocks[trunk->frozen / 2];

    if (trunk->frozen == 0)
        return encoder->cls_token;
    assert(trunk->frozen < 2 * trunk->depth);
    return trunk->frozen % 2 == 0 ? block->norm1.gamma : block->norm2.gamma;
}

static bool all_frozen(const MaeEncoder *encoder)
{
    return encoder->trunk.frozen > 0 && encoder->trunk.frozen == 2 * encoder->trunk.depth;
}

void mae_encoder_reserve(const MaeEncoder *encoder, MaeEncoderCache *cache,
                         MaeArena *arena, size_t batch, size_t patches, MaeDtype operand,
                         MaeKeep keep)
{
    *cache = (MaeEncoderCache){0};
    if (encoder->trunk.frozen == 0)
        cache->patches =
            mae_operand_carve(arena, operand, batch * patches * encoder->patch.in);
    if (!all_frozen(encoder))
        mae_trunk_reserve(&encoder->trunk, &cache->trunk, arena, batch, patches + 1,
                          patches + 1, operand, keep);
}

/* Up to the last block that is frozen as a whole, as an encoder of its own. */
static MaeEncoder frozen_part(const MaeEncoder *encoder)
{
    MaeEncoder part = *encoder;

    part.trunk.depth = encoder->trunk.frozen / 2;
    part.trunk.frozen = 0;
    return part;
}

void mae_encoder_reserve_frozen(const MaeEncoder *encoder, MaeEncoderCache *cache,
                                MaeArena *arena, const MaeWork *work, size_t patches,
                                MaeDtype operand)
{
    const size_t threads = mae_pool_threads(work->compute.pool);
    MaeEncoder part = frozen_part(encoder);

    if (encoder->trunk.frozen == 0)
        return;
    part.trunk.depth = mae_trunk_first(&encoder->trunk); /* half a block needs a cache */
    cache->frozen = mae_arena_bytes(arena, threads, sizeof *cache->frozen);
    for (size_t i = 0; i < threads; i++) {
        MaeEncoderCache own;

        mae_encoder_reserve(&part, &own, arena, work->plan.tile_images, patches, operand,
                            MAE_KEEP_NOTHING);
        if (cache->frozen != NULL)
            cache->frozen[i] = own;
    }
}

/* Rows of the first block's input, for one image. @param embedded [V,D]. */
static void place_tokens(const MaeEncoder *encoder, float *x, const float *embedded,
                         MaeWeights w, const uint32_t *ids, size_t patches)
{
    const size_t width = encoder->patch.out;
    const float *pos = w.f32 + encoder->pos_embed.off;

    memcpy(x, w.f32 + encoder->cls_token.off, width * sizeof *x);
    mae_rows_add(x, pos, width);
    for (size_t v = 0; v < patches; v++) {
        const size_t id = ids != NULL ? ids[v] : v;

        x += width;
        memcpy(x, embedded + v * width, width * sizeof *x);
        mae_rows_add(x, pos + (1 + id) * width, width);
    }
}

/* Nothing frozen: all of a tile, from patches to the last block. */
static void forward_all(const MaeEncoder *encoder, const MaeWork *work,
                        const MaeEncoderCache *cache, MaeWeights w, const float *images,
                        const uint32_t *ids, const float *scales, size_t batch,
                        MaeTile tile, size_t thread)
{
    const MaePatchGrid *grid = &encoder->grid;
    const size_t pixels = grid->channels * grid->height * grid->width;
    const size_t patches = tile.tokens - 1, width = encoder->patch.out;
    const MaeOperand rows =
        mae_operand_at(cache->patches, tile.image * patches * encoder->patch.in);
    float *embedded = work->scratch[thread].narrow;
    MaeLap *lap = work->scratch[thread].lap;

    mae_lap(lap, MAE_LAP_WAIT);
    for (size_t i = 0; images != NULL && i < tile.images; i++)
        mae_patchify_conv(mae_operand_at(rows, i * patches * encoder->patch.in),
                          images + (tile.image + i) * pixels, grid,
                          ids != NULL ? ids + (tile.image + i) * patches : NULL, patches);
    mae_lap(lap, MAE_LAP_TOKENS);
    mae_linear_forward(&encoder->patch, mae_gemm_thread(work->compute.gemm, thread),
                       mae_operand_f32(embedded), rows.data, w, NULL,
                       tile.images * patches);
    mae_lap(lap, MAE_LAP_FORWARD);
    for (size_t i = 0; i < tile.images; i++)
        place_tokens(encoder, cache->trunk.x[0] + (tile.image + i) * tile.tokens * width,
                     embedded + i * patches * width, w,
                     ids != NULL ? ids + (tile.image + i) * patches : NULL, patches);
    mae_lap(lap, MAE_LAP_TOKENS);
    mae_trunk_forward(&encoder->trunk, work, &cache->trunk, w, scales, batch, tile,
                      thread);
}

/*
 * What is frozen of a tile in the thread's own memory. @param trunk of the batch: gets
 * what the first trained half reads. @return the last output in the own memory.
 */
static const float *forward_frozen(const MaeEncoder *encoder, const MaeWork *work,
                                   const MaeTrunkCache *trunk, const MaeEncoderCache *own,
                                   MaeWeights w, const float *images, MaeTile tile,
                                   size_t thread)
{
    const MaePatchGrid *grid = &encoder->grid;
    const size_t pixels = grid->channels * grid->height * grid->width;
    const size_t floats = tile.images * tile.tokens * encoder->patch.out;
    const size_t at = tile.image * tile.tokens * encoder->patch.out;
    const size_t done = encoder->trunk.frozen / 2;
    const MaeEncoder part = frozen_part(encoder);
    const MaeTile alone = {0, tile.images, tile.tokens};
    const float *x = own->trunk.x[done];

    forward_all(&part, work, own, w, images != NULL ? images + tile.image * pixels : NULL,
                NULL, NULL, tile.images, alone, thread);
    if (encoder->trunk.frozen % 2 != 0)
        mae_block_forward_attention(&encoder->trunk.blocks[done],
                                    mae_gemm_thread(work->compute.gemm, thread),
                                    trunk->blocks[done].x1 + at, &own->trunk.blocks[done],
                                    &work->scratch[thread], x, w, NULL, alone);
    else if (done < encoder->trunk.depth)
        memcpy(trunk->x[done] + at, x, floats * sizeof *x);
    return x;
}

const float *mae_encoder_forward(const MaeEncoder *encoder, const MaeWork *work,
                                 const MaeEncoderCache *cache, MaeWeights w,
                                 const float *images, const uint32_t *ids,
                                 const float *scales, size_t batch, MaeTile tile,
                                 size_t thread)
{
    const MaeTrunk *trunk = &encoder->trunk;
    const float *x;

    if (trunk->frozen == 0) {
        forward_all(encoder, work, cache, w, images, ids, scales, batch, tile, thread);
    } else {
        assert(ids == NULL && cache->frozen != NULL);
        x = forward_frozen(encoder, work, &cache->trunk, &cache->frozen[thread], w,
                           images, tile, thread);
        if (all_frozen(encoder))
            return x;
        mae_trunk_forward(trunk, work, &cache->trunk, w, scales, batch, tile, thread);
    }
    return cache->trunk.x[trunk->depth] + tile.image * tile.tokens * trunk->width;
}

typedef struct TokensBackward {
    const MaeEncoder *encoder;
    const MaeWork *work;
    const float *dx;
    const uint32_t *ids;
    size_t batch, tokens;
} TokensBackward;

/* Row sums of class token and positions; packs the patch rows for the weight gradient. */
static void tokens_backward(void *ctx, size_t index, size_t thread)
{
    const TokensBackward *b = ctx;
    const MaeTile tile = mae_work_tile(b->work, b->batch, b->tokens, index);
    const size_t width = b->encoder->patch.out, patches = tile.tokens - 1;
    float *sums = mae_work_sums(b->work, index);

    mae_lap(b->work->scratch[thread].lap, MAE_LAP_WAIT);
    for (size_t i = tile.image; i < tile.image + tile.images; i++) {
        const float *dx = b->dx + i * tile.tokens * width;
        const MaeOperand rows = mae_operand_at(b->work->grads.norm1, i * patches * width);

        mae_rows_add(sums + b->encoder->cls_token.sum, dx, width);
        mae_rows_enter(rows, sums + b->encoder->patch.bias.sum, dx + width, NULL, 1,
                       patches, width);
        if (!b->encoder->pos_trained)
            continue;
        mae_rows_add(sums + b->encoder->pos_embed.sum, dx, width);
        for (size_t v = 0; v < patches; v++) {
            const size_t id = b->ids != NULL ? b->ids[i * patches + v] : v;

            mae_rows_add(sums + b->encoder->pos_embed.sum + (1 + id) * width,
                         dx + (1 + v) * width, width);
        }
    }
    mae_lap(b->work->scratch[thread].lap, MAE_LAP_TOKENS);
}

void mae_encoder_backward(const MaeEncoder *encoder, const MaeWork *work,
                          MaeGradFront *front, float *dout, const MaeEncoderCache *cache,
                          MaeWeights w, const uint32_t *ids, const float *scales,
                          size_t tokens)
{
    const size_t batch = front->batch;
    const float *dx = mae_trunk_backward(&encoder->trunk, work, front, dout,
                                         &cache->trunk, w, scales, tokens);
    TokensBackward tokens_ctx = {encoder, work, dx, ids, batch, tokens};
    const MaeWeightGrad job = {
        .off = encoder->patch.weight.off,
        .in = encoder->patch.in,
        .out = encoder->patch.out,
        .dy = work->grads.norm1.data,
        .x = cache->patches.data,
        .rows = batch * (tokens - 1),
    };

    if (encoder->trunk.frozen > 0)
        return;
    mae_pool_run(work->compute.pool, mae_work_tiles(work, batch), tokens_backward,
                 &tokens_ctx);
    mae_weight_grad_run(&job, 1, &work->compute, front->dw, front->use);
}
