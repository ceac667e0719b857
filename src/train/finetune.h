/**
 * @file finetune.h
 * Fine-tuning of a pretrained encoder with a classifier head: `mae-finetune` without the
 * command line.
 *
 * Source   He et al. 2021, arXiv:2111.06377, appendix A.1; facebookresearch/mae
 *          main_finetune.py (layer-wise decay, drop path, label smoothing, mixup).
 * Log      Each evaluation: test_loss, test_acc1, test_acc5, test_macro_f1 (in percent),
 *          with averaged weights those of the averages, and raw_test_... of the others.
 * Errors   As trainer.h and run_folder.h; ARG for unlabelled data, classes that differ
 *          between data.train, data.val and the run that goes on, a named class that has
 *          no training image, or model keys that contradict the checkpoint.
 * Threads  Owns its pool and loader; one run at a time per configuration.
 */
#ifndef MAE_TRAIN_FINETUNE_H
#define MAE_TRAIN_FINETUNE_H

#include "conf/config.h"
#include "mae/train.h"

/**
 * Take the architecture over from finetune.checkpoint, if one is named: the first thing
 * mae_finetune does. ARG if the file does not exist or a given key contradicts it.
 */
MaeStatus mae_finetune_resolve(MaeConfig *cfg, MaeError *err);

/**
 * Train, or go on with the run in train.output_dir.
 * @param cfg loaded for MAE_CONF_FINETUNE; the architecture is taken over from
 *        finetune.checkpoint.
 * @param[out] result score is the best top-1 accuracy on data.val (NaN without one); also
 *        filled when stopped (MAE_ERR_INTERRUPTED).
 */
MaeStatus mae_finetune(MaeConfig *cfg, const MaeTrainHooks *hooks, MaeTrainResult *result,
                       MaeError *err);

#endif /* MAE_TRAIN_FINETUNE_H */
