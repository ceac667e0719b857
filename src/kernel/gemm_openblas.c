#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/blas.h"
#include "kernel/gemm_driver.h"
#include "kernel/rows.h"

static int rank(MaeDtype operand)
{
    return operand == MAE_F32 ? 1 : 0;
}

/* First word after the name of "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...". */
static void describe(char *text, size_t size)
{
    char version[32] = "unknown version";

    (void)sscanf(openblas_get_config(), "OpenBLAS %31s", version);
    (void)snprintf(text, size, "%s %s", version, openblas_get_corename());
}

static MaeStatus blas_open(void **state, char *text, size_t size, size_t threads,
                           MaeError *err)
{
    *state = NULL;
    MAE_TRY(mae_blas_reserve(threads, err));
    describe(text, size);
    return MAE_OK;
}

static void blas_close(void *state)
{
    (void)state;
}

static void run_one(void *ctx, const MaeGemmShape *s, const MaeGemmData *d)
{
    float *c = d->c;

    (void)ctx;
    for (size_t r = 0; s->res == 1 && r < s->m; r++)
        memcpy(c + r * s->ldc, d->res + r * s->ldc, s->n * sizeof *c);
    cblas_sgemm(CblasRowMajor, s->form == MAE_GEMM_TN ? CblasTrans : CblasNoTrans,
                s->form == MAE_GEMM_NT ? CblasTrans : CblasNoTrans, (int)s->m, (int)s->n,
                (int)s->k, 1.0f, d->a, (int)s->lda, d->b, (int)s->ldb,
                s->res != 0 ? 1.0f : 0.0f, c, (int)s->ldc);
    for (size_t r = 0; s->has_bias && r < s->m; r++)
        mae_rows_add(c + r * s->ldc, d->bias, s->n);
}

static bool blas_run(void *state, size_t thread, const MaeGemmShape *s,
                     const MaeGemmData *d)
{
    (void)state;
    (void)thread;
    assert(s->m <= INT_MAX && s->n <= INT_MAX && s->k <= INT_MAX);
    assert(s->lda <= INT_MAX && s->ldb <= INT_MAX && s->ldc <= INT_MAX);
    if (s->operand != MAE_F32)
        return false;
    mae_gemm_each(s, d, run_one, NULL);
    return true;
}

const MaeGemmDriver mae_gemm_openblas = {
    .name = "OpenBLAS",
    .rank = rank,
    .open = blas_open,
    .close = blas_close,
    .run = blas_run,
};
