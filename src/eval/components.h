/**
 * @file components.h
 * Principal components of rows: the directions in which they differ most.
 *
 *   x - mean = sum over k of score_k axis_k,   axes orthonormal, falling variance
 *
 * Taken from the covariance of columns or from the products of rows, whichever matrix is
 * smaller; rows are read in chunks, so memory grows with the smaller side only.
 *
 * Source   Pearson 1901; Jolliffe, Principal Component Analysis, 2002.
 * Shapes   n rows, D columns, K components.
 * Signs    An axis is free to point either way: its component of the largest magnitude
 *          (the first of them) is positive.
 * Memory   An object owns its arrays; fitting takes about 4 min(n,D)^2 doubles more.
 * Errors   SHAPE if both sides exceed MAE_COMPONENTS_SIDE, NOMEM; NUMERIC if rows are not
 *          finite.
 * Threads  Fitting drives the pool; the bits do not depend on its size. OpenBLAS must
 *          have been set to one thread, as mae_gemm_open does.
 */
#ifndef MAE_EVAL_COMPONENTS_H
#define MAE_EVAL_COMPONENTS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/pool.h"

/** Larger matrices would take minutes. */
#define MAE_COMPONENTS_SIDE 8192

/** Zero-initialised is closed. */
typedef struct MaeComponents {
    size_t width, count; /* D, K */
    double *mean;        /* [D] */
    double *axes;        /* [K,D]; 0 where the rows have no further direction */
    double *deviation;   /* [K] standard deviation of the scores, over n */
    double *share;       /* [K] of the whole variance; 0 if there is none */
    MaeArena arena;      /* what the pointers above point into */
} MaeComponents;

/**
 * @param[out] components closed by the caller; closed on failure.
 * @param x [n,D], rows @p ld floats apart, n >= 1.  @param count K.
 * @param pool NULL: the calling thread alone.
 */
MaeStatus mae_components_fit(MaeComponents *components, const float *x, size_t ld,
                             size_t n, size_t width, size_t count, MaePool *pool,
                             MaeError *err);

/** Accepts NULL and a closed object. */
void mae_components_close(MaeComponents *components);

/** Score of a row [D] on component @p k. */
double mae_components_score(const MaeComponents *components, const float *row, size_t k);

/** @param[out] scores [n,K].  @param x [n,D], rows @p ld floats apart. */
void mae_components_scores(float *scores, const MaeComponents *components, const float *x,
                           size_t ld, size_t n);

#endif /* MAE_EVAL_COMPONENTS_H */
