#include "eval/attention_maps.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernel/rows.h"

static void reserve(MaeAttentionMaps *m, MaeArena *arena)
{
    const size_t n = m->patches + 1;

    m->maps = mae_arena_floats(arena, m->heads * m->patches);
    m->rollout = mae_arena_floats(arena, m->patches);
    m->one = mae_arena_bytes(arena, n, n * sizeof *m->one);
    m->means = mae_arena_bytes(arena, m->layer * n, n * sizeof *m->means);
    m->row = mae_arena_bytes(arena, 2 * n, sizeof *m->row);
}

MaeStatus mae_attention_maps_open(MaeAttentionMaps *maps, const MaeEncoder *encoder,
                                  const float *w, const MaeGemm *gemm, size_t layer,
                                  MaePooling query, MaeError *err)
{
    MaeArena measure = mae_arena_measure();

    assert(layer > 0 && layer <= encoder->trunk.depth);
    *maps = (MaeAttentionMaps){.patches = mae_patch_count(&encoder->grid),
                               .heads = encoder->trunk.heads,
                               .query = query,
                               .layer = layer};
    reserve(maps, &measure);
    MAE_TRY(mae_arena_open(&maps->arena, &measure, "attention maps", err));
    reserve(maps, &maps->arena);
    MAE_TRY(mae_tokens_open(&maps->tokens, encoder, w, gemm, maps->patches, err));
    return mae_arena_check(&maps->arena, "attention maps", err);
}

void mae_attention_maps_close(MaeAttentionMaps *maps)
{
    if (maps == NULL)
        return;
    mae_tokens_close(&maps->tokens);
    mae_arena_close(&maps->arena);
    *maps = (MaeAttentionMaps){0};
}

/* Weights of the tokens in the query. */
static double asks(const MaeAttentionMaps *m, size_t token)
{
    if (m->query == MAE_POOL_CLS)
        return token == 0 ? 1.0 : 0.0;
    return token == 0 ? 0.0 : 1.0 / (double)m->patches;
}

/* @param[out] map [L].  @param attention [N,N]. */
static void ask(const MaeAttentionMaps *m, float *map, const float *attention)
{
    const size_t n = m->patches + 1;

    for (size_t to = 1; to < n; to++) {
        double sum = 0.0;

        for (size_t from = 0; from < n; from++)
            sum += asks(m, from) * (double)attention[from * n + to];
        map[to - 1] = (float)sum;
    }
}

void mae_attention_rollout(double *row, const float *means, size_t layers, size_t tokens)
{
    double *next = row + tokens;

    for (size_t l = layers; l-- > 0;) {
        memset(next, 0, tokens * sizeof *next);
        for (size_t from = 0; from < tokens; from++) {
            const float *a = means + (l * tokens + from) * tokens;
            double sum = 1.0;

            for (size_t to = 0; to < tokens; to++)
                sum += (double)a[to];
            for (size_t to = 0; to < tokens; to++)
                next[to] += row[from] * (double)a[to] / sum;
            next[from] += row[from] / sum;
        }
        memcpy(row, next, tokens * sizeof *row);
    }
}

MaeStatus mae_attention_maps_run(MaeAttentionMaps *maps, const float *image,
                                 MaeError *err)
{
    MaeAttentionMaps *m = maps;
    const size_t n = m->patches + 1;

    mae_tokens_start(&m->tokens, image, NULL);
    memset(m->means, 0, m->layer * n * n * sizeof *m->means);
    for (size_t l = 0; l < m->layer; l++) {
        mae_tokens_step(&m->tokens);
        for (size_t h = 0; h < m->heads; h++) {
            mae_tokens_attention(&m->tokens, m->one, h);
            mae_rows_add(m->means + l * n * n, m->one, n * n);
            if (l + 1 == m->layer)
                ask(m, m->maps + h * m->patches, m->one);
        }
        mae_rows_scale(m->means + l * n * n, 1.0f / (float)m->heads, n * n);
    }
    for (size_t i = 0; i < n; i++)
        m->row[i] = asks(m, i);
    mae_attention_rollout(m->row, m->means, m->layer, n);
    for (size_t l = 0; l < m->patches; l++) {
        m->rollout[l] = (float)m->row[1 + l];
        if (!isfinite(m->rollout[l]))
            MAE_FAIL(err, MAE_ERR_NUMERIC, "attention of patch %zu is %g", l,
                     m->row[1 + l]);
    }
    return MAE_OK;
}
