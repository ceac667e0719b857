/**
 * @file rng.h
 * Counter-based random numbers: Philox4x32-10.
 *
 * A stream is addressed, not stored: its key is the run's seed, its counter holds (epoch,
 * sample, purpose) and the position within the stream. The same address gives the same
 * numbers on any machine, for any number of workers, threads or ranks.
 *
 * Source   Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011;
 *          constants and known answers from Random123.
 * Memory   Never allocates.
 * Errors   Cannot fail.
 * Threads  Reentrant; a MaeRng belongs to one thread at a time.
 */
#ifndef MAE_BASE_RNG_H
#define MAE_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/** What a stream is for; part of its address, so uses never share numbers. */
typedef enum MaeRngPurpose {
    MAE_RNG_INIT = 1,   /* initial weights, in the order of the layers; sample = 0 */
    MAE_RNG_SHUFFLE,    /* order of samples in an epoch; sample = 0 */
    MAE_RNG_CROP,       /* crop box and flip of a sample */
    MAE_RNG_MASK,       /* patch mask of a sample */
    MAE_RNG_DROP_PATH,  /* stochastic depth of a sample */
    MAE_RNG_SUBSET,     /* choice of a labelled subset */
    MAE_RNG_REPLACE,    /* replacement of an unreadable sample */
    MAE_RNG_MIX,        /* mixing of a batch; sample = its index in the epoch */
    MAE_RNG_AUGMENT,    /* operations on a sample's colours and geometry */
    MAE_RNG_ERASE,      /* what is erased of a sample, and its noise */
    MAE_RNG_LOOK,       /* choice of samples that are looked at; sample = 0 */
    MAE_RNG_EMBED,      /* where points of a map begin; sample = 0 */
    MAE_RNG_TEST = 100, /* tests and benchmarks */
} MaeRngPurpose;

/** Stream; its fields are private. */
typedef struct MaeRng {
    uint32_t key[2];
    uint32_t ctr[4];
    uint32_t out[4]; /* current block */
    unsigned used;   /* words of out handed out already */
} MaeRng;

/** One block: 10 rounds over counter @p ctr with @p key. @param[out] out four words. */
void mae_philox(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2]);

/** Start the stream of (seed, epoch, sample, purpose). Samples up to 2^48. */
void mae_rng_init(MaeRng *rng, uint64_t seed, uint32_t epoch, uint64_t sample,
                  MaeRngPurpose purpose);

/** Uniform over all 32-bit words. */
uint32_t mae_rng_u32(MaeRng *rng);

/** Uniform in [0, 1) with 24 bits. */
float mae_rng_float(MaeRng *rng);

/** Uniform in [0, 1) with 53 bits. */
double mae_rng_double(MaeRng *rng);

/** Uniform in 0 .. n-1 without bias; @p n > 0. */
uint64_t mae_rng_below(MaeRng *rng, uint64_t n);

/** Standard normal (Box-Muller, one value per call). */
double mae_rng_normal(MaeRng *rng);

/** Normal with @p std, truncated to +-2 (absolute), as timm's trunc_normal_ draws it. */
double mae_rng_truncated(MaeRng *rng, double std);

/**
 * Beta(a, b) in [0, 1], from two gamma variates. @param a, b from 1e-6 on.
 * Source: Marsaglia & Tsang, "A simple method for generating gamma variables", ACM TOMS
 * 26, 2000; in logarithms, since variates of small shapes underflow.
 */
double mae_rng_beta(MaeRng *rng, double a, double b);

/** Fill @p order with a uniform permutation of 0 .. n-1 (Fisher-Yates). */
void mae_rng_permute(MaeRng *rng, size_t *order, size_t n);

#endif /* MAE_BASE_RNG_H */
