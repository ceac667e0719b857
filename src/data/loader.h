/**
 * @file loader.h
 * Prefetching loader: decodes and transforms the batches of a sampler ahead of use.
 *
 * Workers share the samples of a batch, so one slow image does not hold up the others;
 * batches come out in order. Every random choice is keyed by sample, so batches are
 * bitwise the same for any number of workers, 0 (decode in the calling thread) included.
 *
 * A bad image (unreadable, damaged, wrong channels, not finite) is counted once, when
 * the batch that met it first is handed out. In training another sample of the subset,
 * drawn from the stream (seed, 0, bad sample, MAE_RNG_REPLACE), takes its place in every
 * epoch; a candidate that is bad itself is passed over. In evaluation the sample is left
 * out and the batch is smaller. When more than max_bad_fraction of the samples are bad,
 * next fails with FORMAT and names the first ones. A JPEG is decoded up to the last row
 * of its crop: damage behind that is not met in this epoch, the same in every run. A file
 * that was cut off is met by every crop.
 *
 * Training goes on from epoch to epoch without end; evaluation ends after one pass.
 *
 * Memory   open allocates prefetch + 1 slots of a batch each, which are recycled; next
 *          and release never allocate; workers' image buffers only grow.
 * Threads  next, release, seek and close belong to one thread, the consumer. Dataset,
 *          transform and cache are borrowed and must outlive the loader.
 */
#ifndef MAE_DATA_LOADER_H
#define MAE_DATA_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "data/badlist.h"
#include "data/cache.h"
#include "data/dataset.h"
#include "data/sampler.h"
#include "data/transform.h"

typedef struct MaeLoader MaeLoader;

typedef struct MaeLoaderOptions {
    MaeSamplerOptions sampler; /* its seed also drives crops and replacements */
    size_t workers;            /* threads; 0: decode in next */
    size_t prefetch;           /* batches made ahead; 0: 2; without workers none is */
    double max_bad_fraction;   /* of the samples that take part, 0 .. 1 */
    MaeCache *cache;           /* of the same dataset, borrowed; NULL: decode each time */
    const MaeLog *log;         /* borrowed; NULL: silent; called by the consumer only */
} MaeLoaderOptions;

/** One batch; everything belongs to the loader, images may be changed in place. */
typedef struct MaeBatch {
    float *images;   /* [B,C,H,W], 64-byte aligned */
    int64_t *labels; /* [B]; -1 if unlabelled */
    size_t *samples; /* [B] dataset indices, replacements included */
    size_t size;     /* B: local batch, less in evaluation, possibly 0 */
    uint32_t epoch;
    size_t index; /* of the batch in its epoch */
} MaeBatch;

/** @param[out] loader owned by the caller; starts at epoch 0, batch 0. */
MaeStatus mae_loader_open(MaeLoader **loader, const MaeDataset *ds,
                          const MaeTransform *transform, const MaeLoaderOptions *opt,
                          MaeError *err);

/** Stop the workers, whatever they are at; batches handed out die too. Accepts NULL. */
void mae_loader_close(MaeLoader *loader);

/** Bytes of its slots: the images that are held ready. */
size_t mae_loader_bytes(const MaeLoader *loader);

/** Batches of an epoch. */
size_t mae_loader_batches(const MaeLoader *loader);

/**
 * Wait for the next batch.
 * @param[out] batch stays valid until it is released; NULL at the end of an evaluation.
 * @return FORMAT: too many bad images, or none fit to replace one; NOMEM; ARG: every
 * slot is held by the caller. After a failure only seek and close make sense.
 */
MaeStatus mae_loader_next(MaeLoader *loader, const MaeBatch **batch, MaeError *err);

/** Give a batch back; NULL is ignored. */
void mae_loader_release(MaeLoader *loader, const MaeBatch *batch);

/**
 * Go on at another place (resume, or another evaluation pass); what was made ahead is
 * thrown away, the bad list is kept.
 * @return ARG if batches are still held or @p batch is beyond the epoch's end.
 */
MaeStatus mae_loader_seek(MaeLoader *loader, uint32_t epoch, size_t batch, MaeError *err);

/** Seconds next has waited (or decoded, without workers) since open. */
double mae_loader_waited(const MaeLoader *loader);

/** Bad images met so far; consumer thread only. */
const MaeBadList *mae_loader_bad(const MaeLoader *loader);

#endif /* MAE_DATA_LOADER_H */
