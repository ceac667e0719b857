/**
 * @file tokens.h
 * One image through an encoder, block by block, with a look at everything on the way.
 *
 *   start   x = [class token, patches] + positions
 *   step    x = next block(x); its attention can then be read
 *
 * Shapes   V patches given, N = 1 + V tokens, D width, H heads.
 * Memory   Opening plans and allocates everything; running never allocates.
 * Errors   Opening can fail (SHAPE, NOMEM); running cannot.
 * Threads  The calling thread alone; products in f32.
 */
#ifndef MAE_EVAL_TOKENS_H
#define MAE_EVAL_TOKENS_H

#include <stdint.h>

#include "model/encoder.h"

/** Zero-initialised is closed. */
typedef struct MaeTokens {
    MaeEncoder encoder; /* without blocks; owns nothing */
    MaeTrunk trunk;     /* the blocks; owns nothing */
    size_t tokens;      /* N */
    size_t done;        /* blocks that have run */
    const float *w;
    MaeWork work;
    MaeEncoderCache cache;
    MaeArena arena;
} MaeTokens;

/**
 * @param encoder, w borrowed.  @param gemm products in f32, borrowed.
 * @param patches V, from 1 to all.
 */
MaeStatus mae_tokens_open(MaeTokens *tokens, const MaeEncoder *encoder, const float *w,
                          const MaeGemm *gemm, size_t patches, MaeError *err);

/** Accepts NULL and a closed object. */
void mae_tokens_close(MaeTokens *tokens);

/** @param image [C,H,W] normalised.  @param ids [V] patches, or NULL for all in order. */
void mae_tokens_start(MaeTokens *tokens, const float *image, const uint32_t *ids);

/** Run the next block; there must be one. */
void mae_tokens_step(MaeTokens *tokens);

/** [N,D] tokens as they are now, class token first. */
const float *mae_tokens_now(const MaeTokens *tokens);

/** Attention of one head of the block that ran last. @param[out] map [N,N]. */
void mae_tokens_attention(const MaeTokens *tokens, float *map, size_t head);

#endif /* MAE_EVAL_TOKENS_H */
