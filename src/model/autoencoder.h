/**
 * @file autoencoder.h
 * Masked autoencoder: ViT encoder over visible patches, light decoder over all of them.
 *
 *   latent = norm(encoder(visible patches))                       [B,1+V,D]
 *   z      = [ embed(latent) where visible, mask_token elsewhere ] + decoder positions
 *   pred   = decoder_pred(decoder_norm(decoder(z)))               [B,M,P]
 *   loss   = mean over hidden patches of mean over P of (pred - target)^2
 *
 * The target of a patch is its pixels in the order [row, column, channel]; with
 * norm_pix_loss they are normalised by the patch's own mean and unbiased variance (eps
 * 1e-6 inside the root).
 *
 * The loss asks for hidden patches only, so the rows of the others end behind the last
 * block's attention (model/trunk.h): same loss and gradients for less work.
 *
 * Source   He et al. 2021, arXiv:2111.06377; facebookresearch/mae models_mae.py.
 * Shapes   B images [C,H,W], L patches, V visible, M predicted, P = p*p*C, D width of the
 *          encoder, E of the decoder.
 * Memory   A run plans all its memory when it opens; forward and backward never allocate.
 * Errors   Opening can fail (SHAPE, NOMEM); running cannot.
 * Threads  A run belongs to one thread, which drives the pool.
 */
#ifndef MAE_MODEL_AUTOENCODER_H
#define MAE_MODEL_AUTOENCODER_H

#include "model/arch.h"
#include "model/encoder.h"
#include "model/masking.h"

/** The model: shapes and offsets, no numbers. Immutable once open. */
typedef struct MaeAutoencoder {
    MaeArch arch;
    MaeParamTable table;
    MaeEncoder encoder;
    MaeLayerNorm norm;
    MaeLinear decoder_embed;    /* D to the decoder's width E */
    MaeParam mask_token;        /* [1,1,E] */
    MaeParam decoder_pos_embed; /* [1,1+L,E] fixed */
    MaeTrunk decoder;
    MaeLayerNorm decoder_norm;
    MaeLinear decoder_pred; /* E to P */
    size_t patches;         /* L */
    size_t values;          /* P */
} MaeAutoencoder;

/** Build the model; on failure nothing needs closing. @p arch is checked. */
MaeStatus mae_autoencoder_open(MaeAutoencoder *model, const MaeArch *arch, MaeError *err);

/** Accepts NULL and a zeroed or half-built object. */
void mae_autoencoder_close(MaeAutoencoder *model);

/** Initial weights of @p seed; layers document their distributions. w [table.total]. */
void mae_autoencoder_init(const MaeAutoencoder *model, float *w, uint64_t seed);

/** What a run predicts. */
typedef enum MaePredict {
    MAE_PREDICT_HIDDEN, /* M = L - V: hidden patches in order; all without blocks */
    MAE_PREDICT_ALL,    /* M = 1 + L: the class token's row, then all patches in order */
} MaePredict;

/** Activations of one batch size. */
typedef struct MaeAutoencoderRun {
    const MaeAutoencoder *model;
    MaeArena arena;
    MaeWork work;
    size_t visible; /* V */
    MaeEncoderCache encoder;
    MaeLayerNormCache norm;
    MaeOperand latent; /* [B,1+V,D] */
    MaeTrunkCache decoder;
    MaeLayerNormCache decoder_norm;
    size_t predicted;   /* M */
    float *pred;        /* [B,M,P] */
    float *diff;        /* [B,M,P] target - pred; backward: gradient of pred */
    MaeOperand dpred;   /* [B,M,P] that gradient; in an f32 run diff itself */
    MaeOperand dlatent; /* [B*(1+V),E] gradient of decoder_embed's output */
    double *losses;     /* [B] sum over hidden patches of the mean squared error */
} MaeAutoencoderRun;

/**
 * Plan and allocate everything for batches of up to @p batch images, V = @p visible.
 * @param compute borrowed pool and gemm; must outlive the run.
 * @param keep what mae_autoencoder_backward will find.
 */
MaeStatus mae_autoencoder_run_open(MaeAutoencoderRun *run, const MaeAutoencoder *model,
                                   const MaeCompute *compute, size_t batch,
                                   size_t visible, MaePredict predict, MaeKeep keep,
                                   MaeError *err);

/** Accepts NULL and a zeroed or half-built object. */
void mae_autoencoder_run_close(MaeAutoencoderRun *run);

/**
 * Latent, prediction and loss of a batch, left in the run.
 * @param w weights [table.total].  @param images [B,C,H,W] normalised.
 * @param mask of the batch, its V that of the run.
 * @return the loss; 0 if no patch is hidden.
 */
double mae_autoencoder_forward(MaeAutoencoderRun *run, MaeWeights w, const float *images,
                               const MaeMask *mask, size_t batch);

/**
 * Prepare the products of batches of @p batch images (kernel/gemm.h), so that none is
 * prepared while training. What the run holds is overwritten.
 * @param[out] dw [table.total] backward's too, garbage afterwards; NULL: forward only.
 * @param use ADD: of adding to gradients, too.
 * @param mask valid masks of @p batch images.
 */
MaeStatus mae_autoencoder_rehearse(MaeAutoencoderRun *run, float *dw, MaeGradUse use,
                                   MaeWeights w, const MaeMask *mask, size_t batch,
                                   MaeError *err);

/**
 * Gradients of scale * loss of the batch that forward just saw.
 * @param[in,out] dw [table.total], every trained gradient, see @p use.
 */
void mae_autoencoder_backward(MaeAutoencoderRun *run, float *dw, MaeGradUse use,
                              MaeWeights w, const MaeMask *mask, size_t batch,
                              double scale);

#endif /* MAE_MODEL_AUTOENCODER_H */
