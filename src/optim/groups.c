#include "optim/groups.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

MaeStatus mae_group_check(const MaeGroupRule *rule, MaeError *err)
{
    if (!isfinite(rule->weight_decay) || rule->weight_decay < 0.0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "optimizer: weight_decay: expected a number from 0 up, got %g",
                 rule->weight_decay);
    if (!(rule->layer_decay > 0.0 && rule->layer_decay <= 1.0))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "optimizer: layer_decay: expected above 0 and at most 1, got %g",
                 rule->layer_decay);
    return MAE_OK;
}

static bool starts_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Index i of "blocks.i.<rest>", at most limit; false for other names. */
static bool block_index(size_t *index, const char *name, size_t limit)
{
    const char *digit = name + strlen("blocks.");

    if (!starts_with(name, "blocks.") || *digit < '0' || *digit > '9')
        return false;
    *index = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (*index < limit)
            *index = 10 * *index + (size_t)(*digit - '0');
    }
    if (*index > limit)
        *index = limit;
    return *digit == '.';
}

MaeStatus mae_group_of(MaeGroup *group, const MaeParamEntry *entry,
                       const MaeGroupRule *rule, MaeError *err)
{
    const char *name = entry->name;
    double scale = 1.0;
    size_t block;

    if (rule->layer_decay < 1.0) {
        if (strcmp(name, "cls_token") == 0 || strcmp(name, "pos_embed") == 0 ||
            starts_with(name, "patch_embed."))
            scale = pow(rule->layer_decay, (double)rule->depth + 1.0);
        else if (block_index(&block, name, rule->depth)) {
            if (block >= rule->depth)
                MAE_FAIL(err, MAE_ERR_SHAPE,
                         "%s: layer decay expected a model of %zu blocks", name,
                         rule->depth);
            scale = pow(rule->layer_decay, (double)(rule->depth - block));
        }
    }
    *group = (MaeGroup){
        .lr_scale = scale,
        .weight_decay = entry->flags & MAE_PARAM_NO_DECAY ? 0.0 : rule->weight_decay,
    };
    return MAE_OK;
}
