/**
 * @file rows_table.h
 * One table of row kernels per instruction set; private to src/kernel and its tests.
 *
 * rows_impl.c is compiled once per set and defines one table; the functions of rows.h and
 * adamw.h call through the best one. Contracts are in those headers.
 *
 * Errors   Cannot fail.
 * Threads  Reentrant; tables are constant.
 */
#ifndef MAE_KERNEL_ROWS_TABLE_H
#define MAE_KERNEL_ROWS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/operand.h"
#include "kernel/adamw.h"

/** Kernels of one instruction set. */
typedef struct MaeRowsTable {
    const char *name; /* "portable", "avx2", "avx512", "avx512bf16" */
    void (*layernorm)(MaeOperand y, float *mean, float *rstd, const float *x,
                      const float *gamma, const float *beta, size_t rows, size_t width,
                      float eps);
    void (*layernorm_grad)(float *dx, MaeOperand y, float *dgamma, float *dbeta,
                           const float *dres, const float *dy, const float *x,
                           const float *mean, const float *rstd, const float *gamma,
                           const float *beta, size_t rows, size_t width);
    void (*residual)(float *out, const float *res, const float *x, const float *scale,
                     size_t group, size_t rows, size_t width);
    void (*enter)(MaeOperand y, float *sum, const float *x, const float *scale,
                  size_t group, size_t rows, size_t width);
    void (*gelu)(MaeOperand y, MaeOperand x, size_t n);
    void (*gelu_grad)(MaeOperand dx, MaeOperand y, float *sum, MaeOperand x, size_t rows,
                      size_t width);
    void (*colsum)(float *sum, MaeOperand x, size_t rows, size_t width, size_t ld);
    void (*add)(float *y, const float *x, size_t n);
    void (*scale)(float *x, float a, size_t n);
    void (*axpy)(float *y, float a, const float *x, size_t n);
    void (*softmax)(MaeOperand p, float *lse, float *s, size_t rows, size_t width,
                    size_t ld, float scale);
    void (*softmax_grad)(MaeOperand p, MaeOperand ds, float *s, float *dp,
                         const float *lse, size_t rows, size_t width, size_t ld,
                         float scale);
    void (*cross_entropy)(double *loss, float *dlogits, const float *logits,
                          const float *targets, float grad_scale, size_t rows,
                          size_t classes);
    double (*sumsq)(const float *x, size_t n);
    bool (*finite)(const float *x, size_t n);
    bool (*adamw)(float *w, MaeOperand copy, float *m, float *v, const float *g, size_t n,
                  const MaeAdamWStep *step);
    void (*exp)(float *y, const float *x, size_t n);    /* y = e^x; for tests */
    void (*normal)(float *y, const float *x, size_t n); /* y = Phi(x); for tests */
} MaeRowsTable;

/** The fastest table this processor can run; never NULL. Costs a load after the first. */
const MaeRowsTable *mae_rows_best(void);

/** The @p i-th table, slowest first; NULL past the last one this processor can run. */
const MaeRowsTable *mae_rows_table(size_t i);

#endif /* MAE_KERNEL_ROWS_TABLE_H */
