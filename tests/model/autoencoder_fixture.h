/**
 * @file autoencoder_fixture.h
 * An autoencoder with weights, memory and masks, for tests of model/autoencoder.h.
 */
#ifndef MAE_TESTS_MODEL_AUTOENCODER_FIXTURE_H
#define MAE_TESTS_MODEL_AUTOENCODER_FIXTURE_H

#include "model/autoencoder.h"
#include "support/model.h"

typedef struct TestAutoencoder {
    MaeDtype type;
    MaeAutoencoder model;
    MaeAutoencoderRun run;
    TestCompute compute;
    MaeMask mask;
    MaeArena masks;
    MaeMaskScratch scratch;
    float *w, *dw;
    MaeWeights weights; /* of w, once test_autoencoder_weights was called */
    void *owned;        /* their operands in bf16 */
    size_t batch;
} TestAutoencoder;

/** @return false, and nothing is open, if there are no products of @p type. */
bool test_autoencoder_open(TestAutoencoder *bench, MaeDtype type, const MaeArch *arch,
                           double ratio, size_t batch, MaePredict predict,
                           size_t threads);
void test_autoencoder_close(TestAutoencoder *bench);

/** The model reads w as it is now. */
void test_autoencoder_weights(TestAutoencoder *bench);

/** Masks of the whole batch. @param noise [batch,patches]. */
void test_autoencoder_noise(TestAutoencoder *bench, const float *noise);

#endif /* MAE_TESTS_MODEL_AUTOENCODER_FIXTURE_H */
