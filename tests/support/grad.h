/**
 * @file grad.h
 * What tests of layers and models share: parameters to start from, memory, references in
 * double and central differences.
 *
 * A layer's test compares its forward pass with a reference in double, and its gradients
 * with central differences of that reference, at every element: they are exact to about
 * 1e-9. Where there is no reference, differences of the f32 loss itself must do.
 *
 * Memory   Buffers come from malloc and are freed by the caller; out of memory aborts.
 */
#ifndef MAE_TESTS_SUPPORT_GRAD_H
#define MAE_TESTS_SUPPORT_GRAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/param.h"
#include "support/operand.h"
#include "support/test.h"

/** Fail unless two floats are the same number; NaN never is. */
#define ck_assert_f32_eq(got, want) ck_assert_double_eq((double)(got), (double)(want))

/** Run @p reserve on a measuring arena and then on one of that size, opened here. */
void test_carve(MaeArena *arena, void (*reserve)(void *ctx, MaeArena *arena), void *ctx);

/** Fail unless parameter @p index has this name, shape ("[18,12]") and these flags. */
void test_param_is(const MaeParamTable *table, size_t index, const char *name,
                   const char *shape, unsigned flags);

/** Normal values of moderate size in every tensor, biases and norms included. */
void test_random_params(const MaeParamTable *table, float *w, uint64_t seed);

/** Fail unless [n] values look drawn from U(-bound, bound). */
void test_uniform(const char *name, const float *x, size_t n, double bound);

/** malloc'ed copy of [n] floats, as doubles or as they are. */
double *test_doubles(const float *x, size_t n);
float *test_copy(const float *x, size_t n);

/** Every element = @p value. */
void test_fill(float *x, size_t n, float value);

/** mae_test_close against a reference in double; 1e-5 of the largest value. */
void test_close_to(const char *name, const float *got, const double *want, size_t n);

/**
 * The same for results of operands of @p type: in bf16 the tensors' distance as vectors
 * must be within @p bf16 of the size of @p want.
 */
void test_close_as(MaeDtype type, const char *name, const float *got, const double *want,
                   size_t n, double bf16);

/** Sum of a * b in double. */
double test_dot(const double *a, const float *b, size_t n);

/**
 * malloc'ed central differences of @p loss at every element of @p x.
 * @param x [n] changed and restored; what @p loss reads.
 */
double *test_differences(double *x, size_t n, double (*loss)(void *ctx), void *ctx);

/**
 * Central differences of an f32 @p loss at a few elements of every trained tensor against
 * dw; 4e-3 of the gradient.
 * @param w changed and restored.
 */
void test_finite_differences(const MaeParamTable *table, float *w, const float *dw,
                             double (*loss)(void *ctx, const float *w), void *ctx);

#endif /* MAE_TESTS_SUPPORT_GRAD_H */
