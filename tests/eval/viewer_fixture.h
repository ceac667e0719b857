/**
 * @file viewer_fixture.h
 * A small model with random weights that looks at random images, more than a run takes.
 */
#ifndef MAE_TESTS_EVAL_VIEWER_FIXTURE_H
#define MAE_TESTS_EVAL_VIEWER_FIXTURE_H

#include "eval/viewer.h"
#include "support/model.h"
#include "support/test.h"

enum {
    VIEW_COUNT = 18,
    VIEW_CHANNELS = 3,
    VIEW_HEIGHT = 12,
    VIEW_WIDTH = 20,
    VIEW_PATCH = 4,
    VIEW_PATCHES = 15,
    VIEW_PLANE = VIEW_HEIGHT * VIEW_WIDTH,
    VIEW_VALUES = VIEW_CHANNELS * VIEW_PLANE,
};

/** Everything open; images are normalised and shown between 0 and 1. */
typedef struct TestViewer {
    MaeAutoencoder model;
    TestCompute compute;
    float *w, *images; /* images [VIEW_COUNT,C,H,W] */
    MaeViewer viewer;
} TestViewer;

void test_viewer_open(TestViewer *v, bool norm_pix, bool oracle, size_t threads);
void test_viewer_close(TestViewer *v);

/** Images differ in mean and contrast, so that none stands for another.
 *  @param[out] image [C,H,W] of sample @p index. */
void test_viewer_image(float *image, size_t index);

#endif /* MAE_TESTS_EVAL_VIEWER_FIXTURE_H */
