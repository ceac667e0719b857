/**
 * @file snapshot.h
 * A model in a checkpoint: architecture, weights, normalisation, classes, progress and,
 * for resuming, the optimiser's state. What DESIGN.md section 5 lists, in one struct.
 *
 * Root attributes (reals are doubles, flags and counts int64):
 *   kind                       "autoencoder" | "classifier"
 *   in_chans img_height img_width patch_size embed_dim depth num_heads mlp_ratio
 *   decoder_embed_dim decoder_depth decoder_num_heads norm_pix_loss mask_ratio
 *                              (the decoder's, norm_pix_loss and mask_ratio: autoencoder)
 *   num_classes pool head class_names   (classifier; pool "mean" | "cls"; head "linear" |
 *                              "batchnorm", linear if it is not there)
 *   mean std                   per channel, units of the data (u8/255, u16/65535, f32)
 *   config                     resolved YAML of the run, "" if it came from elsewhere
 *   epoch step samples         completed epochs, optimiser steps, images seen
 *   batch loss_sum             batches done in the epoch under way, sum of their losses
 *   skipped skipped_in_a_row   updates of the epoch under way that were not applied, and
 *                              last ones of the run; their losses are left out. Only
 *                              if there are any
 *   best seconds               best score so far (higher is better), training time so far
 *   history                    JSON lines of log.txt so far
 *   train_images train_checksum val_images val_checksum
 *                              the data of the run (data/identity.h); only if known
 *   tool version backend       program, libmae version, BLAS and processor core
 *   optimizer optim_steps      name of the driver and its step count; only if the
 *                              optimiser's state is stored
 *   ema_decay                  only if the weights were averaged over the steps
 * Tensors: params/<name>, and optim/<slot>/<name>. Where weights were averaged, params
 * are the averages: they are the model for whoever reads a checkpoint. The weights that
 * the optimiser works on, from which training goes on, are optim/weights/<name> then.
 *
 * Opening checks everything that a hostile file could say: ranges of all numbers,
 * statistics per channel, and that the tensors are those of the architecture. A flat
 * buffer for the weights may therefore be allocated after open: the file is as large.
 *
 * Tensors that are read must be finite: what is not would spoil all that follows.
 *
 * Errors   Damaged or foreign files and numbers out of range FORMAT; an architecture that
 *          contradicts itself or the tensors SHAPE; messages begin with the path.
 * Memory   MaeSnapshot owns what open or the caller puts into its pointers marked owned.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_MODEL_SNAPSHOT_H
#define MAE_MODEL_SNAPSHOT_H

#include <stdint.h>

#include "model/arch.h"
#include "model/autoencoder.h"
#include "model/classifier.h"
#include "optim/optimizer.h"
#include "store/checkpoint.h"

typedef enum MaeSnapshotKind {
    MAE_SNAPSHOT_AUTOENCODER,
    MAE_SNAPSHOT_CLASSIFIER,
} MaeSnapshotKind;

/** Everything but the tensors. */
typedef struct MaeSnapshot {
    MaeSnapshotKind kind;
    MaeArch arch;
    double mask_ratio;  /* autoencoder */
    float *mean, *std;  /* [C] owned; 0 and 1 if unknown */
    char **class_names; /* [arch.classes] owned, one block; NULL if there are none */
    char *config;       /* owned; "" if unknown; sections model, mask and data only if the
                           weights were imported */
    char *history;      /* owned; JSON lines */
    char tool[64];      /* "mae-pretrain" */
    char version[32];   /* of libmae */
    char backend[96];   /* of the matrix products; cut to fit */
    uint64_t epoch, step, samples, batch;
    uint64_t train_images, train_checksum; /* data/identity.h; 0 if unknown */
    uint64_t val_images, val_checksum;
    uint64_t skipped, in_a_row; /* updates of the epoch under way; the last ones */
    double loss_sum;  /* over the batches done in the epoch under way, skipped ones not */
    double best;      /* best score so far, higher is better; -INFINITY if none */
    double seconds;   /* of training so far */
    double ema_decay; /* of averaged weights; 0: they are not; read only */
} MaeSnapshot;

/** Name of a kind, as in the file. */
const char *mae_snapshot_kind_name(MaeSnapshotKind kind);

/** Free what is owned; accepts a zeroed snapshot. */
void mae_snapshot_done(MaeSnapshot *snapshot);

/**
 * Write a checkpoint: complete under @p path, or not at all. Texts that are NULL are
 * stored as "".
 * @param table, weights the model.  @param optim NULL: no optimiser state is stored; with
 * averaged weights these are stored as the model.
 */
MaeStatus mae_snapshot_save(const char *path, const MaeSnapshot *snapshot,
                            const MaeParamTable *table, const float *weights,
                            const MaeOptim *optim, MaeError *err);

/**
 * Open a checkpoint, verify it and read everything but the tensors.
 * @param[out] reader for mae_snapshot_weights and _optim; closed by mae_ckpt_close.
 * @param[out] snapshot done by the caller. Both untouched on failure.
 */
MaeStatus mae_snapshot_open(MaeCkptReader **reader, MaeSnapshot *snapshot,
                            const char *path, MaeError *err);

/** ARG unless the checkpoint holds a model of this kind. */
MaeStatus mae_snapshot_expect(const MaeSnapshot *snapshot, MaeSnapshotKind kind,
                              const char *path, MaeError *err);

/** FORMAT error naming the first element of @p flat, read from @p group, that is not
 * finite. */
MaeStatus mae_snapshot_expect_finite(const MaeCkptReader *reader, const char *group,
                                     const MaeParamTable *table, const float *flat,
                                     MaeError *err);

/** Read params/... into a flat buffer [table->total]; names and shapes must all match. */
MaeStatus mae_snapshot_weights(const MaeCkptReader *reader, const MaeParamTable *table,
                               float *weights, MaeError *err);

/** Of saving: the optimiser's state. COMM if a slot cannot be had from all ranks. */
MaeStatus mae_snapshot_put_optim(MaeCkptWriter *w, const MaeParamTable *table,
                                 const float *weights, const MaeOptim *optim,
                                 MaeError *err);

/**
 * Read the state of @p optim (its driver's slots and step count), which must be carved;
 * of one with shards only the count, slots come by mae_snapshot_slot.
 * FORMAT error if the checkpoint holds none or that of another driver.
 */
MaeStatus mae_snapshot_optim(const MaeCkptReader *reader, const MaeParamTable *table,
                             MaeOptim *optim, MaeError *err);

/** Read one slot. @param[out] whole [table->total]. */
MaeStatus mae_snapshot_slot(const MaeCkptReader *reader, const MaeParamTable *table,
                            const MaeOptim *optim, size_t slot, float *whole,
                            MaeError *err);

/**
 * What training goes on from: the weights that the optimiser works on, its state as
 * mae_snapshot_optim and, if it has them, the averaged weights. FORMAT error if averages
 * are stored and not wanted, or the other way round.
 */
MaeStatus mae_snapshot_resume(const MaeCkptReader *reader, const MaeParamTable *table,
                              float *weights, MaeOptim *optim, MaeError *err);

/** The model that a snapshot describes, of either kind, to walk its tensors. */
typedef struct MaeSnapshotModel {
    MaeSnapshotKind kind;
    union {
        MaeAutoencoder autoencoder;
        MaeClassifier classifier;
    } as;
} MaeSnapshotModel;

/** Build it from kind and architecture; on failure nothing needs closing. */
MaeStatus mae_snapshot_model_open(MaeSnapshotModel *model, MaeSnapshotKind kind,
                                  const MaeArch *arch, MaeError *err);

/** Accepts a zeroed model. */
void mae_snapshot_model_close(MaeSnapshotModel *model);

/** Its tensors; belongs to @p model. */
const MaeParamTable *mae_snapshot_model_table(const MaeSnapshotModel *model);

/** Zero-filled buffer [table->total] aligned to MAE_ALIGN, released by free; or NULL. */
float *mae_snapshot_alloc(const MaeParamTable *table);

/** A checkpoint read for its weights: model, snapshot and weights in one object. */
typedef struct MaeLoadedModel {
    MaeSnapshot snapshot;
    MaeSnapshotModel model;
    float *weights; /* [mae_snapshot_model_table()->total] owned */
} MaeLoadedModel;

/** Load a model of either kind for use without training. */
MaeStatus mae_loaded_model_open(MaeLoadedModel *loaded, const char *path, MaeError *err);

/** The same, but ARG unless it is an autoencoder. */
MaeStatus mae_loaded_autoencoder_open(MaeLoadedModel *loaded, const char *path,
                                      MaeError *err);

/** Replace the weights by the initial ones of @p seed: what training started from. */
void mae_loaded_model_init(MaeLoadedModel *loaded, uint64_t seed);

/** Accepts NULL and a zeroed or half-built object. */
void mae_loaded_model_close(MaeLoadedModel *loaded);

/**
 * Copy the encoder of a checkpoint (autoencoder or classifier) into a classifier's
 * weights: cls_token, pos_embed (resized if the grid differs), patch_embed.* and
 * blocks.*; for class token pooling "norm" too, if the checkpoint has one. fc_norm
 * and head keep their initial values. Channels, patch size, depth, width, heads and
 * MLP must match (SHAPE error naming the first difference, expected and found);
 * checked before @p weights is touched.
 */
MaeStatus mae_snapshot_encoder(const MaeCkptReader *reader, const MaeSnapshot *snapshot,
                               const MaeClassifier *model, float *weights, MaeError *err);

#endif /* MAE_MODEL_SNAPSHOT_H */
