/**
 * @file solve.h
 * Normal equations in double: Gram matrices by tiles, and a Cholesky solver.
 *
 *   G[n,n] += X[R,n]^T X[R,n]        mae_solve_gram, one tile of G a call
 *   A[n,n] x = b, A = U^T U          mae_solve_factor, mae_solve_factored
 *
 * Source   LAPACK dpotrf and dpotrs, as OpenBLAS brings them.
 * Shapes   f64, row-major, contiguous. Of a symmetric matrix the upper triangle counts;
 *          what lies below it is neither meant nor read. Sizes up to 2^31 - 1.
 * Results  A tile's bits depend on R, n and the tile: G is cut into tiles by n alone and
 *          adds its calls in their order, so that threads may share the tiles.
 * Memory   Never allocates; OpenBLAS keeps buffers of its own.
 * Errors   Factorising: NUMERIC. Broken preconditions assert.
 * Threads  Reentrant; concurrent calls need distinct outputs or tiles. OpenBLAS must have
 *          been set to one thread, as mae_gemm_open does.
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

#endif /* MAE_KERNEL_SOLVE_H */
