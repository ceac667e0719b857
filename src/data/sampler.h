/**
 * @file sampler.h
 * Which samples make up batch b of epoch e, and which part of it is this rank's.
 *
 * Training: a permutation by the stream (seed, epoch, 0, MAE_RNG_SHUFFLE), cut into
 * global batches; an incomplete last one is dropped. Evaluation: in order, nothing is
 * dropped. The batch is the same for any number of ranks; of a global batch of G, rank r
 * of R takes n = G/R:
 *
 *   evaluation, n odd   positions r*n .. (r+1)*n - 1; in an incomplete batch the last
 *                       ranks may get few samples or none
 *   training, n even    r*n/2 .. (r+1)*n/2 - 1 and their mirror images, G-1-p for p: a
 *                       part turned round holds what the batch turned round has there,
 *                       so mixing (data/mix.h) is the same for any number of ranks
 *
 * Memory   open allocates the order; select never allocates.
 * Threads  One thread at a time.
 */
#ifndef MAE_DATA_SAMPLER_H
#define MAE_DATA_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct MaeSamplerOptions {
    const size_t
        *indices; /* [count] samples that take part, copied; NULL: 0 .. count-1 */
    size_t count;
    size_t batch_size; /* global, over all ranks; a multiple of world */
    bool training;     /* shuffle and drop; else in order, keeping all */
    uint64_t seed;
    size_t rank, world; /* world 0 is taken as 1 */
} MaeSamplerOptions;

typedef struct MaeSampler {
    MaeSamplerOptions opt; /* its indices are NULL */
    size_t *indices;       /* [count] copy of them, or NULL */
    size_t *order;         /* [count] samples of an epoch */
    size_t *part;          /* [local] of several ranks in training, else NULL */
    uint32_t epoch;        /* that order holds */
    bool ready;            /* order holds one */
} MaeSampler;

/** @return ARG if a size is 0, ranks do not divide the batch or training has no batch. */
MaeStatus mae_sampler_open(MaeSampler *sampler, const MaeSamplerOptions *opt,
                           MaeError *err);

/** Accepts a zeroed sampler. */
void mae_sampler_close(MaeSampler *sampler);

/** Batches of an epoch, the same on every rank. */
size_t mae_sampler_batches(const MaeSampler *sampler);

/** Largest batch this rank gets: batch_size / world. */
size_t mae_sampler_local(const MaeSampler *sampler);

/** Sample number @p position (0 .. count-1) of the subset, in dataset order. */
size_t mae_sampler_sample(const MaeSampler *sampler, size_t position);

/**
 * This rank's part of a batch; shuffles when @p epoch is another than last time.
 * @param[out] samples dataset indices, valid until the next select.
 * @return their number.
 */
size_t mae_sampler_select(MaeSampler *sampler, uint32_t epoch, size_t batch,
                          const size_t **samples);

#endif /* MAE_DATA_SAMPLER_H */
