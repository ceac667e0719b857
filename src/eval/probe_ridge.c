/*
 * The ridge probe. All it needs of the rows are sums, Z^T Z, Z^T Y, 1^T Z and 1^T Y: one
 * set for the rows that are held out and one for the others. A fit centres them,
 *
 *   (Z^T Z - s s^T / n + lambda n I) W^T = Z^T Y - s c^T / n,   b = (c - W s) / n,
 *
 * so every lambda, and the last fit to all rows, costs one Cholesky factorisation.
 */
#include "base/size.h"
#include "eval/accuracy.h"
#include "eval/probe.h"
#include "eval/probe_parts.h"
#include "eval/probe_sums.h"
#include "kernel/blas.h"
#include "kernel/solve.h"

/* Held-out rows whose logits are there at a time. */
#define SCORED 4096

/* Tried from the largest: an equal one must be better to replace it. */
static const double lambdas[] = {1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5};

typedef struct Ridge {
    MaeProbe *probe;
    const MaeProbeSet *train;
    const MaeCompute *compute;
    MaeProbeSums held, all; /* all: first the rows that are not held out */
    double *a;              /* [D,D] */
    double *b;              /* [K,D] */
    float *logits;          /* [SCORED,K] */
    int64_t *labels;        /* [SCORED] */
} Ridge;

static void carve(Ridge *ridge, MaeArena *arena)
{
    const size_t width = ridge->probe->width, classes = ridge->probe->classes;

    mae_probe_sums_reserve(&ridge->held, arena, width, classes);
    mae_probe_sums_reserve(&ridge->all, arena, width, classes);
    ridge->a = mae_arena_bytes(arena, width, width * sizeof(double));
    ridge->b = mae_arena_bytes(arena, classes, width * sizeof(double));
    ridge->logits = mae_arena_bytes(arena, classes, SCORED * sizeof(float));
    ridge->labels = mae_arena_bytes(arena, SCORED, sizeof(int64_t));
}

/* --- fits ------------------------------------------------------------------------- */

static MaeStatus fit(const Ridge *ridge, const MaeProbeSums *sums, double lambda,
                     MaeError *err)
{
    const MaeProbe *probe = ridge->probe;
    const size_t width = probe->width, classes = probe->classes;
    const double n = sums->count, *s = sums->sum;

    mae_probe_sums_centre(sums, ridge->a, width);
    for (size_t i = 0; i < width; i++)
        ridge->a[i * width + i] += lambda * n;
    for (size_t k = 0; k < classes; k++)
        for (size_t d = 0; d < width; d++)
            ridge->b[k * width + d] =
                sums->cross[k * width + d] - sums->classes[k] * s[d] / n;
    MAE_TRY(mae_solve_factor(ridge->a, width, err));
    mae_solve_factored(ridge->a, ridge->b, width, classes);
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
        const size_t rows = mae_smaller(SCORED, count - first);

        MAE_TRY(mae_probe_logits(probe, ridge->logits,
                                 train->values + first * MAE_PROBE_HOLD * train->ld,
                                 MAE_PROBE_HOLD * train->ld, rows, ridge->compute, err));
        for (size_t i = 0; i < rows; i++)
            ridge->labels[i] = train->labels[(first + i) * MAE_PROBE_HOLD];
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

static MaeStatus solve(Ridge *ridge, MaeError *err)
{
    const MaeProbeSet *train = ridge->train;

    mae_probe_sums_add(&ridge->held, MAE_PROBE_HELD, ridge->probe, train, ridge->compute);
    mae_probe_sums_add(&ridge->all, MAE_PROBE_REST, ridge->probe, train, ridge->compute);
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

    MAE_TRY(mae_blas_reserve(mae_pool_threads(compute->pool), err));
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
