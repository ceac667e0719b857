/**
 * @file training.h
 * What mae-pretrain and mae-finetune share: configuration from the command line, progress
 * on the terminal, the result as text or JSON.
 *
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_TRAINING_H
#define MAE_TOOLS_COMMON_TRAINING_H

#include "common/tool.h"
#include "conf/config.h"
#include "mae/train.h"

/** Options of both tools. */
typedef struct MaeTrainingValues {
    bool print_config; /* write the resolved configuration and end */
    bool help_config;  /* document every key and end */
} MaeTrainingValues;

extern const MaeTrainingValues mae_training_defaults;
extern const MaeToolOperand mae_training_operands[];
extern const MaeOption mae_training_options[];

/** A training function of the library. */
typedef MaeStatus (*MaeTrainFn)(MaeConfig *cfg, const MaeTrainHooks *hooks,
                                MaeTrainResult *result, MaeError *err);

/** The whole main of a training tool. @return the exit code. */
int mae_training_main(const MaeCommand *command, MaeConfTool conf, MaeTrainFn fn,
                      int argc, char **argv);

#endif /* MAE_TOOLS_COMMON_TRAINING_H */
