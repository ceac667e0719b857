#include "data/sampler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static MaeStatus check(const MaeSamplerOptions *opt, MaeError *err)
{
    if (opt->count == 0 || opt->batch_size == 0)
        MAE_FAIL(err, MAE_ERR_ARG, "sampler: %s is 0",
                 opt->count == 0 ? "the number of samples" : "the batch size");
    if (opt->batch_size % opt->world != 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "sampler: batch size %zu cannot be divided evenly among %zu ranks",
                 opt->batch_size, opt->world);
    if (opt->rank >= opt->world)
        MAE_FAIL(err, MAE_ERR_ARG, "sampler: rank %zu of %zu", opt->rank, opt->world);
    if (opt->training && opt->batch_size > opt->count)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "sampler: batch size %zu, but only %zu samples to train on",
                 opt->batch_size, opt->count);
    return MAE_OK;
}

MaeStatus mae_sampler_open(MaeSampler *sampler, const MaeSamplerOptions *options,
                           MaeError *err)
{
    MaeSampler made = {.opt = *options};
    MaeSamplerOptions *opt = &made.opt;
    const bool subset = options->indices != NULL;
    bool parts;

    if (opt->world == 0)
        opt->world = 1;
    MAE_TRY(check(opt, err));
    parts = opt->training && opt->world > 1;
    made.order = calloc(opt->count, sizeof *made.order);
    made.indices = subset ? calloc(opt->count, sizeof *made.indices) : NULL;
    made.part = parts ? calloc(mae_sampler_local(&made), sizeof *made.part) : NULL;
    if (made.order == NULL || (subset && made.indices == NULL) ||
        (parts && made.part == NULL)) {
        const size_t count = opt->count;

        mae_sampler_close(&made);
        MAE_FAIL(err, MAE_ERR_NOMEM, "sampler: out of memory for %zu samples", count);
    }
    if (subset)
        memcpy(made.indices, opt->indices, opt->count * sizeof *made.indices);
    opt->indices = NULL;
    *sampler = made;
    return MAE_OK;
}

void mae_sampler_close(MaeSampler *sampler)
{
    free(sampler->indices);
    free(sampler->order);
    free(sampler->part);
    *sampler = (MaeSampler){0};
}

size_t mae_sampler_batches(const MaeSampler *sampler)
{
    const MaeSamplerOptions *opt = &sampler->opt;
    const size_t full = opt->count / opt->batch_size;

    return full + (!opt->training && opt->count % opt->batch_size != 0 ? 1 : 0);
}

size_t mae_sampler_local(const MaeSampler *sampler)
{
    return sampler->opt.batch_size / sampler->opt.world;
}

size_t mae_sampler_sample(const MaeSampler *sampler, size_t position)
{
    return sampler->indices == NULL ? position : sampler->indices[position];
}

/* order = the samples of the epoch. */
static void arrange(MaeSampler *sampler, uint32_t epoch)
{
    const size_t count = sampler->opt.count;
    MaeRng rng;

    mae_rng_init(&rng, sampler->opt.seed, epoch, 0, MAE_RNG_SHUFFLE);
    if (sampler->opt.training)
        mae_rng_permute(&rng, sampler->order, count);
    for (size_t i = 0; i < count; i++)
        sampler->order[i] =
            mae_sampler_sample(sampler, sampler->opt.training ? sampler->order[i] : i);
    sampler->epoch = epoch;
    sampler->ready = true;
}

/* part = what this rank takes of a whole batch in training. */
static void take_part(MaeSampler *sampler, const size_t *batch)
{
    const size_t local = mae_sampler_local(sampler), half = local / 2;
    const size_t rank = sampler->opt.rank, all = sampler->opt.batch_size;

    if (local % 2 != 0) {
        memcpy(sampler->part, batch + rank * local, local * sizeof *batch);
        return;
    }
    memcpy(sampler->part, batch + rank * half, half * sizeof *batch);
    memcpy(sampler->part + half, batch + all - (rank + 1) * half, half * sizeof *batch);
}

size_t mae_sampler_select(MaeSampler *sampler, uint32_t epoch, size_t batch,
                          const size_t **samples)
{
    const MaeSamplerOptions *opt = &sampler->opt;
    const size_t local = mae_sampler_local(sampler);
    const size_t begin = batch * opt->batch_size + opt->rank * local;

    assert(batch < mae_sampler_batches(sampler));
    if (!sampler->ready || (opt->training && sampler->epoch != epoch))
        arrange(sampler, epoch);
    if (sampler->part != NULL) {
        take_part(sampler, sampler->order + batch * opt->batch_size);
        *samples = sampler->part;
        return local;
    }
    if (begin >= opt->count) {
        *samples = sampler->order;
        return 0;
    }
    *samples = sampler->order + begin;
    return opt->count - begin < local ? opt->count - begin : local;
}
