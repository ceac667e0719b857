#include "model/embedder.h"

#include <string.h>

#include "kernel/rows.h"

MaeEmbedSpec mae_embed_spec_autoencoder(const MaeAutoencoder *model, MaePooling pooling)
{
    return (MaeEmbedSpec){
        .encoder = &model->encoder,
        .norm = &model->norm,
        .place = MAE_EMBED_NORM_TOKENS,
        .pooling = pooling,
        .layer = model->encoder.trunk.depth,
    };
}

MaeEmbedSpec mae_embed_spec_classifier(const MaeClassifier *model)
{
    const bool mean = model->arch.pooling == MAE_POOL_MEAN;

    return (MaeEmbedSpec){
        .encoder = &model->encoder,
        .norm = &model->norm,
        .place = mean ? MAE_EMBED_NORM_POOLED : MAE_EMBED_NORM_TOKENS,
        .pooling = model->arch.pooling,
        .layer = model->encoder.trunk.depth,
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

/* All rows of a tile through the blocks, from the patches in the thread's cache. */
static void encode(const MaeEmbedder *f, size_t thread)
{
    const MaeTile tile = {0, f->tile_images, f->patches + 1};

    mae_encoder_forward(&f->encoder, &f->work, &f->caches[thread].encoder, f->w, NULL,
                        NULL, NULL, f->tile_images, tile, thread);
}

static MaeStatus rehearse(const MaeEmbedder *f, MaeError *err)
{
    const MaeGemm *gemm = f->work.compute.gemm;

    if (!mae_gemm_rehearse(gemm))
        return MAE_OK;
    encode(f, 0);
    return mae_gemm_rehearsed(gemm, err);
}

MaeStatus mae_embedder_open(MaeEmbedder *embedder, const MaeEmbedSpec *spec,
                            const float *w, const MaeCompute *compute, MaeError *err)
{
    MaeArena measure = mae_arena_measure();
    MaeEmbedder *f = embedder;

    *f = (MaeEmbedder){.spec = *spec, .encoder = *spec->encoder};
    if (spec->layer > spec->encoder->trunk.depth)
        MAE_FAIL(err, MAE_ERR_SHAPE, "layer: expected 0 to %zu, got %zu",
                 spec->encoder->trunk.depth, spec->layer);
    f->encoder.trunk.depth = spec->layer;
    f->patches = mae_patch_count(&spec->encoder->grid);
    f->tile_images = mae_work_tile_images(f->patches + 1);
    reserve(f, &measure, compute);
    MAE_TRY(mae_arena_open(&f->arena, &measure, "activations", err));
    reserve(f, &f->arena, compute);
    MAE_TRY(mae_arena_check(&f->arena, "activations", err));
    f->w = mae_weights_f32(w);
    if (f->operands.data != NULL) {
        mae_rows_enter(f->operands, NULL, w, NULL, 1, 1, operand_count(&f->encoder));
        f->w = (MaeWeights){w, f->operands.data, f->operands.type};
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

/* The feature of one image. @param x [N,D] its tokens after the last block that ran. */
static void pool_image(const MaeEmbedder *f, float *out, const float *x, size_t thread)
{
    const size_t width = f->encoder.trunk.width;
    const bool cls = f->spec.pooling == MAE_POOL_CLS;
    const bool norm = f->spec.layer == f->spec.encoder->trunk.depth;
    const size_t rows = cls ? 1 : f->patches;
    float *narrow = f->work.scratch[thread].narrow;

    x += cls ? 0 : width;
    if (norm && f->spec.place == MAE_EMBED_NORM_TOKENS) {
        normalise(f, narrow, x, rows, thread);
        x = narrow;
    }
    if (norm && f->spec.place == MAE_EMBED_NORM_POOLED) {
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

    for (size_t i = 0; i < images; i++)
        mae_patchify_conv(mae_operand_at(cache->patches, i * f->patches * values),
                          call->images + (first + i) * f->patches * values, grid, NULL,
                          f->patches);
    encode(f, thread);
    for (size_t i = 0; i < images; i++)
        pool_image(f, call->out + (first + i) * width,
                   cache->trunk.x[f->spec.layer] + i * (f->patches + 1) * width, thread);
}

void mae_embedder_run(const MaeEmbedder *embedder, float *out, const float *images,
                      size_t batch)
{
    Call call = {embedder, images, out, batch};

    mae_pool_run(embedder->work.compute.pool,
                 (batch + embedder->tile_images - 1) / embedder->tile_images, run_tile,
                 &call);
}
