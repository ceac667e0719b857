/* The installed functions of mae/train.h: a run from a configuration file. */
#include <stdlib.h>

#include "train/finetune.h"
#include "train/pretrain.h"

typedef MaeStatus (*TrainFn)(MaeConfig *cfg, const MaeTrainHooks *hooks,
                             MaeTrainResult *result, MaeError *err);

static MaeStatus run_file(TrainFn fn, MaeConfTool tool, const char *config,
                          const char *const *overrides, size_t n,
                          const MaeTrainHooks *hooks, MaeTrainResult *result,
                          MaeError *err)
{
    MaeConfig *cfg = malloc(sizeof *cfg);
    MaeStatus status;

    if (cfg == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the configuration");
    status = mae_config_load(cfg, tool, config, overrides, n, err);
    if (status == MAE_OK)
        status = fn(cfg, hooks, result, err);
    free(cfg);
    return status;
}

MaeStatus mae_pretrain_file(const char *config, const char *const *overrides, size_t n,
                            const MaeTrainHooks *hooks, MaeTrainResult *result,
                            MaeError *err)
{
    return run_file(mae_pretrain, MAE_CONF_PRETRAIN, config, overrides, n, hooks, result,
                    err);
}

MaeStatus mae_finetune_file(const char *config, const char *const *overrides, size_t n,
                            const MaeTrainHooks *hooks, MaeTrainResult *result,
                            MaeError *err)
{
    return run_file(mae_finetune, MAE_CONF_FINETUNE, config, overrides, n, hooks, result,
                    err);
}
