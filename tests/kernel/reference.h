/**
 * @file reference.h
 * What the kernel tests share: random shapes, double-precision comparison and the loop
 * over every table of row kernels this processor can run.
 *
 * Memory   Buffers come from malloc and are freed by the caller; out of memory aborts.
 */
#ifndef MAE_TESTS_KERNEL_REFERENCE_H
#define MAE_TESTS_KERNEL_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "kernel/rows_table.h"
#include "support/operand.h"

/** Tables there may be, see mae_rows_table. */
#define REF_TABLES 4

/** Seed of this run: the clock, or MAE_TEST_SEED; printed on stderr. */
uint64_t ref_seed(void);

/** Both operand types in every table: loop index of a test. */
#define REF_KINDS (REF_TABLES * TEST_DTYPES)

/** Table, or NULL, and operand type of kind @p i. */
const MaeRowsTable *ref_table(int i, MaeDtype *type);

/** Shapes every row kernel is tried with. */
#define REF_SHAPES 90

/** Case @p i: widths 1 .. 70, then wide ones up to 2000, rows random in 1 .. 9. */
void ref_shape(size_t i, size_t *rows, size_t *width);

/** malloc'ed standard normal floats, times @p scale plus @p shift. */
float *ref_floats(size_t n, uint64_t salt, float scale, float shift);

/** malloc'ed copy of [n] floats. */
float *ref_copy(const float *x, size_t n);

/** Zeroed doubles. */
double *ref_doubles(size_t n);

/**
 * |got - want| <= atol + rtol * max|want| everywhere, and half a unit in the last place
 * of operands in bf16; names table, quantity and shape.
 */
void ref_close_operand(const MaeRowsTable *t, const char *what, MaeOperand got,
                       const double *want, size_t rows, size_t width, double atol,
                       double rtol);

/** The same of floats. */
void ref_close(const MaeRowsTable *t, const char *what, const float *got,
               const double *want, size_t rows, size_t width, double atol, double rtol);

/** Of [n] elements exactly @p count from @p first on are NaN. */
void ref_nan_at(const MaeRowsTable *t, const char *what, MaeOperand got, size_t n,
                size_t first, size_t count);

/** |got - want| <= tol; NaN fails. */
void ref_near(float got, float want, float tol);

#endif /* MAE_TESTS_KERNEL_REFERENCE_H */
