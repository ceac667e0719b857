/**
 * @file model.h
 * What tests of models share: who computes, golden parameters, the optimiser.
 */
#ifndef MAE_TESTS_SUPPORT_MODEL_H
#define MAE_TESTS_SUPPORT_MODEL_H

#include "base/param.h"
#include "model/trunk.h"
#include "optim/optimizer.h"
#include "support/grad.h"

/** Pool and products of one thread count and precision. */
typedef struct TestCompute {
    MaeCompute compute;
    MaePool *pool;
    MaeGemm *gemm;
} TestCompute;

/** @p type of the operands; see support/operand.h for who multiplies. */
void test_compute_open(TestCompute *compute, MaeDtype type, size_t threads);
void test_compute_close(TestCompute *compute);

/** Read every parameter of the table from "<group>/<name>"; all must be there. */
void test_load_params(const char *path, const char *group, const MaeParamTable *table,
                      float *w);

/** Compare every parameter that "<group>/<name>" holds; at least one, none unknown. */
void test_compare_params(const char *path, const char *group, const MaeParamTable *table,
                         const float *w, double atol, double rtol);

/**
 * Compare parameters after optimiser steps: 2e-5 absolute, but the key third of qkv
 * biases, whose true gradient is zero, only has to stay within @p lr_sum of "<before>".
 */
void test_compare_after(const char *path, const char *after, const char *before,
                        const MaeParamTable *table, const float *w, double lr_sum);

typedef struct TestAdamW {
    MaeOptim optim;
    MaeArena arena;
} TestAdamW;

void test_adamw_open(TestAdamW *adamw, const MaeParamTable *table,
                     const MaeOptimConfig *config);
void test_adamw_close(TestAdamW *adamw);

#endif /* MAE_TESTS_SUPPORT_MODEL_H */
