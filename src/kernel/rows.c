#include "kernel/rows.h"

#include <stdatomic.h>

#include "base/machine.h"
#include "kernel/rows_table.h"

/* Defined by rows_impl.c, one object per instruction set. */
extern const MaeRowsTable mae_rows_portable;
#ifdef MAE_KERNEL_X86
extern const MaeRowsTable mae_rows_avx2;
extern const MaeRowsTable mae_rows_avx512;
extern const MaeRowsTable mae_rows_avx512bf16;
#endif

const MaeRowsTable *mae_rows_table(size_t i)
{
    if (i == 0)
        return &mae_rows_portable;
#ifdef MAE_KERNEL_X86
    if (i == 1 && mae_machine_has(MAE_ISA_AVX2))
        return &mae_rows_avx2;
    if (i == 2 && mae_machine_has(MAE_ISA_AVX512))
        return &mae_rows_avx512;
    if (i == 3 && mae_machine_has(MAE_ISA_AVX512_BF16))
        return &mae_rows_avx512bf16;
#endif
    return NULL;
}

/* The choice is the same whoever makes it, so threads may race to store it. */
const MaeRowsTable *mae_rows_best(void)
{
    static _Atomic(const MaeRowsTable *) chosen;
    const MaeRowsTable *best = atomic_load_explicit(&chosen, memory_order_relaxed);

    if (best != NULL)
        return best;
    for (size_t i = 0; mae_rows_table(i) != NULL; i++)
        best = mae_rows_table(i);
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
    return best;
}

const char *mae_rows_isa(void)
{
    return mae_rows_best()->name;
}

void mae_rows_layernorm(MaeOperand y, float *mean, float *rstd, const float *x,
                        const float *gamma, const float *beta, size_t rows, size_t width,
                        float eps)
{
    mae_rows_best()->layernorm(y, mean, rstd, x, gamma, beta, rows, width, eps);
}

void mae_rows_layernorm_grad(float *dx, MaeOperand y, float *dgamma, float *dbeta,
                             const float *dres, const float *dy, const float *x,
                             const float *mean, const float *rstd, const float *gamma,
                             const float *beta, size_t rows, size_t width)
{
    mae_rows_best()->layernorm_grad(dx, y, dgamma, dbeta, dres, dy, x, mean, rstd, gamma,
                                    beta, rows, width);
}

void mae_rows_residual(float *out, const float *res, const float *x, const float *scale,
                       size_t group, size_t rows, size_t width)
{
    mae_rows_best()->residual(out, res, x, scale, group, rows, width);
}

void mae_rows_enter(MaeOperand y, float *sum, const float *x, const float *scale,
                    size_t group, size_t rows, size_t width)
{
    mae_rows_best()->enter(y, sum, x, scale, group, rows, width);
}

void mae_rows_gelu(MaeOperand y, MaeOperand x, size_t n)
{
    mae_rows_best()->gelu(y, x, n);
}

void mae_rows_gelu_grad(MaeOperand dx, MaeOperand y, float *sum, MaeOperand x,
                        size_t rows, size_t width)
{
    mae_rows_best()->gelu_grad(dx, y, sum, x, rows, width);
}

void mae_rows_colsum(float *sum, MaeOperand x, size_t rows, size_t width, size_t ld)
{
    mae_rows_best()->colsum(sum, x, rows, width, ld);
}

void mae_rows_add(float *y, const float *x, size_t n)
{
    mae_rows_best()->add(y, x, n);
}

void mae_rows_scale(float *x, float a, size_t n)
{
    mae_rows_best()->scale(x, a, n);
}

void mae_rows_axpy(float *y, float a, const float *x, size_t n)
{
    mae_rows_best()->axpy(y, a, x, n);
}

void mae_rows_softmax(MaeOperand p, float *lse, float *s, size_t rows, size_t width,
                      size_t ld, float scale)
{
    mae_rows_best()->softmax(p, lse, s, rows, width, ld, scale);
}

void mae_rows_softmax_grad(MaeOperand p, MaeOperand ds, float *s, float *dp,
                           const float *lse, size_t rows, size_t width, size_t ld,
                           float scale)
{
    mae_rows_best()->softmax_grad(p, ds, s, dp, lse, rows, width, ld, scale);
}

void mae_rows_cross_entropy(double *loss, float *dlogits, const float *logits,
                            const float *targets, float grad_scale, size_t rows,
                            size_t classes)
{
    mae_rows_best()->cross_entropy(loss, dlogits, logits, targets, grad_scale, rows,
                                   classes);
}

double mae_rows_sumsq(const float *x, size_t n)
{
    return mae_rows_best()->sumsq(x, n);
}

bool mae_rows_finite(const float *x, size_t n)
{
    return mae_rows_best()->finite(x, n);
}
