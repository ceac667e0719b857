#include "nn/batchnorm.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static MaeParam add(MaeParamTable *table, const char *scope, const char *name, size_t n)
{
    return mae_param_add_shape(table, scope, name, 1, &n,
                               MAE_PARAM_FIXED | MAE_PARAM_TRACKED | MAE_PARAM_NO_DECAY);
}

void mae_batchnorm_define(MaeBatchNorm *bn, MaeParamTable *table, const char *scope,
                          size_t width)
{
    assert(width > 0);
    *bn = (MaeBatchNorm){
        .mean = add(table, scope, "running_mean", width),
        .var = add(table, scope, "running_var", width),
        .batches = add(table, scope, "num_batches_tracked", 1),
        .width = width,
    };
}

void mae_batchnorm_reserve(MaeBatchNormCache *cache, MaeArena *arena, size_t width)
{
    cache->mean = mae_arena_bytes(arena, width, sizeof *cache->mean);
    cache->var = mae_arena_bytes(arena, width, sizeof *cache->var);
    cache->sums = mae_arena_bytes(arena, 2 * width, sizeof *cache->sums);
}

void mae_batchnorm_init(const MaeBatchNorm *bn, float *w)
{
    for (size_t i = 0; i < bn->width; i++) {
        w[bn->mean.off + i] = 0.0f;
        w[bn->var.off + i] = 1.0f;
    }
    w[bn->batches.off] = 0.0f;
}

static void sum_over(const MaePeers *peers, double *x, size_t n)
{
    if (peers != NULL)
        peers->sum(peers->ctx, x, n);
}

/* Two passes: E[x^2] - E[x]^2 cancels badly when |mean| >> std. */
static void batch_stats(MaeBatchNormCache *cache, const float *x, size_t rows,
                        size_t width, const MaePeers *peers)
{
    cache->rows = (double)rows * (peers != NULL ? (double)peers->count : 1.0);
    memset(cache->mean, 0, width * sizeof *cache->mean);
    memset(cache->var, 0, width * sizeof *cache->var);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++)
            cache->mean[i] += (double)x[r * width + i];
    sum_over(peers, cache->mean, width);
    for (size_t i = 0; i < width; i++)
        cache->mean[i] /= cache->rows;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++) {
            const double d = (double)x[r * width + i] - cache->mean[i];

            cache->var[i] += d * d;
        }
    sum_over(peers, cache->var, width);
    for (size_t i = 0; i < width; i++)
        cache->var[i] /= cache->rows;
}

static double rstd_of(double var)
{
    return 1.0 / sqrt(var + MAE_BATCHNORM_EPS);
}

void mae_batchnorm_forward(const MaeBatchNorm *bn, float *y, MaeBatchNormCache *cache,
                           const float *x, size_t rows, const MaePeers *peers)
{
    double *rstd = cache->sums;

    assert(rows > 0);
    batch_stats(cache, x, rows, bn->width, peers);
    for (size_t i = 0; i < bn->width; i++)
        rstd[i] = rstd_of(cache->var[i]);
    for (size_t r = 0; r < rows; r++, x += bn->width, y += bn->width)
        for (size_t i = 0; i < bn->width; i++)
            y[i] = (float)(((double)x[i] - cache->mean[i]) * rstd[i]);
}

void mae_batchnorm_eval(const MaeBatchNorm *bn, float *y, const float *x, const float *w,
                        size_t rows)
{
    const float *mean = w + bn->mean.off, *var = w + bn->var.off;

    for (size_t i = 0; i < bn->width; i++) {
        const double rstd = rstd_of((double)var[i]);

        for (size_t r = 0; r < rows; r++)
            y[r * bn->width + i] =
                (float)(((double)x[r * bn->width + i] - (double)mean[i]) * rstd);
    }
}

/* dx = rstd * (dy - mean(dy) - y * mean(dy * y)) */
void mae_batchnorm_backward(const MaeBatchNorm *bn, float *dx, MaeBatchNormCache *cache,
                            const float *dy, const float *y, size_t rows,
                            const MaePeers *peers)
{
    const size_t width = bn->width;
    double *sum = cache->sums, *product = cache->sums + width;

    memset(cache->sums, 0, 2 * width * sizeof *cache->sums);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++) {
            sum[i] += (double)dy[r * width + i];
            product[i] += (double)dy[r * width + i] * (double)y[r * width + i];
        }
    sum_over(peers, cache->sums, 2 * width);
    for (size_t r = 0; r < rows; r++, dx += width, dy += width, y += width)
        for (size_t i = 0; i < width; i++)
            dx[i] = (float)(rstd_of(cache->var[i]) *
                            ((double)dy[i] -
                             (sum[i] + (double)y[i] * product[i]) / cache->rows));
}

/* @param change so far, of a statistic that is now @p was. */
static float tracked(float change, float was, double batch)
{
    const double now = (double)was + (double)change;

    return (float)(now + MAE_BATCHNORM_MOMENTUM * (batch - now) - (double)was);
}

void mae_batchnorm_track(const MaeBatchNorm *bn, float *dw, MaeGradUse use,
                         const MaeBatchNormCache *cache, const float *w)
{
    const MaeParam *mean = &bn->mean, *var = &bn->var;
    const double unbiased = cache->rows / (cache->rows - 1.0);

    assert(cache->rows > 1.0);
    if (use == MAE_GRAD_SET) {
        memset(dw + mean->off, 0, mean->count * sizeof *dw);
        memset(dw + var->off, 0, var->count * sizeof *dw);
        dw[bn->batches.off] = 0.0f;
    }
    for (size_t i = 0; i < bn->width; i++) {
        float *dmean = &dw[mean->off + i], *dvar = &dw[var->off + i];

        *dmean = tracked(*dmean, w[mean->off + i], cache->mean[i]);
        *dvar = tracked(*dvar, w[var->off + i], unbiased * cache->var[i]);
    }
    dw[bn->batches.off] += 1.0f;
}
