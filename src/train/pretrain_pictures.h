/**
 * @file pretrain_pictures.h
 * What a pretraining run has to show in its report: the images of its previews under one
 * mask ratio after another, and how their reconstructions became better.
 *
 * Memory   Pictures of at most four images at eight ratios, and activations of them;
 *          freed before the functions return.
 * Errors   As sweeps (eval/sweep.h) and image files report them.
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_PRETRAIN_PICTURES_H
#define MAE_TRAIN_PRETRAIN_PICTURES_H

#include "conf/config.h"
#include "eval/report.h"
#include "eval/viewer.h"
#include "train/run_folder.h"

/**
 * A figure with a slider over mask ratios, that of the run among them.
 * @param kind of the masks in training.  @param spec images and model; products of its
 * own are opened beside those of the compute.
 */
MaeStatus mae_pretrain_pictures_ratios(MaeReport *report, const MaeConfig *cfg,
                                       MaeMaskKind kind, const MaeViewerSpec *spec,
                                       MaeError *err);

/** A figure with a slider over the previews in the folder; none if there are none. */
MaeStatus mae_pretrain_pictures_epochs(MaeReport *report, const MaeRunFolder *folder,
                                       const MaePatchGrid *grid, MaeError *err);

#endif /* MAE_TRAIN_PRETRAIN_PICTURES_H */
