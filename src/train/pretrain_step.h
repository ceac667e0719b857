/**
 * @file pretrain_step.h
 * What one step of pretraining computes: model, masks and activations of a batch. No
 * data, no files, no optimiser; the trainer calls it as MaeTask.step.
 *
 * Memory   Everything is allocated when it opens.
 * Errors   Opening: SHAPE, ARG and NOMEM of the model, its masks and activations.
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_PRETRAIN_STEP_H
#define MAE_TRAIN_PRETRAIN_STEP_H

#include "conf/config.h"
#include "data/loader.h"
#include "model/autoencoder.h"
#include "model/maskset.h"

/** Zero-initialised is closed. */
typedef struct MaePretrainStep {
    MaeAutoencoder model;
    MaeMaskSet masks; /* of a batch */
    MaeAutoencoderRun run;
    uint64_t seed; /* of the masks */
} MaePretrainStep;

/** The architecture of a configuration. @param channels of the images. */
MaeArch mae_pretrain_arch(const MaeConfig *cfg, size_t channels);

/** Masks as @p cfg asks for them, for @p images of @p grid. */
MaeStatus mae_pretrain_masks_open(MaeMaskSet *masks, const MaeConfig *cfg,
                                  const MaePatchGrid *grid, size_t images, MaePool *pool,
                                  MaeError *err);

/**
 * @param channels of the images.  @param batch most images in a batch.
 * @param compute borrowed; must outlive the step.
 * On failure the caller closes what was opened.
 */
MaeStatus mae_pretrain_step_open(MaePretrainStep *step, const MaeConfig *cfg,
                                 size_t channels, size_t batch, const MaeCompute *compute,
                                 MaeError *err);

/** Accepts a zeroed or half-opened object. */
void mae_pretrain_step_close(MaePretrainStep *step);

/**
 * Prepare the products of batches of @p batch images, see mae_autoencoder_rehearse.
 * @param[out] dw garbage afterwards; NULL: no backward.
 */
MaeStatus mae_pretrain_step_rehearse(MaePretrainStep *step, float *dw, MaeGradUse use,
                                     MaeWeights w, size_t batch, MaeError *err);

/** Masks of a batch; epoch 0 has the fixed ones of evaluations. */
void mae_pretrain_step_draw(MaePretrainStep *step, const MaeBatch *batch, uint32_t epoch);

/** The loss of a batch that is not empty, with the masks of @p epoch. */
double mae_pretrain_step_forward(MaePretrainStep *step, const MaeBatch *batch,
                                 uint32_t epoch, MaeWeights w);

/** Loss and gradients as MaeTask.step, with masks of the batch's epoch. */
double mae_pretrain_step_run(MaePretrainStep *step, const MaeBatch *batch, MaeWeights w,
                             float *dw, MaeGradUse use, double scale);

#endif /* MAE_TRAIN_PRETRAIN_STEP_H */
