/**
 * @file encoder_pictures.h
 * What the encoder of a run looks for and where it looks, in its report: the views
 * "kernels" and "attention" (eval/visual.h).
 *
 * Memory   Freed before the function returns.
 * Errors   As the views report them.
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_ENCODER_PICTURES_H
#define MAE_TRAIN_ENCODER_PICTURES_H

#include "eval/report.h"
#include "eval/visual.h"

/** Images whose attention is drawn, at most. */
#define MAE_ENCODER_PICTURES ((size_t)4)

/**
 * Add a section for each view. @param model loaded is not read; without a gallery, or
 * images in it, only kernels are drawn.  @param run its pool is used; products in f32
 * are opened beside its own, by the same library where that multiplies f32.
 */
MaeStatus mae_encoder_pictures(MaeReport *report, const MaeVisualModel *model,
                               const MaeCompute *run, MaeError *err);

#endif /* MAE_TRAIN_ENCODER_PICTURES_H */
