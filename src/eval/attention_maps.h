/**
 * @file attention_maps.h
 * Where a model looks: attention of a query to the patches, of every head of one block,
 * and rolled out through all blocks up to it.
 *
 *   map[h]   = q A_h,           A_h [N,N] of block `layer`
 *   rollout  = q R_layer ... R_1,   R_i = rows of (mean over heads of A) + I, each
 *              renormalised to sum 1
 *
 * q picks the class token, or averages over the patches. What goes to the class token is
 * left out, so a map sums to 1 at most.
 *
 * Source   Abnar and Zuidema 2020, arXiv:2005.00928 (roll-out); Caron et al. 2021,
 *          arXiv:2104.14294 (maps of the class token).
 * Shapes   L patches, N = 1 + L tokens, H heads.
 * Memory   Opening allocates, layer * N^2 floats among it; running never.
 * Errors   Opening can fail (NOMEM); running: NUMERIC for maps that are not finite.
 * Threads  The calling thread alone; products in f32.
 */
#ifndef MAE_EVAL_ATTENTION_MAPS_H
#define MAE_EVAL_ATTENTION_MAPS_H

#include "eval/tokens.h"
#include "model/arch.h"

/** Maps of the last image; read-only for callers. */
typedef struct MaeAttentionMaps {
    size_t patches, heads; /* L, H */
    float *maps;           /* [H,L] */
    float *rollout;        /* [L] */
    /* private */
    MaePooling query; /* class token, or mean of the patches */
    size_t layer;     /* 1 .. depth */
    MaeTokens tokens;
    float *one;   /* [N,N] of a head */
    float *means; /* [layer,N,N] over the heads */
    double *row;  /* [2,N] */
    MaeArena arena;
} MaeAttentionMaps;

/** @param layer from 1 to the depth.  Others as mae_tokens_open. */
MaeStatus mae_attention_maps_open(MaeAttentionMaps *maps, const MaeEncoder *encoder,
                                  const float *w, const MaeGemm *gemm, size_t layer,
                                  MaePooling query, MaeError *err);

/** Accepts NULL and a closed object. */
void mae_attention_maps_close(MaeAttentionMaps *maps);

/** @param image [C,H,W] normalised. */
MaeStatus mae_attention_maps_run(MaeAttentionMaps *maps, const float *image,
                                 MaeError *err);

/**
 * Follow weights back through the blocks.
 * @param[in,out] row [2,N] weights over the tokens after the last block; out: over those
 *                before the first one, with the same sum. The second half is scratch.
 * @param means [layers,N,N] attention averaged over heads, a row per query.
 */
void mae_attention_rollout(double *row, const float *means, size_t layers, size_t tokens);

#endif /* MAE_EVAL_ATTENTION_MAPS_H */
