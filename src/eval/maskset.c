#include "eval/maskset.h"

static void reserve(MaeMaskSet *set, MaeArena *arena)
{
    mae_mask_reserve(&set->mask, arena, set->batch);
    mae_mask_reserve_scratch(&set->scratch, &set->mask, arena);
}

MaeStatus mae_maskset_open(MaeMaskSet *set, MaeMaskKind kind, const MaePatchGrid *grid,
                           double ratio, size_t batch, MaeError *err)
{
    MaeArena measured = mae_arena_measure();
    MaeStatus status;

    *set = (MaeMaskSet){.batch = batch};
    MAE_TRY(mae_mask_define(&set->mask, kind, grid->height / grid->patch,
                            mae_patch_columns(grid), ratio, err));
    reserve(set, &measured);
    MAE_TRY(mae_arena_open(&set->arena, &measured, "masks", err));
    reserve(set, &set->arena);
    status = mae_arena_check(&set->arena, "masks", err);
    if (status != MAE_OK)
        mae_maskset_close(set);
    return status;
}

void mae_maskset_close(MaeMaskSet *set)
{
    if (set == NULL)
        return;
    mae_arena_close(&set->arena);
    *set = (MaeMaskSet){0};
}

void mae_maskset_draw(MaeMaskSet *set, uint64_t seed)
{
    for (size_t b = 0; b < set->batch; b++)
        mae_mask_draw(&set->mask, b, seed, 0, b, &set->scratch);
}

MaeMask mae_mask_from(const MaeMask *mask, size_t first)
{
    MaeMask rest = *mask;

    rest.ids_keep += first * mask->visible;
    rest.ids_restore += first * mask->patches;
    rest.mask += first * mask->patches;
    return rest;
}
