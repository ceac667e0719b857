/**
 * @file pretrain.h
 * MAE pretraining from a configuration: `mae-pretrain` without the command line.
 *
 * Source   He et al. 2021, arXiv:2111.06377; facebookresearch/mae main_pretrain.py.
 * Errors   As trainer.h and run_folder.h; ARG also for a checkpoint in the run folder
 *          whose model, data or optimiser keys differ from the configuration.
 * Threads  Owns its pool and loader; one run at a time per configuration.
 */
#ifndef MAE_TRAIN_PRETRAIN_H
#define MAE_TRAIN_PRETRAIN_H

#include "conf/config.h"
#include "mae/train.h"

/**
 * Train, or go on with the run in train.output_dir.
 * @param cfg loaded for MAE_CONF_PRETRAIN; model.in_chans `auto` is filled in.
 * @param[out] result also filled when stopped (MAE_ERR_INTERRUPTED).
 */
MaeStatus mae_pretrain(MaeConfig *cfg, const MaeTrainHooks *hooks, MaeTrainResult *result,
                       MaeError *err);

#endif /* MAE_TRAIN_PRETRAIN_H */
