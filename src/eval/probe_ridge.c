/*
 * The ridge probe. All it needs of the rows are sums, Z^T Z, Z^T Y, 1^T Z and 1^T Y: one
 * set for the rows that are held out and one for the others. A fit centres them,
 *
 *   (Z^T Z - s s^T / n + lambda n I) W^T = Z^T Y - s c^T / n,   b = (c - W s) / n,
 *
 * so every lambda, and the last fit to all rows, costs one Cholesky factorisation.
 */
#include "eval/accuracy.h"
#include "eval/probe.h"
#include "eval/probe_parts.h"
#include "kernel/solve.h"

/* Every tenth row is held out. */
#define TENTH 10

/* Rows of a block of doubles, rows widened at once, features of a class sum. */
#define BLOCK 512
#define STRIP 16
#define BAND 128

/* Held-out rows whose logits are there at a time. */
#define SCORED 4096

/* Tried from the largest: an equal one must be better to replace it. */
static const double lambdas[] = {1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5};

/* Sums over rows. */
typedef struct Sums {
    double *gram;    /* [D,D] upper triangle of Z^T Z */
    double *cross;   /* [K,D] Y^T Z */
    double *sum;     /* [D] 1^T Z */
    double *classes; /* [K] 1^T Y */
    double count;
} Sums;

typedef struct Ridge {
    MaeProbe *probe;
    const MaeProbeSet *train;
    const MaeCompute *compute;
    Sums held, all;  /* all: first the rows that are not held out */
    double *block;   /* [BLOCK,D] standardised rows */
    double *a;       /* [D,D] */
    double *b;       /* [K,D] */
    float *logits;   /* [SCORED,K] */
    int64_t *labels; /* [SCORED] */
} Ridge;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void carve_sums(Sums *sums, MaeArena *arena, size_t width, size_t classes)
{
    sums->gram = mae_arena_bytes(arena, width, width * sizeof(double));
    sums->cross = mae_arena_bytes(arena, classes, width * sizeof(double));
    sums->sum = mae_arena_bytes(arena, width, sizeof(double));
    sums->classes = mae_arena_bytes(arena, classes, sizeof(double));
}

static void carve(Ridge *ridge, MaeArena *arena)
{
    const size_t width = ridge->probe->width, classes = ridge->probe->classes;

    carve_sums(&ridge->held, arena, width, classes);
    carve_sums(&ridge->all, arena, width, classes);
    ridge->block = mae_arena_bytes(arena, width, BLOCK * sizeof(double));
    ridge->a = mae_arena_bytes(arena, width, width * sizeof(double));
    ridge->b = mae_arena_bytes(arena, classes, width * sizeof(double));
    ridge->logits = mae_arena_bytes(arena, classes, SCORED * sizeof(float));
    ridge->labels = mae_arena_bytes(arena, SCORED, sizeof(int64_t));
}

/* --- sums over rows --------------------------------------------------------------- */

/* Some of the rows that are held out, or of those that are not. */
typedef struct BlockJob {
    const Ridge *ridge;
    Sums *sums;
    size_t first, rows;
} BlockJob;

static size_t row_of(const BlockJob *job, size_t i)
{
    const size_t at = job->first + i;

    return job->sums == &job->ridge->held ? at * TENTH : at + at / (TENTH - 1) + 1;
}

static void widen_strip(void *ctx, size_t index, size_t thread)
{
    const BlockJob *job = ctx;
    const MaeProbe *probe = job->ridge->probe;
    const MaeProbeSet *train = job->ridge->train;

    (void)thread;
    for (size_t i = index * STRIP; i < smaller((index + 1) * STRIP, job->rows); i++) {
        const float *x = train->values + row_of(job, i) * train->ld;
        double *z = job->ridge->block + i * probe->width;

        for (size_t d = 0; d < probe->width; d++)
            z[d] = (double)mae_probe_standard(probe, d, x[d]);
    }
}

/* Sums of a band of features, over all rows of the block and over those of each class. */
static void sum_band(const BlockJob *job, size_t first)
{
    const Ridge *ridge = job->ridge;
    const size_t width = ridge->probe->width, end = smaller(first + BAND, width);

    for (size_t i = 0; i < job->rows; i++) {
        const double *z = ridge->block + i * width;
        const size_t label = (size_t)ridge->train->labels[row_of(job, i)];
        double *cross = job->sums->cross + label * width, *sum = job->sums->sum;

        for (size_t d = first; d < end; d++) {
            cross[d] += z[d];
            sum[d] += z[d];
        }
    }
}

static void add_tile(void *ctx, size_t index, size_t thread)
{
    const BlockJob *job = ctx;
    const size_t width = job->ridge->probe->width;
    const size_t tiles = mae_solve_gram_tiles(width);

    (void)thread;
    if (index < tiles)
        mae_solve_gram(job->sums->gram, job->ridge->block, job->rows, width, index);
    else
        sum_band(job, (index - tiles) * BAND);
}

static void add_rows(const Ridge *ridge, Sums *sums, size_t count)
{
    const size_t width = ridge->probe->width;
    const size_t tiles = mae_solve_gram_tiles(width) + (width + BAND - 1) / BAND;
    MaePool *pool = ridge->compute->pool;

    for (size_t first = 0; first < count; first += BLOCK) {
        BlockJob job = {ridge, sums, first, smaller(BLOCK, count - first)};

        mae_pool_run(pool, (job.rows + STRIP - 1) / STRIP, widen_strip, &job);
        mae_pool_run(pool, tiles, add_tile, &job);
        for (size_t i = 0; i < job.rows; i++)
            sums->classes[ridge->train->labels[row_of(&job, i)]] += 1.0;
    }
    sums->count = (double)count;
}

static void add(double *y, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void add_held(Ridge *ridge)
{
    const size_t width = ridge->probe->width, classes = ridge->probe->classes;

    add(ridge->all.gram, ridge->held.gram, width * width);
    add(ridge->all.cross, ridge->held.cross, classes * width);
    add(ridge->all.sum, ridge->held.sum, width);
    add(ridge->all.classes, ridge->held.classes, classes);
    ridge->all.count += ridge->held.count;
}

/* --- fits ------------------------------------------------------------------------- */

static MaeStatus fit(const Ridge *ridge, const Sums *sums, double lambda, MaeError *err)
{
    const MaeProbe *probe = ridge->probe;
    const size_t width = probe->width, classes = probe->classes;
    const double n = sums->count, *s = sums->sum;

    for (size_t i = 0; i < width; i++) {
        for (size_t j = i; j < width; j++)
            ridge->a[i * width + j] = sums->gram[i * width + j] - s[i] * s[j] / n;
        ridge->a[i * width + i] += lambda * n;
    }
    for (size_t k = 0; k < classes; k++)
        for (size_t d = 0; d < width; d++)
            ridge->b[k * width + d] =
                sums->cross[k * width + d] - sums->classes[k] * s[d] / n;
    MAE_TRY(mae_solve_spd(ridge->a, ridge->b, width, classes, err));
    for (size_t k = 0; k < classes; k++) {
        double bias = sums->classes[k];

        for (size_t d = 0; d < width; d++) {
            bias -= ridge->b[k * width + d] * s[d];
            probe->weight[k * width + d] = (float)ridge->b[k * width + d];
        }
        probe->bias[k] = (float)(bias / n);
    }
    return MAE_OK;
}

/* Accuracy of the probe as it is on the rows held out. */
static MaeStatus score(const Ridge *ridge, double *accuracy, MaeError *err)
{
    const MaeProbe *probe = ridge->probe;
    const MaeProbeSet *train = ridge->train;
    const size_t count = (size_t)ridge->held.count;
    MaeAccuracy acc = {0};

    for (size_t first = 0; first < count; first += SCORED) {
        const size_t rows = smaller(SCORED, count - first);

        MAE_TRY(mae_probe_logits(probe, ridge->logits,
                                 train->values + first * TENTH * train->ld,
                                 TENTH * train->ld, rows, ridge->compute, err));
        for (size_t i = 0; i < rows; i++)
            ridge->labels[i] = train->labels[(first + i) * TENTH];
        mae_accuracy_add(&acc, ridge->logits, ridge->labels, rows, probe->classes);
    }
    *accuracy = mae_accuracy_top1(&acc);
    return MAE_OK;
}

static MaeStatus choose(const Ridge *ridge, MaeError *err)
{
    MaeProbe *probe = ridge->probe;
    double accuracy;

    probe->held_out = -1.0;
    for (size_t i = 0; i < sizeof lambdas / sizeof *lambdas; i++) {
        MAE_TRY(fit(ridge, &ridge->all, lambdas[i], err));
        MAE_TRY(score(ridge, &accuracy, err));
        if (accuracy > probe->held_out) {
            probe->held_out = accuracy;
            probe->lambda = lambdas[i];
        }
    }
    return MAE_OK;
}

static MaeStatus solve(Ridge *ridge, MaeError *err)
{
    const size_t held = (ridge->train->count + TENTH - 1) / TENTH;

    add_rows(ridge, &ridge->held, held);
    add_rows(ridge, &ridge->all, ridge->train->count - held);
    MAE_TRY(choose(ridge, err));
    add_held(ridge);
    return fit(ridge, &ridge->all, ridge->probe->lambda, err);
}

MaeStatus mae_probe_ridge(MaeProbe *probe, const MaeProbeSet *train, size_t width,
                          size_t classes, const MaeCompute *compute, MaeError *err)
{
    MaeProbe made;
    Ridge ridge = {.probe = &made, .train = train, .compute = compute};
    MaeArena arena = mae_arena_measure(), memory = {.base = NULL};
    MaeStatus status;

    MAE_TRY(mae_probe_open(&made, train, width, classes, compute, err));
    carve(&ridge, &arena);
    status = mae_arena_open(&memory, &arena, "ridge probe", err);
    if (status == MAE_OK) {
        carve(&ridge, &memory);
        status = solve(&ridge, err);
    }
    mae_arena_close(&memory);
    if (status != MAE_OK)
        mae_probe_done(&made);
    else
        *probe = made;
    return status;
}
