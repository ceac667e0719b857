/**
 * @file policy.h
 * RandAugment policies as text, in timm's words: "rand-m9-mstd0.5-inc1".
 *
 *   rand     first; then parts in any order, each at most once
 *   mN       magnitude, default 10; above mmax it is mmax
 *   nN       operations drawn for an image, 1 to MAE_POLICY_LAYERS, default 2
 *   pX       probability that a drawn operation is done, default 0.5
 *   mstdX    deviation of the normal noise on the magnitude, default 0; above 100 the
 *            magnitude is uniform between 0 and mN
 *   mmaxN    largest magnitude, default 10
 *   incN     1: operations get stronger with the magnitude, default 0
 * "none" is no policy. Sets of operations (t...) are refused, as is what is not listed.
 *
 * Source   timm auto_augment.py, rand_augment_transform.
 * Memory   Never allocates.
 * Errors   ARG.
 * Threads  Reentrant.
 */
#ifndef MAE_CONF_POLICY_H
#define MAE_CONF_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define MAE_POLICY_LAYERS 16

/** All zero: none. */
typedef struct MaePolicy {
    size_t layers;        /* n; 0: no policy */
    double magnitude;     /* m, in units of which 10 is strong */
    double deviation;     /* mstd */
    bool uniform;         /* instead of normal noise */
    double max_magnitude; /* mmax */
    double probability;   /* p */
    bool increasing;      /* inc */
} MaePolicy;

/** ARG that names the part that is wrong and what was probably meant. */
MaeStatus mae_policy_parse(MaePolicy *policy, const char *text, MaeError *err);

#endif /* MAE_CONF_POLICY_H */
