/**
 * @file gemm.h
 * Matrix products in the three orientations a linear layer needs, with what is added to
 * them on the way out.
 *
 *   forward          Y[R,O]  = X[R,I] W[O,I]^T + bias + res     mae_gemm_nt
 *   input gradient   dX[R,I] = dY[R,O] W[O,I]                   mae_gemm_nn
 *   weight gradient  dW[O,I] += dY[R,O]^T X[R,I]                mae_gemm_tn
 *
 * Three backends: OpenBLAS (f32, any processor), code of our own (bf16, AVX-512 BF16) and
 * oneDNN (f32 and bf16; batches go to the other two, which are faster at them). oneDNN
 * needs a primitive for every shape. Those are made ahead of use by a rehearsal: between
 * mae_gemm_rehearse and mae_gemm_rehearsed a product computes nothing and only prepares
 * its shape, so the code that computes is also the code that plans. A shape nobody
 * rehearsed is prepared when it is met.
 *
 * Shapes   Row-major. A leading dimension is the distance between rows in elements and at
 *          least the number of columns, so a column block of a wider matrix is passed by
 *          pointer and leading dimension, without a copy. A packed B has none
 *          (MAE_GEMM_PACKED). Sizes up to 2^31 - 1.
 * Types    A and B are operands of the type the context was opened for; C is f32 or that
 *          type. Sums are taken in f32 and rounded once.
 * Results  Repeatable: the same call gives the same bits on the same processor. The last
 *          bits depend on m, n and k, so work must be cut into tiles by shape, never by
 *          the number of threads.
 * Errors   Only opening and rehearsing can fail; a product whose primitive could not be
 *          made is computed by plain loops. Broken preconditions assert.
 * Threads  A handle serves one thread, mae_gemm_thread finds that of another; a product
 *          runs in the calling thread alone. Opening sets the BLAS library of the whole
 *          process to one thread.
 */
#ifndef MAE_KERNEL_GEMM_H
#define MAE_KERNEL_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/operand.h"
#include "base/status.h"

/** Which library multiplies. */
typedef enum MaeGemmBackend {
    MAE_GEMM_AUTO, /* the fastest for the operands here */
    MAE_GEMM_OPENBLAS,
    MAE_GEMM_ONEDNN,
    MAE_GEMM_BUILTIN, /* bf16 only */
} MaeGemmBackend;

typedef struct MaeGemmOptions {
    MaeDtype operand; /* default f32 */
    MaeGemmBackend backend;
    size_t threads; /* handles that are needed; 0: as mae_pool_open */
} MaeGemmOptions;

/** One thread's end of the backend. */
typedef struct MaeGemm MaeGemm;

/** How A and B are stored: n as they are read, t turned. */
typedef enum MaeGemmForm { MAE_GEMM_NT, MAE_GEMM_NN, MAE_GEMM_TN } MaeGemmForm;

/** Many products of one shape: how many, and elements from one matrix to the next. */
typedef struct MaeGemmBatch {
    size_t count;
    size_t a, b, c;
} MaeGemmBatch;

/** True if this build and processor multiply operands of @p type without emulation. */
bool mae_gemm_native(MaeDtype type);

/**
 * Open the backend.
 * @param[out] gemm handle of thread 0, closed by mae_gemm_close; NULL on failure.
 * @return ARG for a backend that is not built, an operand type it does not multiply, or a
 *         BLAS build that cannot be used (OpenBLAS with OpenMP threads hangs in forked
 *         children and ignores our thread pool), NOMEM.
 */
MaeStatus mae_gemm_open(MaeGemm **gemm, const MaeGemmOptions *options, MaeError *err);

/** @param gemm any handle; all of them close. Accepts NULL. */
void mae_gemm_close(MaeGemm *gemm);

/** Handle of thread @p thread, below the number of threads it was opened for. */
const MaeGemm *mae_gemm_thread(const MaeGemm *gemm, size_t thread);

/** Handles there are. */
size_t mae_gemm_threads(const MaeGemm *gemm);

/** What it was opened with, the number of threads found out: to open others like it. */
MaeGemmOptions mae_gemm_options(const MaeGemm *gemm);

/** Type of the operands A and B. */
MaeDtype mae_gemm_operand(const MaeGemm *gemm);

/** Who and for what: "OpenBLAS 0.3.21 Cooperlake", "built-in avx512_bf16"; owned. */
const char *mae_gemm_backend(const MaeGemm *gemm);

/**
 * From here on products only prepare their shapes.
 * @return false, and nothing changes, if the backend has nothing to prepare.
 */
bool mae_gemm_rehearse(const MaeGemm *gemm);

/** End of the rehearsal. @return NOMEM if a shape could not be prepared. */
MaeStatus mae_gemm_rehearsed(const MaeGemm *gemm, MaeError *err);

/** Between mae_gemm_rehearse and mae_gemm_rehearsed. */
bool mae_gemm_rehearsing(const MaeGemm *gemm);

/**
 * Take @p bytes of operands at @p data for constant until mae_gemm_release: products
 * whose B lies there read a copy in the backend's own order, made when they are prepared,
 * which saves them from turning B at every call (4 to 12 % of a product). Up to 8 ranges;
 * more are not held, only slower.
 */
void mae_gemm_hold(const MaeGemm *gemm, const void *data, size_t bytes);

/** Drop the copies of what mae_gemm_hold got at @p data; no product may be running. */
void mae_gemm_release(const MaeGemm *gemm, const void *data);

/** Shapes prepared so far: constant once everything was rehearsed. */
size_t mae_gemm_shapes(const MaeGemm *gemm);

/** ldb of a B that mae_gemm_pack brought into another order. */
#define MAE_GEMM_PACKED 0

/**
 * Whether B [n,k] of mae_gemm_nt can be brought beforehand into the order in which the
 * backend reads it, so that no product has to turn it (2 to 4 % of features), in the same
 * memory. The built-in backend can for n divisible by 16, an even k and a @p b aligned to
 * 64 bytes.
 */
bool mae_gemm_packs(const MaeGemm *gemm, const void *b, size_t n, size_t k);

/**
 * Do it; mae_gemm_packs said yes. From then on only mae_gemm_nt of this backend can read
 * B, with the same n and k and MAE_GEMM_PACKED for ldb.
 * @param[in,out] b [n,k] operands, rows without gaps.
 * @param[out] scratch [n,k] operands.
 */
void mae_gemm_pack(const MaeGemm *gemm, void *b, size_t n, size_t k, void *scratch);

/**
 * C[m,n] = A[m,k] B[n,k]^T + bias + res. B may be packed.
 * @param[out] c [m,n], must not overlap @p a or @p b.
 * @param bias [n] or NULL.
 * @param res [m,n] f32, rows @p ldc apart, or NULL; may be C itself, which accumulates;
 *        needs an f32 C. With k = 0 the product is zero.
 */
void mae_gemm_nt(const MaeGemm *gemm, MaeOperand c, size_t ldc, const void *a, size_t lda,
                 const void *b, size_t ldb, size_t m, size_t n, size_t k,
                 const float *bias, const float *res);

/** C[m,n] = A[m,k] B[k,n] + bias + res; otherwise as mae_gemm_nt. */
void mae_gemm_nn(const MaeGemm *gemm, MaeOperand c, size_t ldc, const void *a, size_t lda,
                 const void *b, size_t ldb, size_t m, size_t n, size_t k,
                 const float *bias, const float *res);

/** C[m,n] = A[k,m]^T B[k,n] + bias + res; otherwise as mae_gemm_nt. */
void mae_gemm_tn(const MaeGemm *gemm, MaeOperand c, size_t ldc, const void *a, size_t lda,
                 const void *b, size_t ldb, size_t m, size_t n, size_t k,
                 const float *bias, const float *res);

/**
 * Products of two nested batches, e.g. of all heads of all images; no bias.
 * @param batch outer and inner.
 * @param accumulate C += AB; needs an f32 C.
 */
void mae_gemm_batch(const MaeGemm *gemm, MaeGemmForm form, MaeOperand c, size_t ldc,
                    const void *a, size_t lda, const void *b, size_t ldb, size_t m,
                    size_t n, size_t k, const MaeGemmBatch batch[2], bool accumulate);

#endif /* MAE_KERNEL_GEMM_H */
