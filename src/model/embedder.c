#include "model/embedder.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/pages.h"
#include "base/size.h"
#include "kernel/rows.h"

/* Blocks that have run before the patches are embedded. */
#define NOTHING SIZE_MAX

MaeEmbedSpec mae_embed_spec_autoencoder(const MaeAutoencoder *model, MaePooling pooling)
{
    return (MaeEmbedSpec){
        .encoder = &model->encoder,
        .norm = &model->norm,
        .features = {{model->encoder.trunk.depth, pooling, MAE_EMBED_NORM_TOKENS}},
        .count = 1,
    };
}

MaeEmbedSpec mae_embed_spec_classifier(const MaeClassifier *model)
{
    const MaePooling pooling = model->arch.pooling;

    return (MaeEmbedSpec){
        .encoder = &model->encoder,
        .norm = &model->norm,
        .features = {{model->encoder.trunk.depth, pooling,
                      pooling == MAE_POOL_MEAN ? MAE_EMBED_NORM_POOLED
                                               : MAE_EMBED_NORM_TOKENS}},
        .count = 1,
    };
}

/* Elements of the flat weights that are operands: the encoder comes first in a table. */
static size_t operand_count(const MaeEncoder *encoder)
{
    const MaeTrunk *trunk = &encoder->trunk;
    const MaeParam last = trunk->depth > 0 ? trunk->blocks[trunk->depth - 1].fc2.weight
                                           : encoder->patch.weight;

    return last.off + last.count;
}

size_t mae_embedder_weight_bytes(const MaeEmbedder *embedder)
{
    return embedder->operands.data == NULL ? 0
                                           : operand_count(&embedder->encoder) *
                                                 mae_dtype_size(embedder->operands.type);
}

static void reserve(MaeEmbedder *f, MaeArena *arena, const MaeCompute *compute)
{
    const MaeTrunk *trunk = &f->encoder.trunk;
    const MaeDtype type = mae_gemm_operand(compute->gemm);
    const size_t tokens = f->patches + 1, threads = mae_pool_threads(compute->pool);
    const MaeWorkPlan plan = {
        .batch = f->tile_images,
        .tile_images = f->tile_images,
        .trunk_count = 1,
        .trunks = {{f->tile_images, tokens, trunk->width, trunk->hidden, trunk->heads,
                    type}},
    };

    mae_work_reserve(&f->work, arena, &plan, compute);
    f->caches = mae_arena_bytes(arena, threads, sizeof *f->caches);
    for (size_t i = 0; i < threads; i++) {
        MaeEmbedCache cache;

        mae_encoder_reserve(&f->encoder, &cache.encoder, arena, f->tile_images,
                            f->patches, type, MAE_KEEP_NOTHING);
        mae_layernorm_reserve(&cache.norm, arena, tokens);
        if (f->caches != NULL)
            f->caches[i] = cache;
    }
    f->operands = (MaeOperand){NULL, type};
    if (type != MAE_F32)
        f->operands = mae_operand_carve(arena, type, operand_count(&f->encoder));
}

/*
 * All rows of a tile through the blocks up to @p layer: from the patches in the thread's
 * cache if @p done is none, else from where @p *done blocks have run.
 */
static void encode(const MaeEmbedder *f, size_t *done, size_t layer, size_t thread)
{
    const MaeTile tile = {0, f->tile_images, f->patches + 1};
    const MaeEncoderCache *cache = &f->caches[thread].encoder;
    MaeEncoder encoder = f->encoder;

    if (*done == NOTHING) {
        encoder.trunk.depth = layer;
        mae_encoder_forward(&encoder, &f->work, cache, f->w, NULL, NULL, NULL,
                            f->tile_images, tile, thread);
    } else {
        const MaeTrunkCache rest = {.blocks = cache->trunk.blocks + *done,
                                    .x = cache->trunk.x + *done};

        encoder.trunk.blocks += *done;
        encoder.trunk.depth = layer - *done;
        mae_trunk_forward(&encoder.trunk, &f->work, &rest, f->w, NULL, f->tile_images,
                          tile, thread);
    }
    *done = layer;
}

/* Linear layer @p index of the encoder: that of patches, then four of each block. */
static const MaeLinear *layer_of(const MaeEncoder *encoder, size_t index)
{
    const MaeBlock *block = &encoder->trunk.blocks[index > 0 ? (index - 1) / 4 : 0];
    const MaeLinear *const layers[] = {&block->qkv, &block->proj, &block->fc1,
                                       &block->fc2};

    return index > 0 ? layers[(index - 1) % 4] : &encoder->patch;
}

static void *operand_of(const MaeEmbedder *f, const MaeLinear *layer)
{
    return mae_operand_at(f->operands, layer->weight.off).data;
}

/* Bring all linear layers' operands into the order of the products, if all can be. */
static MaeStatus pack(MaeEmbedder *f, MaeError *err)
{
    const MaeGemm *gemm = f->work.compute.gemm;
    const size_t count = 1 + 4 * f->encoder.trunk.depth;
    const size_t size = mae_dtype_size(f->operands.type);
    size_t largest = 0;
    void *scratch;

    for (size_t i = 0; i < count; i++) {
        const MaeLinear *layer = layer_of(&f->encoder, i);

        if (!mae_gemm_packs(gemm, operand_of(f, layer), layer->out, layer->in))
            return MAE_OK;
        largest = mae_larger(largest, layer->weight.count * size);
    }
    scratch = mae_pages_alloc(largest);
    if (scratch == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "embedder: cannot allocate %zu bytes", largest);
    for (size_t i = 0; i < count; i++) {
        const MaeLinear *layer = layer_of(&f->encoder, i);

        mae_gemm_pack(gemm, operand_of(f, layer), layer->out, layer->in, scratch);
    }
    mae_pages_free(scratch, largest);
    f->w.packed = true;
    return MAE_OK;
}

static MaeStatus rehearse(const MaeEmbedder *f, MaeError *err)
{
    const MaeGemm *gemm = f->work.compute.gemm;
    size_t done = NOTHING;

    if (!mae_gemm_rehearse(gemm))
        return MAE_OK;
    encode(f, &done, f->encoder.trunk.depth, 0);
    return mae_gemm_rehearsed(gemm, err);
}

MaeStatus mae_embedder_open(MaeEmbedder *embedder, const MaeEmbedSpec *spec,
                            const float *w, const MaeCompute *compute, MaeError *err)
{
    MaeArena measure = mae_arena_measure();
    MaeEmbedder *f = embedder;

    *f = (MaeEmbedder){.spec = *spec, .encoder = *spec->encoder};
    assert(spec->count > 0 && spec->count <= MAE_EMBED_FEATURES);
    for (size_t i = 0; i < spec->count; i++) {
        const size_t layer = spec->features[i].layer;

        assert(i == 0 || layer >= spec->features[i - 1].layer);
        if (layer > spec->encoder->trunk.depth)
            MAE_FAIL(err, MAE_ERR_SHAPE, "layer: expected 0 to %zu, got %zu",
                     spec->encoder->trunk.depth, layer);
    }
    f->encoder.trunk.frozen = 0; /* nothing is trained here */
    f->encoder.trunk.depth = spec->features[spec->count - 1].layer;
    f->patches = mae_patch_count(&spec->encoder->grid);
    f->tile_images = mae_work_tile_images(f->patches + 1);
    reserve(f, &measure, compute);
    MAE_TRY(mae_arena_open(&f->arena, &measure, "activations", err));
    reserve(f, &f->arena, compute);
    MAE_TRY(mae_arena_check(&f->arena, "activations", err));
    f->w = mae_weights_f32(w);
    if (f->operands.data != NULL) {
        mae_rows_enter(f->operands, NULL, w, NULL, 1, 1, operand_count(&f->encoder));
        f->w =
            (MaeWeights){.f32 = w, .operand = f->operands.data, .type = f->operands.type};
        MAE_TRY(pack(f, err));
    }
    mae_gemm_hold(compute->gemm, f->w.operand,
                  operand_count(&f->encoder) * mae_dtype_size(f->w.type));
    return rehearse(f, err);
}

void mae_embedder_close(MaeEmbedder *embedder)
{
    if (embedder == NULL)
        return;
    if (embedder->w.operand != NULL)
        mae_gemm_release(embedder->work.compute.gemm, embedder->w.operand);
    mae_arena_close(&embedder->arena);
    *embedder = (MaeEmbedder){0};
}

static void normalise(const MaeEmbedder *f, float *y, const float *x, size_t rows,
                      size_t thread)
{
    mae_layernorm_forward(f->spec.norm, mae_operand_f32(y), &f->caches[thread].norm, x,
                          f->w, 0, rows);
}

/* @param x [rows,D] the tokens that count: the class token, or all patches. */
static void pool_rows(float *pooled, const float *x, size_t rows, size_t width)
{
    memset(pooled, 0, width * sizeof *pooled);
    mae_rows_colsum(pooled, mae_operand_view(x), rows, width, width);
    mae_rows_scale(pooled, 1.0f / (float)rows, width);
}

/* One feature of one image. @param x [N,D] its tokens after the last block that ran. */
static void pool_image(const MaeEmbedder *f, const MaeEmbedFeature *feature, float *out,
                       const float *x, size_t thread)
{
    const size_t width = f->encoder.trunk.width;
    const bool cls = feature->pooling == MAE_POOL_CLS;
    const bool last = feature->layer == f->spec.encoder->trunk.depth;
    const MaeEmbedNorm norm = last ? feature->norm : MAE_EMBED_NORM_NONE;
    const size_t rows = cls ? 1 : f->patches;
    float *narrow = f->work.scratch[thread].narrow;

    x += cls ? 0 : width;
    if (norm == MAE_EMBED_NORM_TOKENS) {
        normalise(f, narrow, x, rows, thread);
        x = narrow;
    }
    if (norm == MAE_EMBED_NORM_POOLED) {
        pool_rows(narrow, x, rows, width);
        normalise(f, out, narrow, 1, thread);
        return;
    }
    pool_rows(out, x, rows, width);
}

typedef struct Call {
    const MaeEmbedder *embedder;
    const float *images;
    float *out;
    size_t batch;
} Call;

static void run_tile(void *ctx, size_t index, size_t thread)
{
    const Call *call = ctx;
    const MaeEmbedder *f = call->embedder;
    const MaePatchGrid *grid = &f->encoder.grid;
    const size_t values = mae_patch_values(grid), width = f->encoder.trunk.width;
    const MaeEncoderCache *cache = &f->caches[thread].encoder;
    const size_t first = index * f->tile_images, left = call->batch - first;
    const size_t images = left < f->tile_images ? left : f->tile_images;
    const size_t count = f->spec.count;
    size_t done = NOTHING;

    for (size_t i = 0; i < images; i++)
        mae_patchify_conv(mae_operand_at(cache->patches, i * f->patches * values),
                          call->images + (first + i) * f->patches * values, grid, NULL,
                          f->patches);
    for (size_t n = 0; n < count; n++) {
        const MaeEmbedFeature *feature = &f->spec.features[n];

        if (done != feature->layer)
            encode(f, &done, feature->layer, thread);
        for (size_t i = 0; i < images; i++)
            pool_image(f, feature, call->out + ((first + i) * count + n) * width,
                       cache->trunk.x[done] + i * (f->patches + 1) * width, thread);
    }
}

void mae_embedder_run(const MaeEmbedder *embedder, float *out, const float *images,
                      size_t batch)
{
    Call call = {embedder, images, out, batch};

    mae_pool_run(embedder->work.compute.pool,
                 (batch + embedder->tile_images - 1) / embedder->tile_images, run_tile,
                 &call);
}
