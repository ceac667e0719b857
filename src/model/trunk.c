#include "model/trunk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "kernel/rows.h"

/* Below this many rows a product spends its time on packing the weights. */
#define TILE_ROWS 192

size_t mae_work_tile_images(size_t tokens)
{
    return (TILE_ROWS + tokens - 1) / tokens;
}

/* Of a part, see there. */
#define PART_ROWS 384

size_t mae_tile_part_images(size_t tokens)
{
    return mae_larger((PART_ROWS + tokens / 2) / tokens, 1);
}

/* Part @p index of @p parts whose sizes differ by one image at most. */
static MaeTile equal_part(MaeTile whole, size_t parts, size_t index)
{
    const size_t first = whole.images * index / parts;

    return (MaeTile){
        .image = whole.image + first,
        .images = whole.images * (index + 1) / parts - first,
        .tokens = whole.tokens,
    };
}

/* An odd tile would leave half of two threads waiting, three of five half of four. */
size_t mae_work_tiles(const MaeWork *work, size_t batch)
{
    const size_t most = work->plan.tile_images, tiles = (batch + most - 1) / most;
    const size_t step = tiles > 4 ? 4 : tiles > 1 ? 2 : 1;
    const size_t even = (tiles + step - 1) / step * step;

    return even < batch ? even : batch;
}

MaeTile mae_work_tile(const MaeWork *work, size_t batch, size_t tokens, size_t index)
{
    return equal_part((MaeTile){0, batch, tokens}, mae_work_tiles(work, batch), index);
}

bool mae_work_skips(const MaeWork *work, size_t batch, size_t index)
{
    const size_t images = mae_work_tile(work, batch, 1, index).images;

    for (size_t i = 0; mae_gemm_rehearsing(work->compute.gemm) && i < index; i++) {
        if (mae_work_tile(work, batch, 1, i).images == images)
            return true;
    }
    return false;
}

size_t mae_tile_parts(MaeTile tile)
{
    const size_t most = mae_tile_part_images(tile.tokens);

    return (tile.images + most - 1) / most;
}

MaeTile mae_tile_part(MaeTile tile, size_t index)
{
    return equal_part(tile, mae_tile_parts(tile), index);
}

float *mae_work_sums(const MaeWork *work, size_t tile)
{
    return work->sums + tile * (work->plan.sum_total - work->plan.sum_first);
}

float *mae_work_clear_sums(const MaeWork *work, size_t tile)
{
    const size_t first = work->plan.sum_first;
    float *sums = mae_work_sums(work, tile);

    memset(sums + first, 0, (work->plan.sum_total - first) * sizeof *sums);
    return sums;
}

void mae_work_reserve(MaeWork *work, MaeArena *arena, const MaeWorkPlan *plan,
                      const MaeCompute *compute)
{
    const size_t threads = mae_pool_threads(compute->pool);
    MaeBlockSizes part[3] = {plan->trunks[0], plan->trunks[1], plan->trunks[1]};
    MaeBlockScratch unused;
    size_t width = 0;

    *work = (MaeWork){.compute = *compute, .plan = *plan};
    for (size_t i = 0; i < plan->trunk_count; i++) {
        const size_t floats = plan->batch * part[i].tokens * part[i].width;
        const size_t most = mae_tile_part_images(part[i].tokens);

        width = floats > width ? floats : width;
        part[i].images = plan->tile_images < most ? plan->tile_images : most;
    }
    /* A tile's rows on the way from the first trunk to the second. */
    part[2].images = plan->tile_images;
    part[2].tokens = plan->trunks[0].tokens;
    part[2].hidden = 0;
    work->scratch = mae_arena_bytes(arena, threads, sizeof *work->scratch);
    for (size_t i = 0; i < threads; i++) {
        MaeBlockScratch *scratch = work->scratch != NULL ? &work->scratch[i] : &unused;

        mae_block_reserve_scratch(scratch, arena, part, plan->trunk_count > 1 ? 3 : 1);
        scratch->lap = mae_compute_lap(compute, i);
    }
    if (plan->keep == MAE_KEEP_NOTHING)
        return;
    work->sums = mae_arena_floats(arena, plan->sum_first +
                                             mae_work_tiles(work, plan->batch) *
                                                 (plan->sum_total - plan->sum_first));
    if (plan->frozen)
        return;
    mae_block_reserve_grads(&work->grads, arena, plan->trunks, plan->trunk_count,
                            plan->drop_path);
    work->dx[0] = mae_arena_floats(arena, width);
    work->dx[1] = mae_arena_floats(arena, width);
}

typedef struct Combine {
    const MaeWork *work;
    const MaeGradFront *front;
    size_t first; /* parameter */
} Combine;

static void combine_param(void *ctx, size_t index, size_t thread)
{
    const Combine *combine = ctx;
    const MaeGradFront *front = combine->front;
    const MaeParamEntry *entry = &front->table->entries[combine->first + index];
    const size_t tiles = mae_work_tiles(combine->work, front->batch);

    (void)thread;
    if (!(entry->flags & MAE_PARAM_ROWSUM) || (entry->flags & MAE_PARAM_FIXED))
        return;
    if (front->use == MAE_GRAD_SET)
        memset(front->dw + entry->at.off, 0, entry->at.count * sizeof *front->dw);
    for (size_t t = 0; t < tiles; t++)
        mae_rows_add(front->dw + entry->at.off,
                     mae_work_sums(combine->work, t) + entry->at.sum, entry->at.count);
}

/* Parameters that begin before an offset. */
static size_t params_before(const MaeParamTable *table, size_t offset)
{
    size_t p = table->count;

    while (p > 0 && table->entries[p - 1].at.off >= offset)
        p--;
    return p;
}

void mae_work_advance(const MaeWork *work, MaeGradFront *front, size_t from)
{
    Combine combine = {work, front, params_before(front->table, from)};
    const size_t end = params_before(front->table, front->from);

    assert(from <= front->from);
    mae_pool_run(work->compute.pool, end - combine.first, combine_param, &combine);
    front->from = from;
    if (work->compute.ready != NULL)
        work->compute.ready(work->compute.ready_ctx, from);
}

void mae_work_offer(const MaeWork *work, MaeGradFront *front, size_t from)
{
    if (work->compute.ready != NULL)
        mae_work_advance(work, front, from);
}

MaeStatus mae_trunk_define(MaeTrunk *trunk, MaeParamTable *table, const char *prefix,
                           size_t width, size_t depth, size_t heads, size_t hidden,
                           MaeError *err)
{
    char scope[MAE_PARAM_NAME];

    *trunk = (MaeTrunk){.depth = depth, .width = width, .heads = heads, .hidden = hidden};
    trunk->blocks = calloc(depth > 0 ? depth : 1, sizeof *trunk->blocks);
    if (trunk->blocks == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu blocks", prefix, depth);
    for (size_t i = 0; i < depth; i++) {
        (void)snprintf(scope, sizeof scope, "%s.%zu", prefix, i);
        mae_block_define(&trunk->blocks[i], table, scope, width, heads, hidden);
    }
    return MAE_OK;
}

void mae_trunk_done(MaeTrunk *trunk)
{
    if (trunk == NULL)
        return;
    free(trunk->blocks);
    *trunk = (MaeTrunk){0};
}

void mae_trunk_init(const MaeTrunk *trunk, float *w, MaeRng *rng)
{
    for (size_t i = 0; i < trunk->depth; i++)
        mae_block_init(&trunk->blocks[i], w, rng);
}

size_t mae_trunk_first(const MaeTrunk *trunk)
{
    return (trunk->frozen + 1) / 2;
}

/* Only the MLP of block mae_trunk_first() - 1 is trained. */
static bool trains_half(const MaeTrunk *trunk)
{
    return trunk->frozen % 2 != 0;
}

/* Whether block @p index is the last one and not all rows leave it. */
static bool ends_rows(const MaeTrunk *trunk, const MaeTrunkCache *cache, size_t index)
{
    return index + 1 == trunk->depth && cache->leave != NULL;
}

/* The last block's part of the cache where its MLP has fewer rows than its attention. */
static void reserve_end(MaeTrunkCache *cache, MaeArena *arena, const MaeBlockSizes *sizes)
{
    MaeBlockSizes end = *sizes;

    end.tokens = cache->leaving;
    cache->leave =
        mae_arena_bytes(arena, sizes->images * cache->leaving, sizeof *cache->leave);
    mae_block_reserve_mlp(&cache->end, arena, &end);
}

void mae_trunk_reserve(const MaeTrunk *trunk, MaeTrunkCache *cache, MaeArena *arena,
                       size_t batch, size_t tokens, size_t leaving, MaeDtype operand,
                       MaeKeep keep)
{
    const MaeBlockSizes sizes = {batch,
                                 tokens,
                                 trunk->width,
                                 trunk->hidden,
                                 trunk->heads,
                                 operand,
                                 keep == MAE_KEEP_NOTHING};
    const size_t streams = trunk->depth + 1, first = mae_trunk_first(trunk);
    const bool ends = leaving < tokens;

    assert(!ends || (trunk->depth > 0 && trunk->frozen == 0));
    *cache = (MaeTrunkCache){.leaving = leaving};
    if (ends)
        reserve_end(cache, arena, &sizes);
    cache->blocks = mae_arena_bytes(arena, streams, sizeof *cache->blocks);
    cache->x = mae_arena_bytes(arena, streams, sizeof *cache->x);
    for (size_t i = 0; i < streams; i++) {
        const bool own_x = i >= first && (keep != MAE_KEEP_NOTHING || i < first + 2 ||
                                          (ends && i == trunk->depth));
        const bool own = i >= first && (keep == MAE_KEEP_ALL || i == first);
        const size_t rows = batch * (i < trunk->depth ? tokens : leaving);
        float *x = own_x ? mae_arena_floats(arena, rows * trunk->width) : NULL;
        MaeBlockCache block = {0};

        if (i + 1 == trunk->depth && own && ends) {
            mae_block_reserve_attention(&block, arena, &sizes);
            block.x1 = mae_arena_floats(arena, rows * trunk->width);
        } else if (i < trunk->depth && own)
            mae_block_reserve(&block, arena, &sizes);
        else if (i + 1 == first && trains_half(trunk))
            mae_block_reserve_mlp(&block, arena, &sizes);
        if (cache->x == NULL || cache->blocks == NULL)
            continue;
        cache->x[i] = own_x || i < first ? x : cache->x[i - 2];
        cache->blocks[i] = own || i < first ? block : cache->blocks[first];
    }
}

/* The MLP of the last block that is not trained as a whole. */
static void forward_half(const MaeTrunk *trunk, const MaeWork *work,
                         const MaeTrunkCache *cache, MaeWeights w, const float *scales,
                         size_t batch, MaeTile tile, size_t thread)
{
    const size_t first = mae_trunk_first(trunk), last = first - 1;
    const float *s = scales != NULL ? scales + (2 * last + 1) * batch : NULL;

    for (size_t part = 0; part < mae_tile_parts(tile); part++)
        mae_block_forward_mlp(&trunk->blocks[last],
                              mae_gemm_thread(work->compute.gemm, thread),
                              cache->x[first], &cache->blocks[last],
                              &work->scratch[thread], w, s, mae_tile_part(tile, part));
}

/* Rows of the part that leave the last block. */
static MaeTile leaving_of(const MaeTrunkCache *cache, MaeTile part)
{
    return (MaeTile){part.image, part.images, cache->leaving};
}

/* The part's rows of x1 that leave, side by side for the MLP. */
static void gather_end(const MaeTrunk *trunk, const MaeTrunkCache *cache, MaeTile part)
{
    const size_t width = trunk->width, last = trunk->depth - 1;

    for (size_t i = part.image; i < part.image + part.images; i++) {
        const float *x1 = cache->blocks[last].x1 + i * part.tokens * width;

        for (size_t m = i * cache->leaving; m < (i + 1) * cache->leaving; m++)
            memcpy(cache->end.x1 + m * width, x1 + cache->leave[m] * width,
                   width * sizeof *x1);
    }
}

/* A block on a part of a tile. @param scales [2,batch] its own, or NULL. */
static void forward_block(const MaeTrunk *trunk, const MaeWork *work,
                          const MaeTrunkCache *cache, size_t index, MaeWeights w,
                          const float *scales, size_t batch, MaeTile part, size_t thread)
{
    const MaeBlock *block = &trunk->blocks[index];
    const MaeBlockCache *own = &cache->blocks[index];
    const MaeGemm *gemm = mae_gemm_thread(work->compute.gemm, thread);
    const MaeBlockScratch *scratch = &work->scratch[thread];
    float *x = cache->x[index], *out = cache->x[index + 1];

    if (!ends_rows(trunk, cache, index)) {
        mae_block_forward(block, gemm, out, own, scratch, x, w, scales, batch, part);
        return;
    }
    mae_block_forward_attention(block, gemm, own->x1, own, scratch, x, w, scales, part);
    gather_end(trunk, cache, part);
    mae_block_forward_mlp(block, gemm, out, &cache->end, scratch, w,
                          scales != NULL ? scales + batch : NULL,
                          leaving_of(cache, part));
}

void mae_trunk_forward(const MaeTrunk *trunk, const MaeWork *work,
                       const MaeTrunkCache *cache, MaeWeights w, const float *scales,
                       size_t batch, MaeTile tile, size_t thread)
{
    if (trains_half(trunk))
        forward_half(trunk, work, cache, w, scales, batch, tile, thread);
    for (size_t i = mae_trunk_first(trunk); i < trunk->depth; i++)
        for (size_t part = 0; part < mae_tile_parts(tile); part++)
            forward_block(trunk, work, cache, i, w,
                          scales != NULL ? scales + 2 * i * batch : NULL, batch,
                          mae_tile_part(tile, part), thread);
}

typedef struct BlockBackward {
    const MaeTrunk *trunk;
    const MaeWork *work;
    const MaeTrunkCache *cache;
    MaeWeights w;
    const float *scales, *dout;
    float *dx;
    size_t index, batch, tokens;
    bool half; /* only the MLP; scales are its own */
} BlockBackward;

/*
 * The last block where some rows leave only. The gradient of x1 of those lies in front of
 * the part's own rows of dx, which come last; of the others it is 0.
 */
static void backward_end(const BlockBackward *b, float *sums, MaeTile part, size_t thread)
{
    const MaeWork *work = b->work;
    const MaeBlock *block = &b->trunk->blocks[b->index];
    const MaeGemm *gemm = mae_gemm_thread(work->compute.gemm, thread);
    const MaeBlockScratch *scratch = &work->scratch[thread];
    const size_t width = b->trunk->width, leaving = b->cache->leaving;
    const size_t first = part.image * part.tokens * width;
    const uint32_t *leave = b->cache->leave + part.image * leaving;
    MaeBlockGrads grads = work->grads;
    float *all = grads.dx1 + first;

    grads.dx1 = b->dx + part.image * (part.tokens - leaving) * width;
    mae_block_backward_mlp(block, gemm, sums, &grads, scratch, b->dout, &b->cache->end,
                           b->w, b->scales != NULL ? b->scales + b->batch : NULL,
                           leaving_of(b->cache, part));
    memset(all, 0, part.images * part.tokens * width * sizeof *all);
    for (size_t m = 0; m < part.images * leaving; m++)
        memcpy(all + (m / leaving * part.tokens + leave[m]) * width,
               b->dx + first + m * width, width * sizeof *all);
    mae_block_backward_attention(block, gemm, b->dx, sums, &work->grads, scratch,
                                 b->cache->x[b->index], &b->cache->blocks[b->index], b->w,
                                 b->scales, part);
}

static void backward_part(const BlockBackward *b, float *sums, MaeTile part,
                          size_t thread)
{
    const MaeWork *work = b->work;
    const MaeBlock *block = &b->trunk->blocks[b->index];
    const MaeGemm *gemm = mae_gemm_thread(work->compute.gemm, thread);
    const MaeBlockCache *cache = &b->cache->blocks[b->index];
    const MaeBlockScratch *scratch = &work->scratch[thread];
    const float *x = b->cache->x[b->index];

    if (b->half) {
        mae_block_backward_mlp(block, gemm, sums, &work->grads, scratch, b->dout, cache,
                               b->w, b->scales, part);
        return;
    }
    if (work->plan.keep == MAE_KEEP_INPUTS)
        forward_block(b->trunk, work, b->cache, b->index, b->w, b->scales, b->batch, part,
                      thread);
    if (ends_rows(b->trunk, b->cache, b->index)) {
        backward_end(b, sums, part, thread);
        return;
    }
    mae_block_backward(block, gemm, b->dx, sums, &work->grads, scratch, b->dout, x, cache,
                       b->w, b->scales, b->batch, part);
}

static void backward_tile(void *ctx, size_t index, size_t thread)
{
    const BlockBackward *b = ctx;
    const MaeWork *work = b->work;
    const MaeTile tile = mae_work_tile(work, b->batch, b->tokens, index);

    if (mae_work_skips(work, b->batch, index))
        return;
    mae_lap(work->scratch[thread].lap, MAE_LAP_WAIT);
    for (size_t part = 0; part < mae_tile_parts(tile); part++) {
        backward_part(b, mae_work_sums(work, index), mae_tile_part(tile, part), thread);
        mae_compute_poll(&work->compute, thread);
    }
}

/* The MLP of the last block that is not trained as a whole: where backward ends. */
static void backward_half(const MaeTrunk *trunk, const MaeWork *work,
                          const MaeGradFront *front, const float *dout,
                          const MaeTrunkCache *cache, MaeWeights w, const float *scales,
                          size_t tokens)
{
    const size_t batch = front->batch;
    const size_t last = mae_trunk_first(trunk) - 1;
    const float *s = scales != NULL ? scales + (2 * last + 1) * batch : NULL;
    BlockBackward block = {trunk, work, cache, w,      s,   dout,
                           NULL,  last, batch, tokens, true};

    mae_pool_run(work->compute.pool, mae_work_tiles(work, batch), backward_tile, &block);
    mae_block_weight_grads_mlp(&trunk->blocks[last], &work->compute, front->dw,
                               front->use, &work->grads, dout, &cache->blocks[last], s,
                               batch * tokens);
}

/* Of block @p index. @param scales [2,batch] its own, or NULL. */
static void weight_grads(const MaeTrunk *trunk, const MaeWork *work,
                         const MaeGradFront *front, size_t index, const float *dout,
                         const MaeTrunkCache *cache, const float *scales, size_t tokens)
{
    const bool ends = ends_rows(trunk, cache, index);
    const MaeBlockCache *own = &cache->blocks[index];

    mae_block_weight_grads(&trunk->blocks[index], &work->compute, front->dw, front->use,
                           &work->grads, dout, own, ends ? &cache->end : own, scales,
                           front->batch * tokens,
                           front->batch * (ends ? cache->leaving : tokens));
}

float *mae_trunk_backward(const MaeTrunk *trunk, const MaeWork *work, MaeGradFront *front,
                          float *dout, const MaeTrunkCache *cache, MaeWeights w,
                          const float *scales, size_t tokens)
{
    const size_t batch = front->batch;
    float *dx = dout == work->dx[0] ? work->dx[1] : work->dx[0];

    assert(dout == work->dx[0] || dout == work->dx[1]);
    for (size_t i = trunk->depth; i-- > mae_trunk_first(trunk);) {
        const float *s = scales != NULL ? scales + 2 * i * batch : NULL;
        BlockBackward block = {trunk, work, cache, w,      s,    dout,
                               dx,    i,    batch, tokens, false};
        float *used = dout;

        mae_pool_run(work->compute.pool, mae_work_tiles(work, batch), backward_tile,
                     &block);
        weight_grads(trunk, work, front, i, dout, cache, s, tokens);
        mae_work_offer(work, front, mae_block_offset(&trunk->blocks[i]));
        dout = dx;
        dx = used;
    }
    if (trains_half(trunk))
        backward_half(trunk, work, front, dout, cache, w, scales, tokens);
    return dout;
}
