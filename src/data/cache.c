#include "data/cache.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PROBES 64
#define ALIGN ((size_t)64)

enum { MISSING, FILLING, THERE };

typedef struct Entry {
    size_t offset; /* in the block; like the shape written before the state is THERE */
    uint32_t height, width, channels;
    MaePixel type;
    atomic_int state;
} Entry;

struct MaeCache {
    unsigned char *block;
    size_t size;
    atomic_size_t used;
    Entry *entries; /* [count] */
    size_t count;
};

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

size_t mae_cache_need(const MaeDataset *ds, size_t images)
{
    const MaeDatasetInfo *info = mae_dataset_info(ds);
    const size_t probes = info->count < PROBES ? info->count : PROBES;
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    double sum = 0.0, need;
    size_t good = 0, least = SIZE_MAX, most = 0;

    for (size_t i = 0; i < probes; i++) {
        size_t bytes;

        if (mae_dataset_peek(ds, i * info->count / probes, &img, &buffer, NULL) != MAE_OK)
            continue;
        bytes = rounded(img.picture.height * img.picture.width * img.channels *
                        mae_pixel_size(img.type));
        sum += (double)bytes;
        least = bytes < least ? bytes : least;
        most = bytes > most ? bytes : most;
        good++;
    }
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
    if (good == 0)
        return 0;
    need = sum / (double)good * (double)images * (least == most ? 1.0 : 1.125);
    return need < (double)(SIZE_MAX / 2) ? rounded((size_t)need) : SIZE_MAX / 2;
}

MaeStatus mae_cache_open(MaeCache **cache, const MaeDataset *ds, size_t bytes,
                         MaeError *err)
{
    MaeCache *made = calloc(1, sizeof *made);

    if (made != NULL) {
        made->count = mae_dataset_info(ds)->count;
        made->size = bytes / ALIGN * ALIGN;
        made->entries = calloc(made->count, sizeof *made->entries);
        made->block = made->size > 0 ? aligned_alloc(ALIGN, made->size) : NULL;
    }
    if (made == NULL || made->entries == NULL || made->block == NULL) {
        mae_cache_close(made);
        MAE_FAIL(err, MAE_ERR_NOMEM, "cannot allocate %.1f MB for decoded images",
                 (double)bytes / 1e6);
    }
    *cache = made;
    return MAE_OK;
}

void mae_cache_close(MaeCache *cache)
{
    if (cache == NULL)
        return;
    free(cache->block);
    free(cache->entries);
    free(cache);
}

bool mae_cache_find(const MaeCache *cache, size_t index, MaeImage *img)
{
    Entry *entry = &cache->entries[index];

    if (atomic_load_explicit(&entry->state, memory_order_acquire) != THERE)
        return false;
    *img = (MaeImage){
        .height = entry->height,
        .width = entry->width,
        .channels = entry->channels,
        .type = entry->type,
        .data = cache->block + entry->offset,
        .picture = {.height = entry->height, .width = entry->width, .shrink = 1}};
    return true;
}

void mae_cache_keep(MaeCache *cache, size_t index, const MaeImage *img)
{
    Entry *entry = &cache->entries[index];
    const size_t bytes = img->height * mae_image_row_bytes(img);
    int missing = MISSING;

    assert(img->picture.height == img->height && img->picture.width == img->width);
    if (atomic_load_explicit(&cache->used, memory_order_relaxed) > cache->size ||
        !atomic_compare_exchange_strong(&entry->state, &missing, FILLING))
        return;
    entry->offset = atomic_fetch_add(&cache->used, rounded(bytes));
    if (entry->offset > cache->size || bytes > cache->size - entry->offset)
        return; /* stays FILLING: it is not tried again */
    memcpy(cache->block + entry->offset, img->data, bytes);
    entry->height = (uint32_t)img->height;
    entry->width = (uint32_t)img->width;
    entry->channels = (uint32_t)img->channels;
    entry->type = img->type;
    atomic_store_explicit(&entry->state, THERE, memory_order_release);
}

size_t mae_cache_bytes(const MaeCache *cache)
{
    return cache == NULL ? 0 : cache->size;
}
