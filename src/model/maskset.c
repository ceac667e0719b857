#include "model/maskset.h"

#include <assert.h>

static void reserve(MaeMaskSet *set, MaeArena *arena)
{
    const size_t threads = mae_pool_threads(set->pool);
    MaeMaskScratch unused;

    mae_mask_reserve(&set->mask, arena, set->batch);
    set->scratch = mae_arena_bytes(arena, threads, sizeof *set->scratch);
    for (size_t i = 0; i < threads; i++)
        mae_mask_reserve_scratch(set->scratch != NULL ? &set->scratch[i] : &unused,
                                 &set->mask, arena);
}

/* Memory for masks that are defined. */
static MaeStatus allocate(MaeMaskSet *set, MaeError *err)
{
    MaeArena measured = mae_arena_measure();
    MaeStatus status;

    reserve(set, &measured);
    MAE_TRY(mae_arena_open(&set->arena, &measured, "masks", err));
    reserve(set, &set->arena);
    status = mae_arena_check(&set->arena, "masks", err);
    if (status != MAE_OK)
        mae_maskset_close(set);
    return status;
}

MaeStatus mae_maskset_open(MaeMaskSet *set, MaeMaskKind kind, const MaePatchGrid *grid,
                           double ratio, size_t batch, MaePool *pool, MaeError *err)
{
    *set = (MaeMaskSet){.batch = batch, .pool = pool};
    MAE_TRY(mae_mask_define(&set->mask, kind, grid->height / grid->patch,
                            mae_patch_columns(grid), ratio, err));
    return allocate(set, err);
}

MaeStatus mae_maskset_open_visible(MaeMaskSet *set, MaeMaskKind kind,
                                   const MaePatchGrid *grid, size_t visible, size_t batch,
                                   MaePool *pool, MaeError *err)
{
    *set = (MaeMaskSet){.batch = batch, .pool = pool};
    MAE_TRY(mae_mask_define_visible(&set->mask, kind, grid->height / grid->patch,
                                    mae_patch_columns(grid), visible, err));
    return allocate(set, err);
}

void mae_maskset_close(MaeMaskSet *set)
{
    if (set == NULL)
        return;
    mae_arena_close(&set->arena);
    *set = (MaeMaskSet){0};
}

typedef struct Draw {
    MaeMaskSet *set;
    const size_t *samples;
    uint64_t seed;
    uint32_t epoch;
} Draw;

static void draw_one(void *ctx, size_t b, size_t thread)
{
    const Draw *draw = ctx;

    mae_mask_draw(&draw->set->mask, b, draw->seed, draw->epoch,
                  draw->samples != NULL ? draw->samples[b] : b,
                  &draw->set->scratch[thread]);
}

void mae_maskset_draw(MaeMaskSet *set, uint64_t seed, uint32_t epoch,
                      const size_t *samples, size_t count)
{
    Draw draw = {set, samples, seed, epoch};

    assert(count <= set->batch);
    mae_pool_run(set->pool, count, draw_one, &draw);
}

MaeMask mae_mask_from(const MaeMask *mask, size_t first)
{
    MaeMask rest = *mask;

    rest.ids_keep += first * mask->visible;
    rest.ids_restore += first * mask->patches;
    rest.mask += first * mask->patches;
    return rest;
}
