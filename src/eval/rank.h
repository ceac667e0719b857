/**
 * @file rank.h
 * All images of a data set by how badly they are reconstructed: outliers, damaged and
 * mislabelled images, and what the model knows best.
 *
 *   error = mean over M masks of the model's loss
 *
 * which is over hidden patches, of normalised pixels, or under norm_pix_loss of patches
 * normalised by their own mean and deviation: there it says nothing about brightness and
 * contrast. Mask k of a sample is that of (seed, epoch k, index in the data set), so an
 * image's masks do not depend on batches, threads or what else is ranked.
 *
 * Memory   16 bytes an image, a few batches and activations.
 * Errors   ARG: nothing hidden; NUMERIC: a loss that is not finite (the image is named);
 *          FORMAT, IO, NOMEM as the loader and writing report them.
 * Threads  One thread at a time per object; results are the same for any number of
 *          threads and workers, and for any batch size but for rounding.
 */
#ifndef MAE_EVAL_RANK_H
#define MAE_EVAL_RANK_H

#include "data/loader.h"
#include "data/survey.h"
#include "model/autoencoder.h"

/** How to rank. */
typedef struct MaeRankOptions {
    MaeMaskKind kind;
    double ratio;
    size_t masks; /* M, of every image; 0: 1 */
    uint64_t seed;
    size_t batch;            /* images at a time; 0: 64 */
    size_t workers;          /* decoding threads; 0: decode in the calling thread */
    double max_bad_fraction; /* of the images; bad ones are left out */
    const MaeLog *log;       /* borrowed; NULL: silent */
    MaeWatch watch;          /* hears of every batch, in images */
} MaeRankOptions;

typedef struct MaeRankItem {
    size_t sample; /* in the data set */
    double error;
} MaeRankItem;

/** Zero-initialised is empty. */
typedef struct MaeRanking {
    MaeRankItem *items; /* [count] falling error; equal ones in the data set's order */
    size_t count;
} MaeRanking;

/** @param w weights [table.total].  @param[out] ranking empty on failure. */
MaeStatus mae_rank_run(MaeRanking *ranking, const MaeAutoencoder *model, MaeWeights w,
                       const MaeCompute *compute, const MaeDataset *ds,
                       const MaeTransform *transform, const MaeRankOptions *options,
                       MaeError *err);

/** Free; accepts NULL and an empty ranking. */
void mae_rank_done(MaeRanking *ranking);

/** ARG unless the name ends in .csv or .json. */
MaeStatus mae_rank_check(const char *path, MaeError *err);

/**
 * Write all images, worst first: rank, path, error and, if labelled, class. As CSV with a
 * header, or as a JSON array of one object a line. Complete or not at all.
 */
MaeStatus mae_rank_write(const MaeRanking *ranking, const MaeDataset *ds,
                         const char *path, MaeError *err);

#endif /* MAE_EVAL_RANK_H */
