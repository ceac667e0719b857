/**
 * @file classifier.h
 * ViT classifier: the encoder over all patches, pooling, one norm, a linear head.
 *
 *   mean   pooled = mean of the patch tokens of the last block
 *          logits = head(fc_norm(pooled))
 *   cls    pooled = class token of the last block
 *          logits = head(norm(pooled))
 *   head   linear, or of a linear probe: linear(batch norm without affine)
 *   loss   mean over images of - sum over classes of target * log softmax(logits)
 *
 * Source   Dosovitskiy et al. 2020; facebookresearch/mae models_vit.py, linear probe:
 *          main_linprobe.py, whose tensors are head.0.* and head.1.*. Label smoothing:
 *          Szegedy et al. 2015, arXiv:1512.00567. Stochastic depth rates rise linearly
 *          from 0 to drop_path over the blocks, as in timm.
 * Where blocks are frozen, only what lies behind them has activations for a batch, and
 * backward ends there.
 *
 * Shapes   B images, K classes, D width.
 * Memory   A run plans all its memory when it opens; forward and backward never allocate.
 * Errors   Opening can fail (SHAPE, NOMEM); running cannot.
 * Threads  A run belongs to one thread, which drives the pool.
 */
#ifndef MAE_MODEL_CLASSIFIER_H
#define MAE_MODEL_CLASSIFIER_H

#include <stdint.h>

#include "model/arch.h"
#include "model/encoder.h"
#include "nn/batchnorm.h"

/** The model: shapes and offsets, no numbers. Immutable once open. */
typedef struct MaeClassifier {
    MaeArch arch;
    MaeParamTable table;
    MaeEncoder encoder;
    MaeLayerNorm norm;      /* "fc_norm" for mean pooling, "norm" for the class token */
    MaeBatchNorm batchnorm; /* of a linear probe */
    MaeLinear head;         /* [K,D] */
    bool head_only;         /* nothing else is trained */
} MaeClassifier;

/** Build the model; on failure nothing needs closing. arch->classes > 0. */
MaeStatus mae_classifier_open(MaeClassifier *model, const MaeArch *arch, MaeError *err);

/**
 * Let only the last @p trained halves of blocks, final norm and head learn; with 0 the
 * head alone, with 2 * depth everything. Before a run is opened. Of a linear probe only
 * the head can be trained.
 */
void mae_classifier_freeze(MaeClassifier *model, size_t trained);

/** Accepts NULL and a zeroed or half-built object. */
void mae_classifier_close(MaeClassifier *model);

/**
 * Initial weights of @p seed: the encoder as the autoencoder of the same seed has it,
 * norms 1 and 0, head truncated normal with std 2e-5 (linear probe: 0.01), bias 0.
 * w [table.total].
 */
void mae_classifier_init(const MaeClassifier *model, float *w, uint64_t seed);

/** Activations of one batch size. */
typedef struct MaeClassifierRun {
    const MaeClassifier *model;
    MaeArena arena;
    MaeWork work;
    MaeEncoderCache encoder;
    MaeLayerNormCache norm;
    MaeBatchNormCache batchnorm;
    float *pooled;     /* [B,D] */
    float *features;   /* [B,D] what the batch norm sees and makes; linear probe */
    MaeOperand normed; /* [B,D] input of the head */
    float *logits;     /* [B,K] */
    float *dlogits;    /* [B,K] */
    MaeOperand dhead;  /* [B,K] dlogits as operand; in an f32 run dlogits itself */
    float *scales;     /* [depth,2,B] of stochastic depth */
    double *losses;    /* [B] */
} MaeClassifierRun;

/** Plan and allocate for batches of up to @p batch images. @param compute borrowed. */
MaeStatus mae_classifier_run_open(MaeClassifierRun *run, const MaeClassifier *model,
                                  const MaeCompute *compute, size_t batch, MaeKeep keep,
                                  MaeError *err);

/** Accepts NULL and a zeroed or half-built object. */
void mae_classifier_run_close(MaeClassifierRun *run);

/**
 * Fill run->scales: each branch of block i of each image is dropped with probability
 * rate * i / (depth - 1) and otherwise divided by the probability of staying.
 * @param samples [B] data set index of each image, the address of its random numbers.
 */
void mae_classifier_drop_path(MaeClassifierRun *run, double rate, uint64_t seed,
                              uint32_t epoch, const size_t *samples, size_t batch);

/**
 * Logits of a batch, left in run->logits. A batch norm uses its running statistics.
 * @param scales run->scales, or NULL for no stochastic depth (evaluation).
 */
void mae_classifier_forward(MaeClassifierRun *run, MaeWeights w, const float *images,
                            const float *scales, size_t batch);

/** The same in training, before backward: a batch norm uses the batch's statistics. */
void mae_classifier_forward_train(MaeClassifierRun *run, MaeWeights w,
                                  const float *images, const float *scales, size_t batch);

/**
 * Loss of run->logits against soft targets; leaves its gradient for backward.
 * @param targets [B,K], rows summing to 1.  @param scale multiplies the gradient only.
 * @return the mean loss.
 */
double mae_classifier_loss(MaeClassifierRun *run, const float *targets, size_t batch,
                           double scale);

/** targets [B,K] = (1 - smoothing) * one-hot + smoothing / K. */
void mae_classifier_targets(float *targets, const int64_t *labels, double smoothing,
                            size_t batch, size_t classes);

/**
 * Prepare the products of batches of @p batch images (kernel/gemm.h), so that none is
 * prepared while training. What the run holds is overwritten.
 * @param[out] dw [table.total] backward's too, garbage afterwards; NULL: forward only.
 * @param use ADD: of adding to gradients, too.
 */
MaeStatus mae_classifier_rehearse(MaeClassifierRun *run, float *dw, MaeGradUse use,
                                  MaeWeights w, size_t batch, MaeError *err);

/**
 * Gradients, after forward_train and loss; running statistics are tracked.
 * @param[in,out] dw every trained one, see @p use.
 */
void mae_classifier_backward(MaeClassifierRun *run, float *dw, MaeGradUse use,
                             MaeWeights w, const float *scales, size_t batch);

/**
 * The head as one linear layer, a batch norm's running statistics folded in.
 * @param[out] weight [K,D].  @param[out] bias [K].  @param w weights of the model.
 */
void mae_classifier_fold(const MaeClassifier *model, const float *w, float *weight,
                         float *bias);

#endif /* MAE_MODEL_CLASSIFIER_H */
