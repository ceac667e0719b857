#include "nn/layernorm.h"

#include <assert.h>

#include "kernel/rows.h"

void mae_layernorm_define(MaeLayerNorm *ln, MaeParamTable *table, const char *scope,
                          size_t width)
{
    assert(width > 0);
    *ln = (MaeLayerNorm){
        .gamma = mae_param_add(table, scope, "weight", width, MAE_PARAM_NO_DECAY),
        .beta = mae_param_add(table, scope, "bias", width, MAE_PARAM_NO_DECAY),
        .width = width,
    };
}

void mae_layernorm_reserve(MaeLayerNormCache *cache, MaeArena *arena, size_t rows)
{
    cache->mean = mae_arena_floats(arena, rows);
    cache->rstd = mae_arena_floats(arena, rows);
}

void mae_layernorm_init(const MaeLayerNorm *ln, float *w)
{
    for (size_t i = 0; i < ln->width; i++) {
        w[ln->gamma.off + i] = 1.0f;
        w[ln->beta.off + i] = 0.0f;
    }
}

void mae_layernorm_forward(const MaeLayerNorm *ln, MaeOperand y,
                           const MaeLayerNormCache *cache, const float *x, MaeWeights w,
                           size_t row0, size_t rows)
{
    mae_rows_layernorm(y, cache->mean + row0, cache->rstd + row0, x,
                       w.f32 + ln->gamma.off, w.f32 + ln->beta.off, rows, ln->width,
                       MAE_LAYERNORM_EPS);
}

void mae_layernorm_backward(const MaeLayerNorm *ln, float *dx, MaeOperand y, float *sums,
                            const float *dy, const float *dres, const float *x,
                            const MaeLayerNormCache *cache, MaeWeights w, size_t row0,
                            size_t rows)
{
    mae_rows_layernorm_grad(dx, y, sums + ln->gamma.sum, sums + ln->beta.sum, dres, dy, x,
                            cache->mean + row0, cache->rstd + row0, w.f32 + ln->gamma.off,
                            w.f32 + ln->beta.off, rows, ln->width);
}
