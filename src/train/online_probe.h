/**
 * @file online_probe.h
 * What a pretraining run's features are worth so far, if its data happen to have labels:
 * kNN (k = 20, T = 0.07) and ridge accuracy on held-out images.
 *
 * Features are those of mae-eval: mean of the patch tokens after the last block and the
 * final norm. About eval.probe images of data.train are the memory and as many of
 * data.val are scored, the same share of each class and at least one, chosen by
 * train.seed: the numbers of a run compare with each other, not with those of mae-eval on
 * all images. Labels reach nothing but these numbers.
 *
 * Memory   Opening keeps the labels' data sets and lists. A run of the probe allocates
 *          features, products and weights of its own and frees them.
 * Errors   Data without labels, or with others in data.val, are no error: there is no
 *          probe then.
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_ONLINE_PROBE_H
#define MAE_TRAIN_ONLINE_PROBE_H

#include "conf/config.h"
#include "data/dataset.h"
#include "eval/feature_set.h"
#include "eval/score.h"
#include "mae/train.h"
#include "train/inputs.h"
#include "train/trainer.h"

/** Labelled images. */
typedef struct MaeProbeImages {
    MaeDataset *ds;
    size_t *indices; /* [count] */
    size_t count;
} MaeProbeImages;

/** Zero-initialised is closed, and no probe. */
typedef struct MaeOnlineProbe {
    const MaeConfig *cfg;
    const MaeTrainHooks *hooks;
    const MaeTransform *transform; /* of evaluations, borrowed */
    MaeProbeImages train, val;
    bool on;
} MaeOnlineProbe;

/** Look for labels and choose the images. @param inputs started, borrowed. */
MaeStatus mae_online_probe_open(MaeOnlineProbe *probe, const MaeConfig *cfg,
                                const MaeInputs *inputs, const MaeTrainHooks *hooks,
                                MaeError *err);

/** Of the images that were chosen and their labels; 0 if there is no probe. */
uint32_t mae_online_probe_checksum(const MaeOnlineProbe *probe);

/** Accepts NULL and a zeroed or half-open object. */
void mae_online_probe_close(MaeOnlineProbe *probe);

/**
 * Ranks share the images, call it together and end alike.
 * @param[out] scores knn and ridge; rank 0 only.
 * @param w [table.total] of the spec's model.
 * @param trainer the run's: its pool is used, products of its kind are opened, and it
 * shows how far the reading is.
 * @return INTERRUPTED if the run was asked to stop; what features or scores report.
 */
MaeStatus mae_online_probe_run(const MaeOnlineProbe *probe, MaeScores *scores,
                               const MaeEmbedSpec *spec, const float *w,
                               MaeTrainer *trainer, MaeError *err);

#endif /* MAE_TRAIN_ONLINE_PROBE_H */
