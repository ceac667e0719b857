#include "eval/tokens.h"

#include <assert.h>

#include "kernel/attention.h"

static void reserve(MaeTokens *t, MaeArena *arena, const MaeCompute *compute)
{
    const MaeTrunk *trunk = &t->trunk;
    const MaeWorkPlan plan = {
        .batch = 1,
        .tile_images = 1,
        .trunk_count = 1,
        .trunks = {{1, t->tokens, trunk->width, trunk->hidden, trunk->heads, MAE_F32}},
    };
    MaeEncoder whole = t->encoder;

    whole.trunk = *trunk;
    mae_work_reserve(&t->work, arena, &plan, compute);
    mae_encoder_reserve(&whole, &t->cache, arena, 1, t->tokens - 1, MAE_F32,
                        MAE_KEEP_NOTHING);
}

MaeStatus mae_tokens_open(MaeTokens *tokens, const MaeEncoder *encoder, const float *w,
                          const MaeGemm *gemm, size_t patches, MaeError *err)
{
    const MaeCompute compute = {.gemm = gemm};
    MaeArena measure = mae_arena_measure();
    MaeTokens *t = tokens;

    assert(patches > 0 && patches <= mae_patch_count(&encoder->grid));
    assert(mae_gemm_operand(gemm) == MAE_F32);
    *t = (MaeTokens){
        .encoder = *encoder, .trunk = encoder->trunk, .tokens = patches + 1, .w = w};
    t->trunk.frozen = 0; /* nothing is trained here */
    t->encoder.trunk.depth = 0;
    t->encoder.trunk.frozen = 0;
    reserve(t, &measure, &compute);
    MAE_TRY(mae_arena_open(&t->arena, &measure, "activations", err));
    reserve(t, &t->arena, &compute);
    return mae_arena_check(&t->arena, "activations", err);
}

void mae_tokens_close(MaeTokens *tokens)
{
    if (tokens == NULL)
        return;
    mae_arena_close(&tokens->arena);
    *tokens = (MaeTokens){0};
}

void mae_tokens_start(MaeTokens *tokens, const float *image, const uint32_t *ids)
{
    const MaeTile tile = {0, 1, tokens->tokens};

    mae_encoder_forward(&tokens->encoder, &tokens->work, &tokens->cache,
                        mae_weights_f32(tokens->w), image, ids, NULL, 1, tile, 0);
    tokens->done = 0;
}

void mae_tokens_step(MaeTokens *tokens)
{
    const MaeTile tile = {0, 1, tokens->tokens};
    const MaeTrunkCache rest = {.blocks = tokens->cache.trunk.blocks + tokens->done,
                                .x = tokens->cache.trunk.x + tokens->done};
    MaeTrunk next = tokens->trunk;

    assert(tokens->done < tokens->trunk.depth);
    next.blocks += tokens->done;
    next.depth = 1;
    mae_trunk_forward(&next, &tokens->work, &rest, mae_weights_f32(tokens->w), NULL, 1,
                      tile, 0);
    tokens->done++;
}

const float *mae_tokens_now(const MaeTokens *tokens)
{
    return tokens->cache.trunk.x[tokens->done];
}

void mae_tokens_attention(const MaeTokens *tokens, float *map, size_t head)
{
    const MaeTrunk *trunk = &tokens->trunk;

    assert(tokens->done > 0);
    mae_attention_map(tokens->work.compute.gemm, map,
                      tokens->cache.trunk.blocks[tokens->done - 1].qkv, tokens->tokens,
                      trunk->heads, trunk->width / trunk->heads, head);
}
