/**
 * @file classifier_fixture.h
 * A small classifier, parts of it frozen, with random weights and images and a loss.
 */
#ifndef MAE_TESTS_MODEL_CLASSIFIER_FIXTURE_H
#define MAE_TESTS_MODEL_CLASSIFIER_FIXTURE_H

#include "model/classifier.h"
#include "support/model.h"

/** More than one tile. */
enum { TEST_CLASSIFIER_IMAGES = 30 };

typedef struct TestClassifier {
    MaeClassifier model;
    MaeClassifierRun run;
    TestCompute compute;
    float *w, *dw, *images, *targets;
    MaeWeights weights; /* w in the precision of the run */
    void *owned;
    double loss; /* of the last run, where a test notes it */
} TestClassifier;

/** How to open it. */
typedef struct TestClassifierOptions {
    MaeDtype type;
    size_t trained; /* halves of blocks that learn */
    MaeKeep keep;
    double smoothing; /* of the labels */
    size_t threads;
} TestClassifierOptions;

void test_classifier_open(TestClassifier *c, const MaeArch *arch,
                          const TestClassifierOptions *options);
void test_classifier_close(TestClassifier *c);

#endif /* MAE_TESTS_MODEL_CLASSIFIER_FIXTURE_H */
