/**
 * @file sampler.h
 * Which samples make up batch b of epoch e, and which part of it is this rank's.
 *
 * Training: a permutation by the stream (seed, epoch, 0, MAE_RNG_SHUFFLE), cut into
 * global batches; an incomplete last one is dropped. Evaluation: in order, nothing is
 * dropped. Rank r of R takes positions r*G/R .. (r+1)*G/R - 1 of a global batch of G:
 * the batch is the same for any number of ranks. In an incomplete evaluation batch the
 * last ranks may get few samples or none.
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
