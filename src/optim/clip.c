#include "optim/clip.h"

#include <assert.h>
#include <math.h>

#include "kernel/rows.h"

typedef struct NormJob {
    const MaeClip *clip;
    const float *grads;
} NormJob;

void mae_clip_define(MaeClip *clip, const MaeTiles *tiles)
{
    *clip = (MaeClip){.tiles = tiles};
}

void mae_clip_reserve(MaeClip *clip, MaeArena *arena)
{
    clip->sums = mae_arena_bytes(arena, clip->tiles->count, sizeof *clip->sums);
}

static void norm_tile(void *ctx, size_t index, size_t thread)
{
    const NormJob *job = ctx;
    const MaeParamTile *tile = &job->clip->tiles->items[index];

    (void)thread;
    job->clip->sums[index] = mae_rows_sumsq(job->grads + tile->off, tile->count);
}

/* Statistics have no part in the norm, but go into the model all the same. */
static MaeStatus check_tracked(const MaeParamTable *table, const float *grads,
                               MaeError *err)
{
    for (size_t p = 0; p < table->count; p++) {
        const MaeParamEntry *entry = &table->entries[p];

        if ((entry->flags & MAE_PARAM_TRACKED) &&
            !mae_rows_finite(grads + entry->at.off, entry->at.count))
            MAE_FAIL(err, MAE_ERR_NUMERIC, "statistics of %s: NaN or infinite",
                     entry->name);
    }
    return MAE_OK;
}

MaeStatus mae_clip_norm(MaeClip *clip, double *norm, MaePool *pool, const float *grads,
                        double grad_scale, MaeError *err)
{
    const MaeTiles *tiles = clip->tiles;
    NormJob job = {.clip = clip, .grads = grads};
    double sum = 0.0;

    assert(grad_scale > 0.0);
    mae_pool_run(pool, tiles->count, norm_tile, &job);
    for (size_t i = 0; i < tiles->count; i++)
        sum += clip->sums[i];
    *norm = grad_scale * sqrt(sum);
    /* Squares of finite floats cannot overflow a double: the gradient itself is bad. */
    for (size_t i = 0; i < tiles->count && !isfinite(sum); i++) {
        if (!isfinite(clip->sums[i]))
            MAE_FAIL(err, MAE_ERR_NUMERIC, "gradient of %s: NaN or infinite",
                     tiles->table->entries[tiles->items[i].param].name);
    }
    return check_tracked(tiles->table, grads, err);
}

double mae_clip_factor(double norm, double max_norm)
{
    const double factor = max_norm / (norm + 1e-6);

    return max_norm > 0.0 && factor < 1.0 ? factor : 1.0;
}
