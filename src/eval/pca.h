/**
 * @file pca.h
 * Principal components: the directions in which rows differ most, and where rows lie
 * along them.
 *
 *   C[n,D] = X - mean of its rows,   C^T C = V^T diag(l) V,   scores[n,K] = C V_K^T
 *
 * Taken from C C^T instead where there are fewer rows than columns, which is the same.
 *
 * Source   Pearson 1901; Jolliffe, Principal Component Analysis, 2002.
 * Shapes   n rows, D columns, K components; in double, scores rounded to f32.
 * Signs    Of each component, that for which mae_solve_eigen decides.
 * Memory   n D + 2 min(n,D)^2 numbers and what mae_solve_eigen takes, in double; freed.
 * Errors   NOMEM; NUMERIC if rows are not finite.
 * Threads  Drives the pool, with the same bits for any number of threads. OpenBLAS must
 *          have been set to one thread, as mae_gemm_open does.
 */
#ifndef MAE_EVAL_PCA_H
#define MAE_EVAL_PCA_H

#include <stddef.h>

#include "base/pool.h"
#include "base/status.h"

/**
 * @param[out] scores [n,K]; a component beyond min(n,D) is 0.
 * @param[out] shares [K] of the variance that each component has, 0 if there is none; may
 *             be NULL.
 * @param x [n,D], rows @p ld floats apart.  @param n at least 1.
 */
MaeStatus mae_pca_scores(float *scores, double *shares, const float *x, size_t ld,
                         size_t n, size_t width, size_t k, MaePool *pool, MaeError *err);

#endif /* MAE_EVAL_PCA_H */
