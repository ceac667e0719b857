/**
 * @file nonfinite.h
 * The first number of an update that is not finite, and a file about it.
 *
 * Looked for from cause to effect: weights, the optimiser's state and averages, which
 * the step spoilt or which were spoilt before; pixels of the first batch whose loss is
 * not finite; that loss; gradients (or, if only their norm is too large, the first large
 * one). Tensors are walked in the order of the table.
 *
 *   nonfinite-STEP.json  {"step", "epoch", "lr", "grad_norm" (null: unknown), "then",
 *                        "first": {"kind", "name", "index", "value"}, "batches":
 *                        [{"batch", "loss", "samples": [...], "files": [...]}, ...]}
 *
 * Step, epoch and batches count from 1, samples are indices of the data set. The kind is
 * "weight", the name of an optimiser's slot, "average", "pixel", "loss" or "gradient";
 * numbers that are not finite are "nan", "inf" or "-inf".
 *
 * Memory   The batches are read again for the file; this allocates.
 * Threads  One thread, that of the trainer.
 */
#ifndef MAE_TRAIN_NONFINITE_H
#define MAE_TRAIN_NONFINITE_H

#include "train/trainer.h"

/** Where the first bad number is. */
typedef enum MaeNonfinitePlace {
    MAE_NONFINITE_STATE, /**< weights, optimiser state, averages: nothing to go on from */
    MAE_NONFINITE_PIXEL,
    MAE_NONFINITE_LOSS,
    MAE_NONFINITE_GRADIENT,
    MAE_NONFINITE_NORM, /**< no gradient that is here is to blame alone */
} MaeNonfinitePlace;

typedef struct MaeNonfinite {
    MaeNonfinitePlace place;
    char what[32];  /* kind, as in the file */
    char name[192]; /* of the tensor or image; "" for a loss */
    size_t index;   /* element; of a loss the batch of the update, from 0 */
    double value;
    char samples[96]; /* first ones of that batch, or of the one with the largest loss;
                         "" if they were not read */
    size_t rank;      /* that tells */
} MaeNonfinite;

/** True, and @p found filled, if weights, state or averages are not finite. */
bool mae_nonfinite_state(MaeNonfinite *found, const MaeTrainer *trainer);

/**
 * What was first in the update that has just ended with NUMERIC. Of several ranks the one
 * tells that comes closest to the cause, the lowest of these.
 */
MaeStatus mae_nonfinite_find(MaeNonfinite *found, const MaeTrainer *trainer,
                             MaeError *err);

/**
 * Read the update's batches again, see whether pixels are to blame, and write the file.
 * The rank that tells reads, rank 0 writes. Afterwards the loader has to seek.
 * @param then what happens now: "stop", "skip" or "rollback".
 * @param[out] name [size] of the file, in the run's folder.
 */
MaeStatus mae_nonfinite_report(MaeNonfinite *found, MaeTrainer *trainer, const char *then,
                               char *name, size_t size, MaeError *err);

/** "gradient of blocks.0.attn.qkv.weight[17] is inf" */
void mae_nonfinite_text(const MaeNonfinite *found, const MaeTrainer *trainer, char *text,
                        size_t size);

#endif /* MAE_TRAIN_NONFINITE_H */
