#include "eval/tsne.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"
#include "base/size.h"
#include "eval/components.h"
#include "kernel/rows.h"

/* Rows of a tile; sums that run side by side, so that they are vectors. */
enum { ROWS = 32, LANES = 16 };

/* Of the descent. */
#define EXAGGERATION 12.0f
#define EXAGGERATED ((size_t)250)
#define SPREAD 1e-4 /* of the points where they begin */

static size_t tiles_of(size_t n)
{
    return (n + ROWS - 1) / ROWS;
}

/* --- p ---------------------------------------------------------------------------- */

/* Entropy in nats for the scale @p b of distances that are taken from @p nearest on. */
static double entropy(double *sum, const float *row, size_t n, size_t self,
                      double nearest, double b)
{
    double total = 0.0, weighted = 0.0;

    for (size_t j = 0; j < n; j++) {
        const double d = (double)row[j] - nearest, e = j == self ? 0.0 : exp(-b * d);

        total += e;
        weighted += d * e;
    }
    *sum = total;
    return log(total) + b * weighted / total;
}

/* Bisection of the scale, once both ends are known. @return it; @p sum belongs to it. */
static double find_scale(double *sum, const float *row, size_t n, size_t self,
                         double nearest, double first, double perplexity)
{
    double low = 0.0, high = HUGE_VAL, b = first;

    for (int i = 0; i < 100; i++) {
        const double off = entropy(sum, row, n, self, nearest, b) - log(perplexity);

        if (fabs(off) < 1e-5)
            break;
        if (off > 0.0)
            low = b;
        else
            high = b;
        b = isinf(high) ? 2.0 * b : 0.5 * (low + high);
    }
    (void)entropy(sum, row, n, self, nearest, b);
    return b;
}

void mae_tsne_calibrate(float *row, size_t n, size_t self, double perplexity)
{
    double nearest = HUGE_VAL, mean = 0.0, sum, b;

    assert(n > 1 && self < n);
    for (size_t j = 0; j < n; j++) {
        if (j == self)
            continue;
        nearest = fmin(nearest, (double)row[j]);
        mean += (double)row[j] / (double)(n - 1);
    }
    mean -= nearest;
    /* All equally far: any scale is the same. */
    b = find_scale(&sum, row, n, self, nearest, mean > 0.0 ? 1.0 / mean : 1.0,
                   perplexity);
    for (size_t j = 0; j < n; j++)
        row[j] = j == self ? 0.0f : (float)(exp(-b * ((double)row[j] - nearest)) / sum);
}

typedef struct Affinities {
    float *p;        /* [n,n] */
    float *centred;  /* [n,D]: differences of large numbers would lose digits */
    double *squares; /* [n] of the rows' lengths */
    size_t n, width;
    double perplexity;
    const MaeCompute *compute;
} Affinities;

static void calibrate_tile(void *ctx, size_t tile, size_t thread)
{
    const Affinities *a = ctx;
    const size_t first = tile * ROWS, n = a->n, rows = mae_smaller(ROWS, n - first);

    mae_gemm_nt(mae_gemm_thread(a->compute->gemm, thread),
                mae_operand_f32(a->p + first * n), n, a->centred + first * a->width,
                a->width, a->centred, a->width, rows, n, a->width, NULL, NULL);
    for (size_t i = first; i < first + rows; i++) {
        float *row = a->p + i * n;

        for (size_t j = 0; j < n; j++)
            row[j] =
                (float)fmax(a->squares[i] + a->squares[j] - 2.0 * (double)row[j], 0.0);
        mae_tsne_calibrate(row, n, i, a->perplexity);
    }
}

/* Pairs (i, j > i) belong to the tile of i. What is negligible becomes 0: products of
 * subnormal numbers are slow. */
static void symmetrise_tile(void *ctx, size_t tile, size_t thread)
{
    const Affinities *a = ctx;
    const size_t first = tile * ROWS, n = a->n;
    const float share = 0.5f / (float)n;

    (void)thread;
    for (size_t i = first; i < mae_smaller(first + ROWS, n); i++) {
        for (size_t j = i + 1; j < n; j++) {
            const float p = (a->p[i * n + j] + a->p[j * n + i]) * share;

            a->p[i * n + j] = a->p[j * n + i] = p > 1e-30f ? p : 0.0f;
        }
    }
}

static MaeStatus centre(Affinities *a, const float *x, size_t ld, MaeError *err)
{
    for (size_t i = 0; i < a->n; i++)
        if (!mae_rows_finite(x + i * ld, a->width))
            MAE_FAIL(err, MAE_ERR_NUMERIC,
                     "t-SNE: expected finite numbers, got NaN or infinity in row %zu", i);
    for (size_t j = 0; j < a->width; j++) {
        double mean = 0.0;

        for (size_t i = 0; i < a->n; i++)
            mean += (double)x[i * ld + j] / (double)a->n;
        for (size_t i = 0; i < a->n; i++)
            a->centred[i * a->width + j] = (float)((double)x[i * ld + j] - mean);
    }
    for (size_t i = 0; i < a->n; i++)
        a->squares[i] = mae_rows_sumsq(a->centred + i * a->width, a->width);
    return MAE_OK;
}

MaeStatus mae_tsne_affinities(float *p, const float *x, size_t ld, size_t n, size_t width,
                              double perplexity, const MaeCompute *compute, MaeError *err)
{
    Affinities a = {
        .p = p, .n = n, .width = width, .perplexity = perplexity, .compute = compute};
    MaeStatus status;

    assert(mae_gemm_operand(compute->gemm) == MAE_F32);
    a.centred = malloc(n * width * sizeof *a.centred);
    a.squares = malloc(n * sizeof *a.squares);
    if (a.centred == NULL || a.squares == NULL)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "t-SNE: out of memory for %zu rows of %zu", n, width);
    else
        status = centre(&a, x, ld, err);
    if (status == MAE_OK) {
        mae_pool_run(compute->pool, tiles_of(n), calibrate_tile, &a);
        mae_pool_run(compute->pool, tiles_of(n), symmetrise_tile, &a);
    }
    free(a.centred);
    free(a.squares);
    return status;
}

/* --- gradient --------------------------------------------------------------------- */

typedef struct Forces {
    const float *p, *y;
    size_t n;
    float *attraction; /* [2,n] sum of p w (y_i - y_j) */
    float *repulsion;  /* [2,n] sum of w^2 (y_i - y_j) */
    float *weights;    /* [n] sum of w */
} Forces;

/* Sums of a row, side by side. */
typedef struct Lanes {
    float weight[LANES], attraction[2][LANES], repulsion[2][LANES];
} Lanes;

/* The next @p count points; LANES of them are a few vector instructions. */
static inline void add_points(Lanes *restrict sum, const float *restrict p,
                              const float *restrict x, const float *restrict y,
                              float at_x, float at_y, size_t count)
{
    for (size_t l = 0; l < count; l++) {
        const float dx = at_x - x[l], dy = at_y - y[l];
        const float w = 1.0f / (1.0f + (dx * dx + dy * dy));
        const float pull = p[l] * w, push = w * w;

        sum->weight[l] += w;
        sum->attraction[0][l] += pull * dx;
        sum->attraction[1][l] += pull * dy;
        sum->repulsion[0][l] += push * dx;
        sum->repulsion[1][l] += push * dy;
    }
}

static float total(const float lanes[LANES])
{
    double sum = 0.0;

    for (size_t l = 0; l < LANES; l++)
        sum += (double)lanes[l];
    return (float)sum;
}

static void forces_tile(void *ctx, size_t tile, size_t thread)
{
    const Forces *f = ctx;
    const size_t first = tile * ROWS, n = f->n;
    const float *x = f->y, *y = f->y + n;

    (void)thread;
    for (size_t i = first; i < mae_smaller(first + ROWS, n); i++) {
        const float *p = f->p + i * n;
        Lanes sum = {0};
        size_t j = 0;

        for (; j + LANES <= n; j += LANES)
            add_points(&sum, p + j, x + j, y + j, x[i], y[i], LANES);
        add_points(&sum, p + j, x + j, y + j, x[i], y[i], n - j);
        for (size_t c = 0; c < 2; c++) {
            f->attraction[c * n + i] = total(sum.attraction[c]);
            f->repulsion[c * n + i] = total(sum.repulsion[c]);
        }
        f->weights[i] = total(sum.weight) - 1.0f; /* without itself */
    }
}

double mae_tsne_gradient(float *gradient, float *scratch, const float *p, const float *y,
                         size_t n, float exaggeration, MaePool *pool)
{
    Forces f = {p, y, n, gradient, scratch, scratch + 2 * n};
    double z = 0.0;

    mae_pool_run(pool, tiles_of(n), forces_tile, &f);
    for (size_t i = 0; i < n; i++)
        z += (double)f.weights[i];
    for (size_t i = 0; i < 2 * n; i++)
        gradient[i] =
            4.0f * (exaggeration * gradient[i] - (float)((double)f.repulsion[i] / z));
    return z;
}

/* --- descent ---------------------------------------------------------------------- */

typedef struct Tsne {
    size_t n;
    float *p;               /* [n,n] */
    float *y, *gradient;    /* [2,n] */
    float *velocity, *gain; /* [2,n] */
    float *scratch;         /* [3,n] */
    const MaeTsneOptions *options;
    const MaeCompute *compute;
} Tsne;

static void reserve(Tsne *t, MaeArena *arena)
{
    const size_t n = t->n;

    t->p = mae_arena_floats(arena, n * n);
    t->y = mae_arena_floats(arena, 2 * n);
    t->gradient = mae_arena_floats(arena, 2 * n);
    t->velocity = mae_arena_floats(arena, 2 * n);
    t->gain = mae_arena_floats(arena, 2 * n);
    t->scratch = mae_arena_floats(arena, 3 * n);
}

/* @param[out] spread deviation of the first component; 0 if there is nothing to see. */
static MaeStatus start_on_components(Tsne *t, double *spread, const float *x, size_t ld,
                                     size_t width, MaeError *err)
{
    float *scores = t->scratch; /* [n,2] */
    MaeComponents components;

    MAE_TRY(
        mae_components_fit(&components, x, ld, t->n, width, 2, t->compute->pool, err));
    mae_components_scores(scores, &components, x, ld, t->n);
    *spread = components.deviation[0];
    mae_components_close(&components);
    if (!(*spread > 0.0))
        return MAE_OK;
    for (size_t i = 0; i < t->n; i++)
        for (size_t c = 0; c < 2; c++)
            t->y[c * t->n + i] = (float)((double)scores[2 * i + c] / *spread * SPREAD);
    return MAE_OK;
}

static MaeStatus start(Tsne *t, const float *x, size_t ld, size_t width, MaeError *err)
{
    double spread = 0.0;
    MaeRng rng;

    if (t->options->start == MAE_TSNE_PCA)
        MAE_TRY(start_on_components(t, &spread, x, ld, width, err));
    mae_rng_init(&rng, t->options->seed, 0, 0, MAE_RNG_EMBED);
    for (size_t i = 0; i < 2 * t->n; i++) {
        if (!(spread > 0.0))
            t->y[i] = (float)(SPREAD * mae_rng_normal(&rng));
        t->gain[i] = 1.0f;
    }
    return MAE_OK;
}

static void step(Tsne *t, float rate, float momentum)
{
    for (size_t i = 0; i < 2 * t->n; i++) {
        const bool onward = t->velocity[i] * t->gradient[i] < 0.0f;

        t->gain[i] = fmaxf(onward ? t->gain[i] + 0.2f : 0.8f * t->gain[i], 0.01f);
        t->velocity[i] = momentum * t->velocity[i] - rate * t->gain[i] * t->gradient[i];
        t->y[i] += t->velocity[i];
    }
}

/* Forces leave the centre where it is, rounding does not. */
static void recentre(Tsne *t)
{
    for (size_t c = 0; c < 2; c++) {
        float *y = t->y + c * t->n;
        double mean = 0.0;

        for (size_t i = 0; i < t->n; i++)
            mean += (double)y[i];
        mean /= (double)t->n;
        for (size_t i = 0; i < t->n; i++)
            y[i] = (float)((double)y[i] - mean);
    }
}

static void descend(Tsne *t)
{
    const MaeTsneOptions *o = t->options;
    const size_t early = mae_smaller(o->iterations / 4, EXAGGERATED);
    const float rate = fmaxf((float)t->n / (4.0f * EXAGGERATION), 50.0f);

    for (size_t i = 0; i < o->iterations; i++) {
        mae_tsne_gradient(t->gradient, t->scratch, t->p, t->y, t->n,
                          i < early ? EXAGGERATION : 1.0f, t->compute->pool);
        step(t, rate, i < early ? 0.5f : 0.8f);
        recentre(t);
        if (o->watch.fn != NULL)
            o->watch.fn(o->watch.ctx, i + 1, o->iterations);
    }
}

static double divergence_of(Tsne *t)
{
    const size_t n = t->n;
    const double z =
        mae_tsne_gradient(t->gradient, t->scratch, t->p, t->y, n, 1.0f, t->compute->pool);
    double sum = 0.0;

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            const double p = (double)t->p[i * n + j];
            const double dx = (double)t->y[i] - (double)t->y[j];
            const double dy = (double)t->y[n + i] - (double)t->y[n + j];

            if (p > 0.0)
                sum += p * log(p * z * (1.0 + dx * dx + dy * dy));
        }
    }
    return sum;
}

static MaeStatus check(size_t n, const MaeTsneOptions *options, MaeError *err)
{
    if (n < 3 || n > MAE_TSNE_MAX)
        MAE_FAIL(err, MAE_ERR_ARG, "t-SNE: expected 3 to %zu rows, got %zu", MAE_TSNE_MAX,
                 n);
    if (!(options->perplexity >= 1.0 && options->perplexity < (double)(n - 1)))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "t-SNE: expected a perplexity from 1 to below %zu, the other rows, "
                 "got %g",
                 n - 1, options->perplexity);
    return MAE_OK;
}

static MaeStatus run(Tsne *t, const float *x, size_t ld, size_t width, MaeError *err)
{
    MAE_TRY(mae_tsne_affinities(t->p, x, ld, t->n, width, t->options->perplexity,
                                t->compute, err));
    MAE_TRY(start(t, x, ld, width, err));
    descend(t);
    return MAE_OK;
}

MaeStatus mae_tsne(float *points, double *divergence, const float *x, size_t ld, size_t n,
                   size_t width, const MaeTsneOptions *options, const MaeCompute *compute,
                   MaeError *err)
{
    Tsne t = {.n = n, .options = options, .compute = compute};
    MaeArena arena = {0}, measure = mae_arena_measure();
    MaeStatus status;

    MAE_TRY(check(n, options, err));
    reserve(&t, &measure);
    MAE_TRY(mae_arena_open(&arena, &measure, "t-SNE", err));
    reserve(&t, &arena);
    status = run(&t, x, ld, width, err);
    for (size_t i = 0; status == MAE_OK && i < n; i++)
        for (size_t c = 0; c < 2; c++)
            points[2 * i + c] = t.y[c * n + i];
    if (status == MAE_OK && divergence != NULL)
        *divergence = divergence_of(&t);
    mae_arena_close(&arena);
    return status;
}
