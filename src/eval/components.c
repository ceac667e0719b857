#include "eval/components.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernel/blas.h"
#include "kernel/solve.h"

enum { CHUNK = 128 }; /* rows, or columns, that become doubles at a time */

/* Of directions without variance rounding leaves a little. */
#define NOTHING 1e-12

/* One fit. The matrix C = x - mean is taken by rows, or turned if it is wide. */
typedef struct Fit {
    MaeComponents *c;
    const float *x;
    size_t ld, n, side; /* side = min(n,D) of the matrix of products */
    bool turned;
    size_t filled;  /* rows in the chunk */
    double *chunk;  /* [CHUNK,side] */
    double *gram;   /* [side,side], then its vectors */
    double *values; /* [side] */
    MaeArena arena;
} Fit;

static double *doubles(MaeArena *arena, size_t count, size_t each)
{
    return mae_arena_bytes(arena, count, each * sizeof(double));
}

static void reserve(MaeComponents *c, MaeArena *arena)
{
    c->mean = doubles(arena, c->width, 1);
    c->axes = doubles(arena, c->count, c->width);
    c->deviation = doubles(arena, c->count, 1);
    c->share = doubles(arena, c->count, 1);
}

static void reserve_fit(Fit *f, MaeArena *arena)
{
    f->chunk = doubles(arena, CHUNK, f->side);
    f->gram = doubles(arena, f->side, f->side);
    f->values = doubles(arena, f->side, 1);
}

static void take_mean(Fit *f)
{
    const size_t width = f->c->width;

    for (size_t i = 0; i < f->n; i++)
        for (size_t j = 0; j < width; j++)
            f->c->mean[j] += (double)f->x[i * f->ld + j];
    for (size_t j = 0; j < width; j++)
        f->c->mean[j] /= (double)f->n;
}

static double centred(const Fit *f, size_t row, size_t column)
{
    return (double)f->x[row * f->ld + column] - f->c->mean[column];
}

static void gram_tile(void *ctx, size_t tile, size_t thread)
{
    const Fit *f = ctx;

    (void)thread;
    mae_solve_gram(f->gram, f->chunk, f->filled, f->side, tile);
}

static void take_products(Fit *f, MaePool *pool)
{
    const size_t all = f->turned ? f->c->width : f->n;

    for (size_t first = 0; first < all; first += f->filled) {
        f->filled = mae_smaller(all - first, CHUNK);
        for (size_t r = 0; r < f->filled; r++)
            for (size_t s = 0; s < f->side; s++)
                f->chunk[r * f->side + s] =
                    f->turned ? centred(f, s, first + r) : centred(f, first + r, s);
        mae_pool_run(pool, mae_solve_gram_tiles(f->side), gram_tile, f);
    }
}

/* The axis of vector @p v, over columns or over rows, to length 1 and pointing right. */
static void take_axis(const Fit *f, double *axis, const double *v)
{
    const size_t width = f->c->width;
    size_t largest = 0;
    double square = 0.0, scale;

    for (size_t i = 0; f->turned && i < f->n; i++)
        for (size_t j = 0; j < width; j++)
            axis[j] += v[i] * centred(f, i, j);
    if (!f->turned)
        memcpy(axis, v, width * sizeof *axis);
    for (size_t j = 0; j < width; j++) {
        square += axis[j] * axis[j];
        largest = fabs(axis[j]) > fabs(axis[largest]) ? j : largest;
    }
    scale = copysign(1.0 / sqrt(square), axis[largest]);
    for (size_t j = 0; j < width; j++)
        axis[j] *= scale;
}

static MaeStatus compute(Fit *f, MaePool *pool, MaeError *err)
{
    MaeComponents *c = f->c;
    double total = 0.0;

    take_mean(f);
    take_products(f, pool);
    for (size_t i = 0; i < f->side; i++)
        total += f->gram[i * f->side + i];
    MAE_TRY(mae_solve_eigen(f->values, f->gram, f->side, err));
    for (size_t k = 0; k < c->count && k < f->side; k++) {
        if (!(f->values[k] > NOTHING * total))
            break;
        take_axis(f, c->axes + k * c->width, f->gram + k * f->side);
        c->deviation[k] = sqrt(f->values[k] / (double)f->n);
        c->share[k] = f->values[k] / total;
    }
    return MAE_OK;
}

static MaeStatus fit(Fit *f, MaePool *pool, MaeError *err)
{
    MaeArena own = mae_arena_measure(), temporary = mae_arena_measure();

    if (f->side > MAE_COMPONENTS_SIDE)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "principal components: expected rows or columns of at most %d, got "
                 "[%zu,%zu]",
                 MAE_COMPONENTS_SIDE, f->n, f->c->width);
    MAE_TRY(mae_blas_reserve(mae_pool_threads(pool), err));
    reserve(f->c, &own);
    reserve_fit(f, &temporary);
    MAE_TRY(mae_arena_open(&f->c->arena, &own, "principal components", err));
    reserve(f->c, &f->c->arena);
    MAE_TRY(mae_arena_open(&f->arena, &temporary, "principal components", err));
    reserve_fit(f, &f->arena);
    return compute(f, pool, err);
}

MaeStatus mae_components_fit(MaeComponents *components, const float *x, size_t ld,
                             size_t n, size_t width, size_t count, MaePool *pool,
                             MaeError *err)
{
    Fit f = {.c = components,
             .x = x,
             .ld = ld,
             .n = n,
             .side = mae_smaller(n, width),
             .turned = n < width};
    MaeStatus status;

    assert(n > 0 && width > 0 && ld >= width && count > 0);
    *components = (MaeComponents){.width = width, .count = count};
    status = fit(&f, pool, err);
    mae_arena_close(&f.arena);
    if (status != MAE_OK)
        mae_components_close(components);
    return status;
}

void mae_components_close(MaeComponents *components)
{
    if (components == NULL)
        return;
    mae_arena_close(&components->arena);
    *components = (MaeComponents){0};
}

double mae_components_score(const MaeComponents *components, const float *row, size_t k)
{
    const double *axis = components->axes + k * components->width;
    double sum = 0.0;

    for (size_t j = 0; j < components->width; j++)
        sum += ((double)row[j] - components->mean[j]) * axis[j];
    return sum;
}

void mae_components_scores(float *scores, const MaeComponents *components, const float *x,
                           size_t ld, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < components->count; k++)
            *scores++ = (float)mae_components_score(components, x + i * ld, k);
}
