#include "gemm_reference.h"

#include <math.h>
#include <stdlib.h>

#include "support/operand.h"
#include "support/test.h"

const RefKind ref_kinds[KINDS] = {
    {MAE_GEMM_OPENBLAS, MAE_F32},
    {MAE_GEMM_ONEDNN, MAE_F32},
    {MAE_GEMM_ONEDNN, MAE_BF16},
    {MAE_GEMM_BUILTIN, MAE_BF16},
};

const RefForm ref_forms[FORMS] = {
    {"nt", MAE_GEMM_NT, mae_gemm_nt, false, true},
    {"nn", MAE_GEMM_NN, mae_gemm_nn, false, false},
    {"tn", MAE_GEMM_TN, mae_gemm_tn, true, false},
};

MaeGemm *ref_open_kind(size_t kind, size_t threads)
{
    const MaeGemmOptions options = {ref_kinds[kind].type, ref_kinds[kind].backend,
                                    threads};
    MaeError err = {0};
    MaeGemm *gemm;

    if (!test_can_multiply(options.operand) ||
        (options.backend == MAE_GEMM_ONEDNN && !test_has_onednn()))
        return NULL;
    ck_assert_ok(mae_gemm_open(&gemm, &options, &err));
    return gemm;
}

/* Random floats; what lies between the rows must not be read. */
static float *matrix(size_t rows, size_t columns, size_t ld, uint64_t salt)
{
    float *x = ref_floats(rows * ld, salt, 1.0f, 0.0f);

    for (size_t i = 0; i < rows * ld; i++) {
        if (i % ld >= columns)
            x[i] = NAN;
    }
    return x;
}

RefData ref_make(const RefForm *f, MaeDtype type, const RefCase *c)
{
    const size_t a_rows = f->a_turned ? c->k : c->m, a_columns = c->m + c->k - a_rows;
    const size_t b_rows = f->b_turned ? c->n : c->k, b_columns = c->n + c->k - b_rows;
    RefData d = {.lda = a_columns + c->pad,
                 .ldb = b_columns + 2 * c->pad,
                 .ldc = c->n + 3 * c->pad};

    d.a = matrix(a_rows, a_columns, d.lda, c->m);
    d.b = matrix(b_rows, b_columns, d.ldb, c->n + 1000);
    d.c = ref_floats(c->m * d.ldc, c->k + 2000, 1.0f, 0.0f);
    d.bias = ref_floats(c->n, c->k + 3000, 3.0f, 0.0f);
    d.res = matrix(c->m, c->n, d.ldc, c->k + 4000);
    test_round(d.a, a_rows * d.lda, type);
    test_round(d.b, b_rows * d.ldb, type);
    test_round(d.c, c->m * d.ldc, c->out);
    d.a_operand = test_operand(d.a, a_rows * d.lda, type);
    d.b_operand = test_operand(d.b, b_rows * d.ldb, type);
    d.c_operand = test_operand(d.c, c->m * d.ldc, c->out);
    for (size_t i = 0; c->res != RES_SELF && i < c->m * d.ldc; i++) {
        if (i % d.ldc >= c->n)
            continue; /* C is written, not read */
        if (c->out == MAE_F32)
            ((float *)d.c_operand.data)[i] = NAN;
        else
            ((uint16_t *)d.c_operand.data)[i] = mae_bf16(NAN);
    }
    return d;
}

void ref_drop(RefData *d)
{
    void *const owned[] = {d->a,
                           d->b,
                           d->c,
                           d->bias,
                           d->res,
                           d->a_operand.data,
                           d->b_operand.data,
                           d->c_operand.data};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
}

void ref_multiply(const MaeGemm *gemm, const RefForm *f, const RefCase *c,
                  const RefData *d)
{
    const float *res = c->res == RES_NONE    ? NULL
                       : c->res == RES_OTHER ? d->res
                                             : (const float *)d->c_operand.data;

    f->run(gemm, d->c_operand, d->ldc, d->a_operand.data, d->lda, d->b_operand.data,
           d->ldb, c->m, c->n, c->k, c->has_bias ? d->bias : NULL, res);
}

static double element(const RefForm *f, const RefCase *c, const RefData *d, size_t i,
                      size_t j)
{
    double sum = c->has_bias ? (double)d->bias[j] : 0.0;

    if (c->res != RES_NONE)
        sum += (double)(c->res == RES_OTHER ? d->res : d->c)[i * d->ldc + j];
    for (size_t p = 0; p < c->k; p++)
        sum += (double)(f->a_turned ? d->a[p * d->lda + i] : d->a[i * d->lda + p]) *
               (double)(f->b_turned ? d->b[j * d->ldb + p] : d->b[p * d->ldb + j]);
    return sum;
}

/* Sums of k products of about 1; half a unit in the last place of a bf16 result. */
void ref_check(const MaeGemm *gemm, const RefForm *f, const RefCase *c)
{
    RefData d = ref_make(f, mae_gemm_operand(gemm), c);
    float *got;

    ref_multiply(gemm, f, c, &d);
    got = test_floats(d.c_operand, c->m * d.ldc);
    for (size_t i = 0; i < c->m * d.ldc; i++) {
        const size_t row = i / d.ldc, column = i % d.ldc;
        const bool inside = column < c->n;
        const double want = inside ? element(f, c, &d, row, column) : (double)d.c[i];
        const double most = (inside ? 1e-6 * (4.0 + (double)c->k) : 0.0) +
                            (inside ? test_half_unit(want, c->out) : 0.0);

        ck_assert_msg(
            fabs((double)got[i] - want) <= most,
            "%s %s m %zu n %zu k %zu pad %zu bias %d res %d to %s at [%zu,%zu]: "
            "got %.9g, want %.9g, seed %llu",
            mae_gemm_backend(gemm), f->name, c->m, c->n, c->k, c->pad, c->has_bias,
            c->res, mae_dtype_name(c->out), row, column, (double)got[i], want,
            (unsigned long long)ref_seed());
    }
    free(got);
    ref_drop(&d);
}
