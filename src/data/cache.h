/**
 * @file cache.h
 * Decoded images of a dataset in memory, so that each JPEG or PNG is decoded once.
 *
 * Whoever reads an image first leaves a copy of it, as decoded: whole, in its pixel type,
 * with the channels that the dataset delivers. Bad images are not kept: they stay bad.
 * Batches are bitwise the same with and without, except for a JPEG whose damage lies
 * behind its crop: whole, it is bad.
 *
 * Memory   One block, planned at opening from the sizes of up to 64 evenly spaced images:
 *          exactly what all need if these are alike, else their mean and an eighth more.
 *          The system hands it out as it fills. What does not fit any more is decoded
 *          again each time. 32 bytes per sample of the dataset besides.
 * Threads  Any number may find and keep at the same time.
 */
#ifndef MAE_DATA_CACHE_H
#define MAE_DATA_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "data/dataset.h"

typedef struct MaeCache MaeCache;

/** @return bytes that images of the dataset would take, @p images of them; 0 if none of
 * those looked at can be read. */
size_t mae_cache_need(const MaeDataset *ds, size_t images);

/**
 * @param[out] cache owned by the caller; untouched on failure.
 * @param bytes for pixels, usually mae_cache_need().
 * @return NOMEM.
 */
MaeStatus mae_cache_open(MaeCache **cache, const MaeDataset *ds, size_t bytes,
                         MaeError *err);

/** Accepts NULL; nobody may hold an image any more. */
void mae_cache_close(MaeCache *cache);

/**
 * @param[out] img if it is there: a view of sample @p index that lives as long as the
 * cache. It is not to be written to, reshaped or released.
 */
bool mae_cache_find(const MaeCache *cache, size_t index, MaeImage *img);

/** Leave a copy of sample @p index, all of it, unless it is there or nothing fits. */
void mae_cache_keep(MaeCache *cache, size_t index, const MaeImage *img);

/** Bytes of its block; 0 for NULL. */
size_t mae_cache_bytes(const MaeCache *cache);

#endif /* MAE_DATA_CACHE_H */
