/**
 * @file fetch.h
 * One position of a batch: read, transform, and replace what is bad; internal to data/.
 *
 * A sample's outcome depends on the options and the sample only, not on the thread or on
 * what happened before.
 *
 * Memory   A fetcher's buffers grow to the largest image seen.
 * Threads  MaeFetch is shared and read-only but for the cache; one MaeFetcher per thread.
 */
#ifndef MAE_DATA_FETCH_H
#define MAE_DATA_FETCH_H

#include "data/cache.h"
#include "data/dataset.h"
#include "data/sampler.h"
#include "data/transform.h"

/** Where samples come from and what is done to them. */
typedef struct MaeFetch {
    const MaeDataset *ds;
    const MaeTransform *transform;
    const MaeSampler *sampler; /* its subset supplies replacements, in training only */
    MaeCache *cache;           /* NULL: none; not with a transform's scaled_decode */
} MaeFetch;

/** What a thread keeps between images; zero-initialise. */
typedef struct MaeFetcher {
    MaeImage img;
    MaeReadBuffer buffer;
    MaeTransformScratch scratch;
} MaeFetcher;

/** What became of a position. */
typedef struct MaeFetched {
    size_t wanted;    /* the sample that was asked for */
    size_t sample;    /* the one that was delivered, the same unless it is bad */
    MaeStatus status; /* of the wanted sample; not MAE_OK: it is bad */
    MaeStatus fatal;  /* not MAE_OK: nothing was delivered and the run cannot go on */
    char reason[256]; /* of the first of these two that is set */
} MaeFetched;

/**
 * Deliver fetched->wanted, or in training a replacement for it.
 * @param[out] image [C,H,W]; undefined unless delivered.
 */
void mae_fetch(const MaeFetch *fetch, MaeFetcher *fetcher, MaeFetched *fetched,
               float *image, uint32_t epoch);

/** Release the buffers; accepts a zeroed fetcher. */
void mae_fetcher_done(MaeFetcher *fetcher);

#endif /* MAE_DATA_FETCH_H */
