/**
 * @file solve.h
 * Normal equations in double: Gram matrices by tiles, and a Cholesky solver.
 *
 *   G[n,n] += X[R,n]^T X[R,n]        mae_solve_gram, one tile of G a call
 *   A[n,n] x = b, A = U^T U          mae_solve_spd
 *
 * Source   LAPACK dpotrf and dpotrs, as OpenBLAS brings them.
 * Shapes   f64, row-major, contiguous. Of a symmetric matrix the upper triangle counts;
 *          what lies below it is neither meant nor read. Sizes up to 2^31 - 1.
 * Results  A tile's bits depend on R, n and the tile: G is cut into tiles by n alone and
 *          adds its calls in their order, so that threads may share the tiles.
 * Memory   Never allocates; OpenBLAS keeps buffers of its own.
 * Errors   The solver: NUMERIC. Broken preconditions assert.
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
 * Solve A x = b for symmetric positive definite A and @p m right-hand sides.
 * @param[in,out] a [n,n] upper triangle; destroyed.
 * @param[in,out] b [m,n], one right-hand side a row; out: its solution.
 * @return NUMERIC if A is not positive definite or the solution not finite; b is of no
 *         use then.
 */
MaeStatus mae_solve_spd(double *a, double *b, size_t n, size_t m, MaeError *err);

#endif /* MAE_KERNEL_SOLVE_H */
