/**
 * @file lbfgs.h
 * Minimise a smooth function of many variables: L-BFGS with the last ten steps.
 *
 *   x' = x + t d,   d = -H g,   H from the pairs s = x' - x, y = g' - g
 *
 * H starts as the multiple that suits the last pair of the identity, or of an inverse
 * Hessian that the caller knows roughly.
 *
 * The step t satisfies the weak Wolfe conditions, found by doubling and bisection:
 *
 *   f(x + t d) <= f(x) + 1e-4 t g.d      or, where f is flat to its rounding,
 *                                        f' <= f + 1e-6 |f| and g'.d <= -0.9998 g.d
 *   g'.d >= 0.9 g.d
 *
 * Source   Nocedal and Wright, Numerical Optimization, algorithm 7.4; the search after
 *          Lewis and Overton 2013; the flat case after Hager and Zhang 2005.
 * Shapes   n variables, f64.
 * Memory   24 n doubles of the caller's arena; never allocates.
 * Errors   NUMERIC if the function is not finite where it starts.
 * Threads  A minimiser belongs to one thread; the function may use others.
 */
#ifndef MAE_EVAL_LBFGS_H
#define MAE_EVAL_LBFGS_H

#include <stddef.h>

#include "base/arena.h"

/** Steps remembered. */
#define MAE_LBFGS_MEMORY 10

/** @param[out] grad [n] the gradient at @p x [n]. @return the function's value. */
typedef double (*MaeLbfgsFn)(void *ctx, double *grad, const double *x);

/** x = H x for a positive definite H near the inverse Hessian. @param[in,out] x [n]. */
typedef void (*MaeLbfgsScale)(void *ctx, double *x);

/** What is minimised and when to stop. */
typedef struct MaeLbfgsGoal {
    MaeLbfgsFn fn;
    MaeLbfgsScale scale; /* NULL: none */
    void *ctx;
    double tolerance;  /* on the largest element of the gradient */
    size_t iterations; /* at most */
} MaeLbfgsGoal;

/** Working memory, and after a run what came out. */
typedef struct MaeLbfgs {
    size_t count;                         /* n */
    double *grad, *direction;             /* [n] */
    double *next, *next_grad;             /* [n] of a trial step */
    double *steps, *changes;              /* [10,n] s and y, a ring */
    double step_change[MAE_LBFGS_MEMORY]; /* s.y of each, above 0 */
    double value;                         /* of the function */
    double grad_max;                      /* above the tolerance: it stopped early */
    size_t iterations, evaluations;
} MaeLbfgs;

/** Carve memory for @p count variables. */
void mae_lbfgs_reserve(MaeLbfgs *lbfgs, MaeArena *arena, size_t count);

/**
 * Minimise. Stops at the tolerance, after the given iterations, or where rounding hides
 * every further descent; grad_max tells.
 * @param[in,out] x [n] where to start; out: the last point.
 */
MaeStatus mae_lbfgs_run(MaeLbfgs *lbfgs, double *x, const MaeLbfgsGoal *goal,
                        MaeError *err);

#endif /* MAE_EVAL_LBFGS_H */
