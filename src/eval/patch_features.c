#include "eval/patch_features.h"

#include <string.h>

static void choose_layers(MaePatchFeatures *p, size_t layer, size_t depth)
{
    for (size_t third = 1; third <= MAE_PATCH_LAYERS; third++) {
        const size_t at =
            layer > 0 ? layer : (depth * third + MAE_PATCH_LAYERS - 1) / MAE_PATCH_LAYERS;

        if (p->layer_count == 0 || at > p->layers[p->layer_count - 1])
            p->layers[p->layer_count++] = at;
    }
}

static float *rows_of(float *tokens, const MaePatchFeatures *p, size_t f, size_t rows,
                      size_t image)
{
    return tokens + (f * p->images + image) * rows * p->width;
}

const float *mae_patch_features_whole(const MaePatchFeatures *features, size_t f)
{
    return rows_of(features->whole, features, f, features->patches, 0);
}

const float *mae_patch_features_part(const MaePatchFeatures *features, size_t f)
{
    return rows_of(features->part, features, f, features->visible, 0);
}

static void reserve(MaePatchFeatures *p, MaeArena *arena)
{
    const size_t each = p->layer_count * p->images, row = p->width * sizeof(float);

    p->whole = mae_arena_bytes(arena, each * p->patches, row);
    p->part = mae_arena_bytes(arena, each * p->visible, row);
}

/* One image, all layers. @param out rows [rows,D] of the image in each layer. */
static void read_image(MaePatchFeatures *p, float *out, MaeTokens *tokens, size_t image,
                       const float *pixels, const uint32_t *ids)
{
    const size_t rows = tokens->tokens - 1;

    mae_tokens_start(tokens, pixels, ids);
    for (size_t f = 0; f < p->layer_count; f++) {
        while (tokens->done < p->layers[f])
            mae_tokens_step(tokens);
        memcpy(rows_of(out, p, f, rows, image), mae_tokens_now(tokens) + p->width,
               rows * p->width * sizeof *out);
    }
}

static MaeStatus read_all(MaePatchFeatures *p, const MaePatchSpec *spec,
                          const float *images, MaeTokens tokens[2], MaeError *err)
{
    const size_t pixels = p->patches * mae_patch_values(&spec->encoder->grid);
    MaeArena measure = mae_arena_measure();

    reserve(p, &measure);
    MAE_TRY(mae_arena_open(&p->arena, &measure, "patch tokens", err));
    reserve(p, &p->arena);
    MAE_TRY(
        mae_tokens_open(&tokens[0], spec->encoder, spec->w, spec->gemm, p->patches, err));
    MAE_TRY(
        mae_tokens_open(&tokens[1], spec->encoder, spec->w, spec->gemm, p->visible, err));
    for (size_t i = 0; i < p->images; i++) {
        read_image(p, p->whole, &tokens[0], i, images + i * pixels, NULL);
        read_image(p, p->part, &tokens[1], i, images + i * pixels,
                   spec->mask->ids_keep + i * p->visible);
        if (spec->watch.fn != NULL)
            spec->watch.fn(spec->watch.ctx, i + 1, p->images);
    }
    return MAE_OK;
}

MaeStatus mae_patch_features_read(MaePatchFeatures *features, const MaePatchSpec *spec,
                                  const float *images, size_t count, MaeError *err)
{
    MaeTokens tokens[2] = {0};
    MaeStatus status;

    *features = (MaePatchFeatures){.images = count,
                                   .patches = mae_patch_count(&spec->encoder->grid),
                                   .visible = spec->mask->visible,
                                   .width = spec->encoder->trunk.width};
    choose_layers(features, spec->layer, spec->encoder->trunk.depth);
    status = read_all(features, spec, images, tokens, err);
    mae_tokens_close(&tokens[0]);
    mae_tokens_close(&tokens[1]);
    if (status != MAE_OK)
        mae_patch_features_close(features);
    return status;
}

void mae_patch_features_close(MaePatchFeatures *features)
{
    if (features == NULL)
        return;
    mae_arena_close(&features->arena);
    *features = (MaePatchFeatures){0};
}
