/**
 * @file gemm.h
 * Matrix products in the three orientations a linear layer needs.
 *
 *   forward          Y[R,O]  = X[R,I] W[O,I]^T     mae_gemm_nt
 *   input gradient   dX[R,I] = dY[R,O] W[O,I]      mae_gemm_nn
 *   weight gradient  dW[O,I] = dY[R,O]^T X[R,I]    mae_gemm_tn
 *
 * Shapes   Row-major f32. A leading dimension is the distance between rows in floats and
 *          at least the number of columns, so a column block of a wider matrix is passed
 *          by pointer and leading dimension, without a copy. Sizes up to 2^31 - 1.
 * Results  Repeatable: the same call gives the same bits on the same processor. The last
 *          bits depend on m, n and k, so work must be cut into tiles by shape, never by
 *          the number of threads.
 * Errors   Only opening can fail; broken preconditions assert.
 * Threads  A product runs in the calling thread alone. One context serves any number of
 *          threads. Opening sets the BLAS library of the whole process to one thread.
 */
#ifndef MAE_KERNEL_GEMM_H
#define MAE_KERNEL_GEMM_H

#include <stddef.h>

#include "base/status.h"

/** Number type of the operands A and B; C is always f32. */
typedef enum MaeDtype {
    MAE_F32,
    MAE_BF16,
} MaeDtype;

/** The backend of the products, read-only once open. */
typedef struct MaeGemm MaeGemm;

/**
 * Open the backend.
 * @param[out] gemm closed by mae_gemm_close; NULL on failure.
 * @param operand MAE_F32; MAE_BF16 is refused by this backend.
 * @return ARG for an operand type or a BLAS build that cannot be used (OpenBLAS with
 *         OpenMP threads hangs in forked children and ignores our thread pool), NOMEM.
 */
MaeStatus mae_gemm_open(MaeGemm **gemm, MaeDtype operand, MaeError *err);

/** Accepts NULL. The BLAS library stays at one thread. */
void mae_gemm_close(MaeGemm *gemm);

/** Library, version and core, e.g. "OpenBLAS 0.3.21 Cooperlake"; owned by @p gemm. */
const char *mae_gemm_backend(const MaeGemm *gemm);

/**
 * C[m,n] = A[m,k] B[n,k]^T + beta C.
 * @param[in,out] c [m,n], must not overlap @p a or @p b; not read if @p beta is 0.
 * @param beta 0 overwrites, 1 accumulates. With k = 0 the product is zero.
 */
void mae_gemm_nt(const MaeGemm *gemm, float *c, size_t ldc, const float *a, size_t lda,
                 const float *b, size_t ldb, size_t m, size_t n, size_t k, float beta);

/** C[m,n] = A[m,k] B[k,n] + beta C; otherwise as mae_gemm_nt. */
void mae_gemm_nn(const MaeGemm *gemm, float *c, size_t ldc, const float *a, size_t lda,
                 const float *b, size_t ldb, size_t m, size_t n, size_t k, float beta);

/** C[m,n] = A[k,m]^T B[k,n] + beta C; otherwise as mae_gemm_nt. */
void mae_gemm_tn(const MaeGemm *gemm, float *c, size_t ldc, const float *a, size_t lda,
                 const float *b, size_t ldb, size_t m, size_t n, size_t k, float beta);

#endif /* MAE_KERNEL_GEMM_H */
