/**
 * @file inputs.h
 * Data of a run, opened as its configuration says: training set, held-out set, their
 * normalisation and loaders.
 *
 * Errors   ARG for data that do not fit the task, FORMAT and IO from the data layer.
 * Threads  One thread.
 */
#ifndef MAE_TRAIN_INPUTS_H
#define MAE_TRAIN_INPUTS_H

#include "base/log.h"
#include "base/pool.h"
#include "comm/comm.h"
#include "conf/config.h"
#include "data/cache.h"
#include "data/loader.h"
#include "model/arch.h"

/** Zero-initialised is closed. */
typedef struct MaeInputs {
    MaeDataset *train, *val; /* train joined with what has pseudo-labels; val or NULL */
    size_t *subset;          /* [subset_count] training samples; NULL: all */
    size_t subset_count;
    size_t channels;
    float *mean, *std;           /* [channels] */
    MaeCache *cache, *val_cache; /* NULL: images are decoded each time */
    MaeLoader *loader, *val_loader;
    MaeTransform transform, val_transform;
} MaeInputs;

/** What normalisation to use; from a checkpoint it wins over `auto`. */
typedef struct MaeKnownStats {
    const float *mean, *std; /* [channels]; NULL: unknown */
    size_t channels;
} MaeKnownStats;

/**
 * Note in the configuration which pseudo-labels it is about, before a run is compared
 * with it: ARG if the file is missing or has another checksum than the one given.
 */
MaeStatus mae_inputs_pseudo_checksum(MaeConfig *cfg, MaeError *err);

/**
 * Open data sets and find channels, mean and deviation (measured if `auto` and
 * not known).
 * @param labelled fine-tuning: both sets must be labelled with the same class names.
 * @param in_chans 0: as the data.
 */
MaeStatus mae_inputs_open(MaeInputs *inputs, const MaeConfig *cfg, bool labelled,
                          size_t in_chans, MaeKnownStats known, MaePool *pool,
                          const MaeLog *log, MaeError *err);

/**
 * Open the loaders, each of this rank's part, and, as data.cache says, memory for decoded
 * images; @p val_batch images of a held-out batch per rank. ARG if ranks do not divide
 * train.batch_size, or if the cache was asked for and does not fit.
 */
MaeStatus mae_inputs_start(MaeInputs *inputs, const MaeConfig *cfg, size_t val_batch,
                           const MaeComm *comm, const MaeLog *log, MaeError *err);

/** Images of this rank's last held-out batch, the one that is not full; 0 if none is. */
size_t mae_inputs_val_rest(const MaeInputs *inputs, size_t val_batch,
                           const MaeComm *comm);

/** Bytes of the batches that the open loaders hold ready and of the caches. */
size_t mae_inputs_bytes(const MaeInputs *inputs);

/** Accepts a zeroed or half-opened object. */
void mae_inputs_close(MaeInputs *inputs);

#endif /* MAE_TRAIN_INPUTS_H */
