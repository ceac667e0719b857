/**
 * @file model.h
 * What tests of models share: who computes, golden parameters, the optimiser.
 */
#ifndef MAE_TESTS_SUPPORT_MODEL_H
#define MAE_TESTS_SUPPORT_MODEL_H

#include "base/param.h"
#include "model/snapshot.h"
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

/** RGB images of 8x12 in patches of 4x4; width 12, 2 blocks of 3 heads; a decoder. */
extern const MaeArch test_small_arch;

/** A model as if from a file, with initial weights by @p seed, mean 0.5 and std 0.25;
 *  mae_loaded_model_close it. */
void test_loaded_open(MaeLoadedModel *loaded, MaeSnapshotKind kind, const MaeArch *arch,
                      uint64_t seed);

/** Read every parameter of the table from "<group>/<name>"; all must be there. */
void test_load_params(const char *path, const char *group, const MaeParamTable *table,
                      float *w);

/** The same of the trained parameters: a golden file's gradients. */
void test_load_trained(const char *path, const char *group, const MaeParamTable *table,
                       float *dw);

/** Compare every parameter that "<group>/<name>" holds; at least one, none unknown. */
void test_compare_params(const char *path, const char *group, const MaeParamTable *table,
                         const float *w, double atol, double rtol);

/**
 * Gradients of a bf16 run against those of an f32 run: of every trained tensor the
 * distance as vectors within @p most of the size of @p want.
 */
void test_compare_grads(const MaeParamTable *table, const float *got, const float *want,
                        double most);

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
