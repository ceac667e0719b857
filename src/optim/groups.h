/**
 * @file groups.h
 * Weight decay and learning-rate scale of each parameter, decided by its flags and name.
 *
 *   weight decay   rule->weight_decay, or 0 for MAE_PARAM_NO_DECAY
 *   lr_scale       cls_token, pos_embed, patch_embed.*   layer_decay^(L + 1)
 *                  blocks.i.*                            layer_decay^(L - i)
 *                  anything else                         1
 *
 * Source   facebookresearch/mae util/lr_decay.py (layer ids 0, i + 1 and L + 1); Clark et
 *          al. 2020, arXiv:2003.10555.
 * Shapes   L = number of encoder blocks.
 * Memory   Plain data, nothing to free.
 * Threads  Reentrant.
 */
#ifndef MAE_OPTIM_GROUPS_H
#define MAE_OPTIM_GROUPS_H

#include <stddef.h>

#include "base/param.h"
#include "base/status.h"

/** What groups are made from. */
typedef struct MaeGroupRule {
    double weight_decay; /* >= 0; 0.05 in MAE */
    double layer_decay;  /* in (0, 1]; 1 = the same rate everywhere (pretraining) */
    size_t depth;        /* L; not used when layer_decay is 1 */
} MaeGroupRule;

/** How one parameter is updated. */
typedef struct MaeGroup {
    double lr_scale; /* multiplies the schedule's learning rate; in (0, 1] */
    double weight_decay;
} MaeGroup;

/** MAE_ERR_ARG naming the field that is out of range or not finite. */
MaeStatus mae_group_check(const MaeGroupRule *rule, MaeError *err);

/**
 * The group of one parameter under a rule that passes the check.
 * Errors: MAE_ERR_SHAPE if layers decay and the name is of a block at or beyond depth.
 */
MaeStatus mae_group_of(MaeGroup *group, const MaeParamEntry *entry,
                       const MaeGroupRule *rule, MaeError *err);

#endif /* MAE_OPTIM_GROUPS_H */
