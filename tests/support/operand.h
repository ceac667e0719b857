/**
 * @file operand.h
 * What tests of both precisions share: products, operands made of floats, and back.
 *
 * MAE_TEST_BACKEND (auto, openblas or onednn; default auto) says who multiplies f32.
 *
 * Memory   Buffers come from malloc and are freed by the caller; out of memory aborts.
 */
#ifndef MAE_TESTS_SUPPORT_OPERAND_H
#define MAE_TESTS_SUPPORT_OPERAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/operand.h"
#include "kernel/gemm.h"

/** Both operand types, to loop over. */
#define TEST_DTYPES 2

/** False, with a line on stderr, if nothing here multiplies @p type, or not the backend
 * that MAE_TEST_BACKEND asks for: skip the case. */
bool test_can_multiply(MaeDtype type);

/** Whether this build has oneDNN; a line on stderr if not. */
bool test_has_onednn(void);

/** What MAE_TEST_BACKEND asks for; auto for bf16. */
MaeGemmBackend test_backend(MaeDtype type);

/** Products of @p type on @p threads handles; closed by mae_gemm_close. */
MaeGemm *test_gemm(MaeDtype type, size_t threads);

/** malloc'ed operands nearest to [n] floats; free its data. */
MaeOperand test_operand(const float *x, size_t n, MaeDtype type);

/** malloc'ed floats of [n] operands. */
float *test_floats(MaeOperand x, size_t n);

/** Round [n] floats to what operands of @p type can hold. */
void test_round(float *x, size_t n, MaeDtype type);

/**
 * Weights of a run in @p type: f32 itself, or a malloc'ed copy of operands.
 * @param[out] owned to free; NULL in f32.
 */
MaeWeights test_weights(const float *w, size_t n, MaeDtype type, void **owned);

/** Half a unit in the last place of @p x as bf16, which rounding may cost; 0 in f32. */
double test_half_unit(double x, MaeDtype type);

/** |got - want| / |want|, both as one vector. */
double test_distance(const float *got, const float *want, size_t n);

#endif /* MAE_TESTS_SUPPORT_OPERAND_H */
