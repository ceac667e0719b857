/**
 * @file adamw.h
 * AdamW as an optimiser driver; the formula is in kernel/adamw.h.
 */
#ifndef MAE_OPTIM_ADAMW_H
#define MAE_OPTIM_ADAMW_H

#include "optim/optimizer.h"

/** Slots "exp_avg" and "exp_avg_sq", as torch.optim.AdamW calls its moments. */
extern const MaeOptimizer mae_optimizer_adamw;

#endif /* MAE_OPTIM_ADAMW_H */
