/**
 * @file encoder.h
 * ViT encoder up to the last block: patch embedding, class token, positions, trunk.
 *
 *   x[0] = [ cls_token + pos[0], patch_embed(patch l) + pos[1 + l] of the given patches ]
 *
 * Shared by the autoencoder (visible patches only, positions fixed) and the classifier
 * (all patches, positions trained). Where blocks in front are frozen (model/trunk.h), the
 * embedding is too; all that runs forward only, in a thread's memory for one tile, and
 * leaves nothing but what the first trained half reads.
 *
 * Shapes   B images [C,H,W], V patches each, N = V + 1 tokens, class token first,
 *          D width.
 * Memory   The cache lives in an arena; the encoder owns its trunk's array.
 * Errors   Only define can fail.
 * Threads  Tile functions may run concurrently on distinct tiles and thread indices.
 */
#ifndef MAE_MODEL_ENCODER_H
#define MAE_MODEL_ENCODER_H

#include <stdint.h>

#include "model/arch.h"
#include "model/trunk.h"
#include "nn/weight_grad.h"

/** Immutable once defined. */
typedef struct MaeEncoder {
    MaePatchGrid grid;
    MaeParam cls_token; /* [1,1,D] */
    MaeParam pos_embed; /* [1,1+L,D] */
    MaeLinear patch;    /* weight [D,C,p,p], used as [D,C*p*p] */
    MaeTrunk trunk;
    bool pos_trained;
} MaeEncoder;

typedef struct MaeEncoderCache MaeEncoderCache;

/** Written by forward, read by backward. */
struct MaeEncoderCache {
    MaeOperand patches; /* [B*V,C*p*p] input of the patch embedding; none if frozen */
    MaeTrunkCache trunk;
    MaeEncoderCache *frozen; /* [threads] a tile's memory of what is frozen, or NULL */
};

/** Whether pos_embed is fixed (pretraining) or trained (fine-tuning, without decay). */
typedef enum MaeEncoderUse {
    MAE_ENCODER_PRETRAIN,
    MAE_ENCODER_FINETUNE,
} MaeEncoderUse;

/** Register cls_token, pos_embed, patch_embed.proj and blocks.*; @p arch is checked. */
MaeStatus mae_encoder_define(MaeEncoder *encoder, MaeParamTable *table,
                             const MaeArch *arch, MaeEncoderUse use, MaeError *err);

/** Accepts NULL and a zeroed or half-built object. */
void mae_encoder_done(MaeEncoder *encoder);

/** Class token normal with std 0.02, sine-cosine positions, layers as they document. */
void mae_encoder_init(const MaeEncoder *encoder, float *w, MaeRng *rng);

/**
 * Let only the last @p trained halves of blocks learn. Their flags in the table are the
 * caller's (mae_param_fix_before).
 */
void mae_encoder_freeze(MaeEncoder *encoder, size_t trained);

/** First parameter that is trained, in the table's order; asserts that one is. */
MaeParam mae_encoder_first_trained(const MaeEncoder *encoder);

/** @param patches V, most patches an image brings.  @param keep for backward. */
void mae_encoder_reserve(const MaeEncoder *encoder, MaeEncoderCache *cache,
                         MaeArena *arena, size_t batch, size_t patches, MaeDtype operand,
                         MaeKeep keep);

/** What an encoder with frozen blocks needs besides: memory for a tile per thread. */
void mae_encoder_reserve_frozen(const MaeEncoder *encoder, MaeEncoderCache *cache,
                                MaeArena *arena, const MaeWork *work, size_t patches,
                                MaeDtype operand);

/**
 * One tile: leaves the last block's output in cache->trunk.x[depth] [B*N,D], unless all
 * blocks are frozen.
 * @return the tile's rows of it; of a frozen encoder until the thread's next tile.
 * @param images [B,C,H,W] normalised; NULL: the patches of the last call, or zeros.
 * @param ids [B,V] patches of each image in token order, or NULL for all in order.
 * @param scales [depth,2,B] of stochastic depth, or NULL.
 */
const float *mae_encoder_forward(const MaeEncoder *encoder, const MaeWork *work,
                                 const MaeEncoderCache *cache, MaeWeights w,
                                 const float *images, const uint32_t *ids,
                                 const float *scales, size_t batch, MaeTile tile,
                                 size_t thread);

/**
 * Whole batch, from the gradient of the last block's output, one of work->dx, back to the
 * first half that is trained, or through the embedding.
 * @param[in,out] front as mae_trunk_backward's.
 */
void mae_encoder_backward(const MaeEncoder *encoder, const MaeWork *work,
                          MaeGradFront *front, float *dout, const MaeEncoderCache *cache,
                          MaeWeights w, const uint32_t *ids, const float *scales,
                          size_t tokens);

#endif /* MAE_MODEL_ENCODER_H */
