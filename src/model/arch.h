/**
 * @file arch.h
 * Architecture of a model: the numbers from which every tensor's shape follows.
 */
#ifndef MAE_MODEL_ARCH_H
#define MAE_MODEL_ARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "nn/patchify.h"

/** How a classifier sees the encoder's tokens. */
typedef enum MaePooling {
    MAE_POOL_MEAN, /* mean of the patch tokens, then fc_norm */
    MAE_POOL_CLS,  /* the class token after norm */
} MaePooling;

/** What a classifier computes from what it pooled. */
typedef enum MaeHead {
    MAE_HEAD_LINEAR,    /* one linear layer */
    MAE_HEAD_BATCHNORM, /* batch norm without affine, then linear: the linear probe */
} MaeHead;

/** Checked by mae_arch_check before anything is built from it. */
typedef struct MaeArch {
    MaePatchGrid grid;   /* channels, height, width, patch */
    size_t embed_dim;    /* divisible by heads and by 4 */
    size_t depth, heads; /* of the encoder */
    double mlp_ratio;    /* hidden width of an MLP = (size_t)(width * mlp_ratio) */
    size_t decoder_dim;  /* divisible by decoder_heads and by 4 */
    size_t decoder_depth;
    size_t decoder_heads;
    bool norm_pix_loss; /* targets normalised per patch */
    size_t classes;     /* of a classifier; 0 for an autoencoder */
    MaePooling pooling; /* of a classifier */
    MaeHead head;       /* of a classifier */
} MaeArch;

/**
 * MAE_ERR_SHAPE if the numbers contradict each other or are out of any sensible range:
 * afterwards no product of sizes can overflow.
 */
MaeStatus mae_arch_check(const MaeArch *arch, MaeError *err);

/**
 * MAE_ERR_SHAPE unless a batch has 1 image or more and its tokens can be counted as rows
 * of a matrix product (2^31 - 1). @p arch has passed the check above.
 */
MaeStatus mae_arch_check_batch(const MaeArch *arch, size_t batch, MaeError *err);

/** "linear" or "batchnorm", as checkpoints say. */
const char *mae_arch_head_name(MaeHead head);

/** Hidden width of an MLP on @p width. */
size_t mae_arch_hidden(const MaeArch *arch, size_t width);

#endif /* MAE_MODEL_ARCH_H */
