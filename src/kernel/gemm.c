#include "kernel/gemm.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* What openblas_get_parallel() returns for a build over OpenMP. */
#define PARALLEL_OPENMP 2

struct MaeGemm {
    char backend[96];
};

/* First word after the name of "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...". */
static void describe(char *text, size_t size)
{
    char version[32] = "unknown version";

    (void)sscanf(openblas_get_config(), "OpenBLAS %31s", version);
    (void)snprintf(text, size, "OpenBLAS %s %s", version, openblas_get_corename());
}

MaeStatus mae_gemm_open(MaeGemm **gemm, MaeDtype operand, MaeError *err)
{
    *gemm = NULL;
    if (operand != MAE_F32)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "precision: expected f32, got bf16: OpenBLAS has no bf16 product here; "
                 "bf16 needs a build with oneDNN");
    if (openblas_get_parallel() == PARALLEL_OPENMP)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "OpenBLAS: expected the pthread or serial variant, found the OpenMP "
                 "variant, which can hang; install libopenblas0-pthread or select it "
                 "with update-alternatives");
    *gemm = calloc(1, sizeof **gemm);
    if (*gemm == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "gemm: out of memory for %zu bytes", sizeof **gemm);
    openblas_set_num_threads(1);
    describe((*gemm)->backend, sizeof(*gemm)->backend);
    return MAE_OK;
}

void mae_gemm_close(MaeGemm *gemm)
{
    free(gemm);
}

const char *mae_gemm_backend(const MaeGemm *gemm)
{
    return gemm->backend;
}

/* Operands of one product, before transposition is looked at. */
typedef struct Operand {
    CBLAS_TRANSPOSE trans;
    const float *data;
    size_t ld;
} Operand;

static void product(float *c, size_t ldc, Operand a, Operand b, size_t m, size_t n,
                    size_t k, float beta)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    assert(a.ld <= INT_MAX && b.ld <= INT_MAX && ldc <= INT_MAX);
    assert(ldc >= n && a.ld >= (a.trans == CblasNoTrans ? k : m));
    assert(b.ld >= (b.trans == CblasNoTrans ? n : k));
    if (m == 0 || n == 0)
        return;
    cblas_sgemm(CblasRowMajor, a.trans, b.trans, (int)m, (int)n, (int)k, 1.0f, a.data,
                (int)a.ld, b.data, (int)b.ld, beta, c, (int)ldc);
}

void mae_gemm_nt(const MaeGemm *gemm, float *c, size_t ldc, const float *a, size_t lda,
                 const float *b, size_t ldb, size_t m, size_t n, size_t k, float beta)
{
    (void)gemm;
    product(c, ldc, (Operand){CblasNoTrans, a, lda}, (Operand){CblasTrans, b, ldb}, m, n,
            k, beta);
}

void mae_gemm_nn(const MaeGemm *gemm, float *c, size_t ldc, const float *a, size_t lda,
                 const float *b, size_t ldb, size_t m, size_t n, size_t k, float beta)
{
    (void)gemm;
    product(c, ldc, (Operand){CblasNoTrans, a, lda}, (Operand){CblasNoTrans, b, ldb}, m,
            n, k, beta);
}

void mae_gemm_tn(const MaeGemm *gemm, float *c, size_t ldc, const float *a, size_t lda,
                 const float *b, size_t ldb, size_t m, size_t n, size_t k, float beta)
{
    (void)gemm;
    product(c, ldc, (Operand){CblasTrans, a, lda}, (Operand){CblasNoTrans, b, ldb}, m, n,
            k, beta);
}
