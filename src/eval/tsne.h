/**
 * @file tsne.h
 * t-SNE: points in the plane whose neighbours are those of rows in many dimensions.
 *
 *   p_j|i  ~ exp(-|x_i - x_j|^2 b_i),  sum over j != i is 1,
 *            b_i such that 2^(entropy of row i in bits) is the perplexity
 *   p_ij   = (p_j|i + p_i|j) / 2n
 *   q_ij   = w_ij / Z,  w_ij = 1 / (1 + |y_i - y_j|^2),  Z = sum over k != l of w_kl
 *   KL     = sum p_ij log(p_ij / q_ij)
 *   dKL/dy_i = 4 sum over j of (p_ij - q_ij) w_ij (y_i - y_j)
 *
 * Exact: all pairs, no approximation. Descent with momentum and a gain for each
 * coordinate; while points find their places (first quarter, at most 250 iterations) p is
 * exaggerated twelvefold and momentum is 0.5, then 0.8. The learning rate is
 * max(n / 48, 50).
 *
 * Reading  Which points are together means something. Distances between groups, sizes of
 *          groups and the axes do not; another start gives another picture.
 * Source   van der Maaten and Hinton 2008, J. Mach. Learn. Res. 9; learning rate: Belkina
 *          et al. 2019, Nat. Commun. 10; start: Kobak and Berens 2019, the same.
 * Shapes   n rows of width D; f32.
 * Memory   4 n^2 bytes and a copy of the rows, freed.
 * Errors   ARG for n or perplexity; NUMERIC for rows that are not finite; NOMEM, also if
 *          less memory is free.
 * Threads  Drives the pool; rows are cut into tiles by n alone, so any number of threads
 *          gives the same bits.
 */
#ifndef MAE_EVAL_TSNE_H
#define MAE_EVAL_TSNE_H

#include <stddef.h>
#include <stdint.h>

#include "data/survey.h"
#include "nn/compute.h"

/** Rows, at most: 400 MB, a hundred seconds of a core; 2,000 rows take four. */
#define MAE_TSNE_MAX ((size_t)10000)

/** Where points begin, with a standard deviation of 1e-4. */
typedef enum MaeTsneStart {
    MAE_TSNE_PCA,    /* on the first two principal components; random where there is
                        nothing to tell rows apart */
    MAE_TSNE_RANDOM, /* normal, from the stream (seed, 0, 0, MAE_RNG_EMBED) */
} MaeTsneStart;

typedef struct MaeTsneOptions {
    double perplexity; /* neighbours that count, 30 in the field; 1 <= it < n - 1 */
    size_t iterations; /* 1000 in the field */
    MaeTsneStart start;
    uint64_t seed;
    MaeWatch watch; /* hears of iterations */
} MaeTsneOptions;

/**
 * @param[out] points [n,2], centred at 0.
 * @param[out] divergence KL of the result, in nats; may be NULL.
 * @param x [n,D], rows @p ld floats apart.  @param n 3 .. MAE_TSNE_MAX.
 * @param compute products opened for f32, with a handle for each thread of the pool.
 */
MaeStatus mae_tsne(float *points, double *divergence, const float *x, size_t ld, size_t n,
                   size_t width, const MaeTsneOptions *options, const MaeCompute *compute,
                   MaeError *err);

/* --- its parts -------------------------------------------------------------------- */

/**
 * Turn squared distances into p_j|i. Where so many rows are nearest and equally far that
 * the perplexity cannot be reached, those share the row.
 * @param[in,out] row [n].  @param self i: its own p is 0.
 */
void mae_tsne_calibrate(float *row, size_t n, size_t self, double perplexity);

/** @param[out] p [n,n] of rows x: symmetric, sum 1. NUMERIC or NOMEM. */
MaeStatus mae_tsne_affinities(float *p, const float *x, size_t ld, size_t n, size_t width,
                              double perplexity, const MaeCompute *compute,
                              MaeError *err);

/**
 * @param[out] gradient [2,n] of KL with p times @p exaggeration, x coordinates first.
 * @param[out] scratch [3,n].
 * @param p [n,n].  @param y [2,n].
 * @return Z.
 */
double mae_tsne_gradient(float *gradient, float *scratch, const float *p, const float *y,
                         size_t n, float exaggeration, MaePool *pool);

#endif /* MAE_EVAL_TSNE_H */
