/*
 * The logistic probe. Loss and gradient are sums over chunks of rows, a wave at a time:
 * each chunk of a wave fills its own slot, and slots are added in the chunks' order.
 *
 * Features that are alike would cost L-BFGS alone hundreds of steps. It starts from the
 * inverse Hessian at W = 0, where every class has p = 1 / K: there the Hessian is, as far
 * as the gradient can reach, the same for each class,
 *
 *   H = Z^T Z / (K N) + I / (C N),   1 / K for a bias,
 *
 * and one Cholesky factorisation turns the first step into Newton's.
 */
#include <string.h>

#include "base/size.h"
#include "eval/lbfgs.h"
#include "eval/probe.h"
#include "eval/probe_parts.h"
#include "eval/probe_sums.h"
#include "kernel/blas.h"
#include "kernel/rows.h"
#include "kernel/solve.h"

/* Weight of the rows against the penalty, as scikit-learn's default. */
#define C 1.0

#define ITERATIONS 200

/* Chunks of a wave, and elements of the gradient that one thread adds up. */
#define WAVE 32
#define BAND 4096

/* What a thread needs for a chunk. */
typedef struct Scratch {
    float *z;       /* [MAE_PROBE_ROWS,D] */
    float *logits;  /* [MAE_PROBE_ROWS,K], then their gradient */
    float *targets; /* [MAE_PROBE_ROWS,K] one-hot */
    double *losses; /* [MAE_PROBE_ROWS] */
} Scratch;

typedef struct Logistic {
    const MaeProbe *probe;
    const MaeProbeSet *train;
    const MaeCompute *compute;
    size_t count; /* K D + K variables: weights, then biases */
    MaeLbfgs lbfgs;
    MaeProbeSums sums; /* its gram: the factor of H */
    double *x;         /* [count] */
    float *w;          /* [count] x in f32 */
    float *slots;      /* [WAVE,count] gradients of chunks */
    double *losses;    /* [WAVE] */
    Scratch *scratch;  /* [threads] */
} Logistic;

/* A wave of chunks of the loss and its gradient. */
typedef struct WaveJob {
    const Logistic *of;
    double *grad;         /* [count] */
    size_t first, chunks; /* the first row, chunks from there */
} WaveJob;

static void carve(Logistic *l, MaeArena *arena)
{
    const size_t width = l->probe->width, classes = l->probe->classes;
    const size_t threads = mae_pool_threads(l->compute->pool);

    mae_lbfgs_reserve(&l->lbfgs, arena, l->count);
    mae_probe_sums_reserve(&l->sums, arena, width, classes);
    l->x = mae_arena_bytes(arena, l->count, sizeof(double));
    l->w = mae_arena_floats(arena, l->count);
    l->slots = mae_arena_bytes(arena, l->count, WAVE * sizeof(float));
    l->losses = mae_arena_bytes(arena, WAVE, sizeof(double));
    l->scratch = mae_arena_bytes(arena, threads, sizeof *l->scratch);
    for (size_t i = 0; i < threads; i++) {
        const Scratch made = {
            .z = mae_arena_bytes(arena, width, MAE_PROBE_ROWS * sizeof(float)),
            .logits = mae_arena_bytes(arena, classes, MAE_PROBE_ROWS * sizeof(float)),
            .targets = mae_arena_bytes(arena, classes, MAE_PROBE_ROWS * sizeof(float)),
            .losses = mae_arena_bytes(arena, MAE_PROBE_ROWS, sizeof(double)),
        };

        if (l->scratch != NULL)
            l->scratch[i] = made;
    }
}

/* --- loss and gradient ------------------------------------------------------------ */

static void set_targets(float *targets, const int64_t *labels, size_t rows,
                        size_t classes)
{
    memset(targets, 0, rows * classes * sizeof *targets);
    for (size_t i = 0; i < rows; i++)
        targets[i * classes + (size_t)labels[i]] = 1.0f;
}

/* Sums over the rows of a chunk; gradients are not divided by N yet. */
static void run_chunk(void *ctx, size_t index, size_t thread)
{
    const WaveJob *job = ctx;
    const Logistic *l = job->of;
    const size_t width = l->probe->width, classes = l->probe->classes;
    const size_t first = job->first + index * MAE_PROBE_ROWS;
    const size_t rows = mae_smaller(MAE_PROBE_ROWS, l->train->count - first);
    const MaeGemm *gemm = mae_gemm_thread(l->compute->gemm, thread);
    const Scratch *s = &l->scratch[thread];
    const float *bias = l->w + classes * width;
    float *dw = l->slots + index * l->count, *db = dw + classes * width;

    mae_probe_standardise(l->probe, s->z, l->train->values + first * l->train->ld,
                          l->train->ld, rows);
    mae_gemm_nt(gemm, mae_operand_f32(s->logits), classes, s->z, width, l->w, width, rows,
                classes, width, bias, NULL);
    set_targets(s->targets, l->train->labels + first, rows, classes);
    mae_rows_cross_entropy(s->losses, s->logits, s->logits, s->targets, 1.0f, rows,
                           classes);
    mae_gemm_tn(gemm, mae_operand_f32(dw), width, s->logits, classes, s->z, width,
                classes, width, rows, NULL, NULL);
    memset(db, 0, classes * sizeof *db);
    mae_rows_colsum(db, mae_operand_f32(s->logits), rows, classes, classes);
    l->losses[index] = 0.0;
    for (size_t i = 0; i < rows; i++)
        l->losses[index] += s->losses[i];
}

static void add_band(void *ctx, size_t index, size_t thread)
{
    const WaveJob *job = ctx;
    const size_t count = job->of->count, end = mae_smaller((index + 1) * BAND, count);

    (void)thread;
    for (size_t c = 0; c < job->chunks; c++) {
        const float *slot = job->of->slots + c * count;

        for (size_t i = index * BAND; i < end; i++)
            job->grad[i] += (double)slot[i];
    }
}

/* Divide the sums by N and add the penalty. @return the objective. */
static double finish(const Logistic *l, double *grad, const double *x, double loss)
{
    const double rows = (double)l->train->count;
    const size_t weights = l->probe->classes * l->probe->width;
    double squares = 0.0;

    for (size_t i = 0; i < weights; i++) {
        grad[i] = (grad[i] + x[i] / C) / rows;
        squares += x[i] * x[i];
    }
    for (size_t i = weights; i < l->count; i++)
        grad[i] /= rows;
    return (loss + squares / (2.0 * C)) / rows;
}

static double objective(void *ctx, double *grad, const double *x)
{
    const Logistic *l = ctx;
    MaePool *pool = l->compute->pool;
    const size_t rows = l->train->count;
    const size_t chunks = (rows + MAE_PROBE_ROWS - 1) / MAE_PROBE_ROWS;
    double loss = 0.0;

    for (size_t i = 0; i < l->count; i++) {
        l->w[i] = (float)x[i];
        grad[i] = 0.0;
    }
    for (size_t first = 0; first < chunks; first += WAVE) {
        WaveJob job = {l, grad, first * MAE_PROBE_ROWS,
                       mae_smaller(WAVE, chunks - first)};

        mae_pool_run(pool, job.chunks, run_chunk, &job);
        mae_pool_run(pool, (l->count + BAND - 1) / BAND, add_band, &job);
        for (size_t c = 0; c < job.chunks; c++)
            loss += l->losses[c];
    }
    return finish(l, grad, x, loss);
}

/* --- where L-BFGS starts ----------------------------------------------------------- */

static MaeStatus factor_hessian(Logistic *l, MaeError *err)
{
    const size_t width = l->probe->width;
    const double scale = (double)l->probe->classes * (double)l->train->count;
    double *h = l->sums.gram;

    mae_probe_sums_add(&l->sums, MAE_PROBE_ALL, l->probe, l->train, l->compute);
    mae_probe_sums_centre(&l->sums, h, width);
    for (size_t i = 0; i < width; i++) {
        for (size_t j = i; j < width; j++)
            h[i * width + j] /= scale;
        h[i * width + i] += 1.0 / (C * (double)l->train->count);
    }
    return mae_solve_factor(h, width, err);
}

static void divide_by_hessian(void *ctx, double *x)
{
    const Logistic *l = ctx;
    const size_t width = l->probe->width, classes = l->probe->classes;

    mae_solve_factored(l->sums.gram, x, width, classes);
    for (size_t i = classes * width; i < l->count; i++)
        x[i] *= (double)classes;
}

/* --- the probe -------------------------------------------------------------------- */

static MaeStatus minimise(Logistic *l, MaeProbe *probe, MaeError *err)
{
    const MaeLbfgsGoal goal = {objective, divide_by_hessian, l, MAE_PROBE_TOLERANCE,
                               ITERATIONS};
    const size_t weights = probe->classes * probe->width;

    MAE_TRY(factor_hessian(l, err));
    MAE_TRY(mae_lbfgs_run(&l->lbfgs, l->x, &goal, err));
    for (size_t i = 0; i < l->count; i++) {
        float *to = i < weights ? &probe->weight[i] : &probe->bias[i - weights];

        *to = (float)l->x[i];
    }
    probe->iterations = l->lbfgs.iterations;
    probe->loss = l->lbfgs.value;
    probe->grad_max = l->lbfgs.grad_max;
    return MAE_OK;
}

MaeStatus mae_probe_logistic(MaeProbe *probe, const MaeProbeSet *train, size_t width,
                             size_t classes, const MaeCompute *compute, MaeError *err)
{
    MaeProbe made;
    Logistic logistic = {.probe = &made, .train = train, .compute = compute};
    MaeArena arena = mae_arena_measure(), memory = {.base = NULL};
    MaeStatus status;

    MAE_TRY(mae_blas_reserve(mae_pool_threads(compute->pool), err));
    MAE_TRY(mae_probe_open(&made, train, width, classes, compute, err));
    logistic.count = classes * width + classes;
    carve(&logistic, &arena);
    status = mae_arena_open(&memory, &arena, "logistic probe", err);
    if (status == MAE_OK) {
        carve(&logistic, &memory);
        status = minimise(&logistic, &made, err);
    }
    mae_arena_close(&memory);
    if (status != MAE_OK)
        mae_probe_done(&made);
    else
        *probe = made;
    return status;
}
