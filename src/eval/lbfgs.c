#include "eval/lbfgs.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Of the search: sufficient decrease, curvature, rounding of the value, trials. */
#define DECREASE 1e-4
#define CURVATURE 0.9
#define FLAT 1e-6
#define TRIALS 60

void mae_lbfgs_reserve(MaeLbfgs *lbfgs, MaeArena *arena, size_t count)
{
    double **const parts[] = {&lbfgs->grad, &lbfgs->direction, &lbfgs->next,
                              &lbfgs->next_grad};

    *lbfgs = (MaeLbfgs){.count = count};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        *parts[i] = mae_arena_bytes(arena, count, sizeof(double));
    lbfgs->steps = mae_arena_bytes(arena, count, MAE_LBFGS_MEMORY * sizeof(double));
    lbfgs->changes = mae_arena_bytes(arena, count, MAE_LBFGS_MEMORY * sizeof(double));
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void axpy(double *y, double a, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static double largest(const double *x, size_t n)
{
    double most = 0.0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* d = H d for the H to start from; scaled so that s.y = y.H y of the last pair. */
static void start(MaeLbfgs *l, const MaeLbfgsGoal *goal)
{
    const size_t n = l->count;

    if (goal->scale != NULL)
        goal->scale(goal->ctx, l->direction);
    if (l->iterations > 0) {
        const size_t k = (l->iterations - 1) % MAE_LBFGS_MEMORY;
        const double *y = l->changes + k * n;
        double factor;

        memcpy(l->next, y, n * sizeof *y); /* no trial is going on */
        if (goal->scale != NULL)
            goal->scale(goal->ctx, l->next);
        factor = l->step_change[k] / dot(y, l->next, n);
        for (size_t i = 0; i < n; i++)
            l->direction[i] *= factor;
    }
}

/* d = -H g by the two loops. */
static void find_direction(MaeLbfgs *l, const MaeLbfgsGoal *goal)
{
    const size_t n = l->count;
    const size_t first =
        l->iterations > MAE_LBFGS_MEMORY ? l->iterations - MAE_LBFGS_MEMORY : 0;
    double share[MAE_LBFGS_MEMORY];

    memcpy(l->direction, l->grad, n * sizeof *l->grad);
    for (size_t i = l->iterations; i-- > first;) {
        const size_t k = i % MAE_LBFGS_MEMORY;

        share[k] = dot(l->steps + k * n, l->direction, n) / l->step_change[k];
        axpy(l->direction, -share[k], l->changes + k * n, n);
    }
    start(l, goal);
    for (size_t i = first; i < l->iterations; i++) {
        const size_t k = i % MAE_LBFGS_MEMORY;
        const double back = dot(l->changes + k * n, l->direction, n) / l->step_change[k];

        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): set above */
        axpy(l->direction, share[k] - back, l->steps + k * n, n);
    }
    for (size_t i = 0; i < n; i++)
        l->direction[i] = -l->direction[i];
}

/*
 * Leave the accepted point in next, its gradient in next_grad. A value that is not finite
 * counts as too far.
 */
static bool search(MaeLbfgs *l, double *value, const double *x, const MaeLbfgsGoal *goal)
{
    const size_t n = l->count;
    const double slope = dot(l->direction, l->grad, n);
    const bool scaled = l->iterations > 0 || goal->scale != NULL;
    double near = 0.0, far = (double)INFINITY;
    double t = scaled ? 1.0 : fmin(1.0, 1.0 / sqrt(-slope));

    for (int trial = 0; trial < TRIALS && slope < 0.0; trial++) {
        double rise;

        memcpy(l->next, x, n * sizeof *x);
        axpy(l->next, t, l->direction, n);
        *value = goal->fn(goal->ctx, l->next_grad, l->next);
        l->evaluations++;
        rise = dot(l->direction, l->next_grad, n);
        if (!(*value <= l->value + DECREASE * t * slope) &&
            !(*value <= l->value + FLAT * fabs(l->value) &&
              rise <= (2.0 * DECREASE - 1.0) * slope))
            far = t;
        else if (rise < CURVATURE * slope)
            near = t;
        else
            return isfinite(rise);
        t = isfinite(far) ? 0.5 * (near + far) : 2.0 * t;
    }
    return false;
}

/* Go to the accepted point and remember the way. */
static void advance(MaeLbfgs *l, double *x, double value)
{
    const size_t n = l->count, k = l->iterations % MAE_LBFGS_MEMORY;
    double *step = l->steps + k * n, *change = l->changes + k * n;

    for (size_t i = 0; i < n; i++) {
        step[i] = l->next[i] - x[i];
        change[i] = l->next_grad[i] - l->grad[i];
    }
    l->step_change[k] = dot(step, change, n);
    memcpy(x, l->next, n * sizeof *x);
    memcpy(l->grad, l->next_grad, n * sizeof *l->grad);
    l->value = value;
    l->grad_max = largest(l->grad, n);
    l->iterations++;
}

MaeStatus mae_lbfgs_run(MaeLbfgs *lbfgs, double *x, const MaeLbfgsGoal *goal,
                        MaeError *err)
{
    double value;

    lbfgs->iterations = 0;
    lbfgs->evaluations = 1;
    lbfgs->value = goal->fn(goal->ctx, lbfgs->grad, x);
    lbfgs->grad_max = largest(lbfgs->grad, lbfgs->count);
    if (!isfinite(lbfgs->value) || !isfinite(dot(lbfgs->grad, lbfgs->grad, lbfgs->count)))
        MAE_FAIL(err, MAE_ERR_NUMERIC,
                 "lbfgs: expected a finite function at the start, got value %g, gradient "
                 "up to %g",
                 lbfgs->value, lbfgs->grad_max);
    while (lbfgs->grad_max > goal->tolerance && lbfgs->iterations < goal->iterations) {
        find_direction(lbfgs, goal);
        if (!search(lbfgs, &value, x, goal))
            break;
        advance(lbfgs, x, value);
        /* Rounding of a step can cost the curvature that the search saw. */
        if (!(lbfgs->step_change[(lbfgs->iterations - 1) % MAE_LBFGS_MEMORY] > 0.0))
            break;
    }
    return MAE_OK;
}
