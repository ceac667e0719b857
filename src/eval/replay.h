/**
 * @file replay.h
 * Runs an autoencoder on given images and mask noise and dumps every tensor: the way to
 * compare with another framework.
 *
 * Input, HDF5, any number types:
 *   images [B,C,H,W] normalised          noise [B,L], or [steps,B,L] of which step 0
 * Each image keeps the V patches of smallest noise, in ascending order (stable argsort).
 *
 * Output, HDF5, float32 unless said:
 *   latent [B,1+V,D]    encoder output after norm, class token first
 *   mask [B,L]          0 visible, 1 hidden
 *   ids_restore [B,L]   int64; place of patch l in (visible, hidden) order
 *   target [B,L,P]      plain patches, [row, column, channel], even with norm_pix_loss
 *   pred [B,L,P]        decoder output without the class token's row
 *   loss                a number; the target is normalised if the model says so
 *   grads/<name>        of the loss, for every trained parameter, on request
 * Root attributes: mask_ratio (real), norm_pix_loss and visible (int).
 *
 * Images run in chunks, so memory does not grow with what activations of B images take.
 *
 * Errors   IO; FORMAT for an input that is damaged, lacks a tensor, has other shapes than
 *          the model or more than 2^28 values in a tensor; NUMERIC for input or results
 *          that are not finite; ARG for a bad ratio; NOMEM. The output is complete or
 *          untouched.
 * Threads  One call at a time per pool.
 */
#ifndef MAE_EVAL_REPLAY_H
#define MAE_EVAL_REPLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "model/autoencoder.h"

typedef struct MaeReplaySpec {
    const char *input, *output; /* paths; may be the same */
    double mask_ratio;          /* V = (size_t)(L * (1 - ratio)) */
    bool grads;
} MaeReplaySpec;

typedef struct MaeReplayResult {
    size_t batch;   /* B */
    size_t visible; /* V */
    double loss;
} MaeReplayResult;

/** @param[out] result untouched on failure.  @param w weights [table.total]. */
MaeStatus mae_replay(MaeReplayResult *result, const MaeReplaySpec *spec,
                     const MaeAutoencoder *model, const float *w,
                     const MaeCompute *compute, MaeError *err);

#endif /* MAE_EVAL_REPLAY_H */
