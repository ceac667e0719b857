#include "data/fetch.h"

#include <stdio.h>

#define CANDIDATES 100 /* tried to replace a bad image */

/* What a chooser needs to know. */
typedef struct Choice {
    const MaeTransform *transform;
    MaeDraw draw;
} Choice;

static MaePart choose(const void *ctx, size_t height, size_t width)
{
    const Choice *choice = ctx;

    return mae_transform_part(choice->transform, height, width, choice->draw);
}

/* Decode a sample, at least what @p chooser needs, or find it whole in the cache.
 * @param[out] img a view of what the fetcher or the cache owns. */
static MaeStatus decoded(MaeImage *img, const MaeFetch *fetch, MaeFetcher *fetcher,
                         size_t sample, const MaeChooser *chooser, MaeError *err)
{
    MaeCache *cache = fetch->cache;

    if (cache != NULL && mae_cache_find(cache, sample, img))
        return MAE_OK;
    MAE_TRY(mae_dataset_read_part(fetch->ds, sample, cache == NULL ? chooser : NULL,
                                  &fetcher->img, &fetcher->buffer, err));
    if (cache != NULL)
        mae_cache_keep(cache, sample, &fetcher->img);
    *img = fetcher->img;
    return MAE_OK;
}

/* @param key sample whose random numbers are used. */
static MaeStatus read_one(const MaeFetch *fetch, MaeFetcher *fetcher, size_t sample,
                          size_t key, float *image, uint32_t epoch, MaeError *err)
{
    const Choice choice = {fetch->transform, {fetch->sampler->opt.seed, epoch, key}};
    const MaeChooser chooser = {choose, &choice};
    MaeImage img;

    MAE_TRY(decoded(&img, fetch, fetcher, sample, &chooser, err));
    return mae_transform_apply(fetch->transform, image, &img, &fetcher->scratch,
                               choice.draw, err);
}

/* The candidates are the same in every epoch. Crops stay keyed by the bad sample, so a
 * candidate that is in the batch itself is not there twice with the same crop. */
static MaeStatus replace(const MaeFetch *fetch, MaeFetcher *fetcher, MaeFetched *fetched,
                         float *image, uint32_t epoch, MaeError *err)
{
    MaeRng rng;

    mae_rng_init(&rng, fetch->sampler->opt.seed, 0, fetched->wanted, MAE_RNG_REPLACE);
    for (int i = 0; i < CANDIDATES; i++) {
        const size_t sample = mae_sampler_sample(
            fetch->sampler, (size_t)mae_rng_below(&rng, fetch->sampler->opt.count));
        MaeStatus status;

        if (sample == fetched->wanted)
            continue;
        status = read_one(fetch, fetcher, sample, fetched->wanted, image, epoch, err);
        if (status == MAE_OK)
            fetched->sample = sample;
        if (status == MAE_OK || status == MAE_ERR_NOMEM)
            return status;
    }
    MAE_FAIL(err, MAE_ERR_FORMAT, "%s; none of %d candidates could replace it",
             fetched->reason, CANDIDATES);
}

void mae_fetch(const MaeFetch *fetch, MaeFetcher *fetcher, MaeFetched *fetched,
               float *image, uint32_t epoch)
{
    MaeError err = {0};
    MaeStatus status =
        read_one(fetch, fetcher, fetched->wanted, fetched->wanted, image, epoch, &err);

    fetched->sample = fetched->wanted;
    fetched->status = status;
    fetched->fatal = MAE_OK;
    fetched->reason[0] = '\0';
    if (status == MAE_OK)
        return;
    snprintf(fetched->reason, sizeof fetched->reason, "%.255s", err.msg);
    if (status != MAE_ERR_NOMEM && fetch->sampler->opt.training)
        status = replace(fetch, fetcher, fetched, image, epoch, &err);
    else if (status != MAE_ERR_NOMEM)
        status = MAE_OK;
    fetched->fatal = status;
    if (status == MAE_ERR_NOMEM) {
        fetched->status = MAE_OK; /* the machine's fault, not the image's */
        snprintf(fetched->reason, sizeof fetched->reason, "%.255s", err.msg);
    }
}

void mae_fetcher_done(MaeFetcher *fetcher)
{
    mae_image_done(&fetcher->img);
    mae_read_buffer_done(&fetcher->buffer);
    mae_transform_scratch_done(&fetcher->scratch);
}
