/**
 * @file lars.h
 * LARS as an optimiser driver: SGD with momentum whose rate follows each tensor's size.
 *
 *   tensors with two or more dimensions
 *          g += weight_decay * w
 *          g *= 0.001 * |w| / |g|         (not if one of the norms is 0)
 *   all    m = beta1 * m + g
 *          w -= lr * m
 *
 * Source   You et al. 2017, arXiv:1708.03888; facebookresearch/mae util/lars.py.
 * Errors   Cannot fail.
 * Threads  A tensor is one thread's: made for heads, which are few small tensors.
 */
#ifndef MAE_OPTIM_LARS_H
#define MAE_OPTIM_LARS_H

#include "optim/optimizer.h"

/** Slot "mu", as the published code calls its momentum. */
extern const MaeOptimizer mae_optimizer_lars;

#endif /* MAE_OPTIM_LARS_H */
