/**
 * @file solve.h
 * Symmetric matrices in double: Gram matrices by tiles, a Cholesky solver for normal
 * equations, eigenvectors for principal components.
 *
 *   G[n,n] += X[R,n]^T X[R,n]        mae_solve_gram, one tile of G a call
 *   A[n,n] x = b, A = U^T U          mae_solve_factor, mae_solve_factored
 *   A[n,n] = V^T diag(l) V           mae_solve_eigen
 *
 * Source   LAPACK dpotrf, dpotrs and dsyevd, as OpenBLAS brings them.
 * Shapes   f64, row-major, contiguous. Of a symmetric matrix the upper triangle counts;
 *          what lies below it is neither meant nor read. Sizes up to 2^31 - 1.
 * Results  A tile's bits depend on R, n and the tile: G is cut into tiles by n alone and
 *          adds its calls in their order, so that threads may share the tiles.
 * Memory   mae_solve_eigen allocates 2 n^2 numbers for its own use, the others nothing;
 *          OpenBLAS keeps buffers of its own.
 * Errors   Factorising: NUMERIC; eigenvectors: NUMERIC, NOMEM. Broken preconditions
 *          assert.
 * Threads  Reentrant; concurrent calls need distinct outputs or tiles. OpenBLAS must have
 *          been tamed and given memory (blas.h).
 */
#ifndef MAE_KERNEL_SOLVE_H
#define MAE_KERNEL_SOLVE_H

#include <stddef.h>

#include "base/status.h"

/** Tiles of the upper triangle of G [n,n]. */
size_t mae_solve_gram_tiles(size_t n);

/**
 * Add the products of @p rows rows to one tile of G.
 * @param[in,out] gram [n,n], accumulated; of a tile across the diagonal both halves.
 * @param x [R,n].  @param tile 0 .. mae_solve_gram_tiles(n) - 1.
 */
void mae_solve_gram(double *gram, const double *x, size_t rows, size_t n, size_t tile);

/**
 * Factorise a symmetric positive definite matrix.
 * @param[in,out] a [n,n] upper triangle; out: U.
 * @return NUMERIC if A is not positive definite, or not finite; its content is of no use
 *         then.
 */
MaeStatus mae_solve_factor(double *a, size_t n, MaeError *err);

/**
 * Solve A x = b for @p m right-hand sides.
 * @param u [n,n] as mae_solve_factor left it.
 * @param[in,out] b [m,n], one right-hand side a row; out: its solution.
 */
void mae_solve_factored(const double *u, double *b, size_t n, size_t m);

/**
 * All eigenvalues and eigenvectors of a symmetric matrix.
 * @param[out] values [n], falling; undefined on failure.
 * @param[in,out] a [n,n] upper triangle; out: row i is the eigenvector of values[i], of
 *        length 1, its component of the largest magnitude (the first of them) positive.
 * @return NUMERIC if A is not finite or the iteration does not converge; NOMEM. The
 *         content of @p a is of no use then.
 */
MaeStatus mae_solve_eigen(double *values, double *a, size_t n, MaeError *err);

#endif /* MAE_KERNEL_SOLVE_H */
