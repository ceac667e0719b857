#include "classifier_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

enum { IMAGES = TEST_CLASSIFIER_IMAGES };

void test_classifier_open(TestClassifier *c, const MaeArch *arch,
                          const TestClassifierOptions *options)
{
    const MaePatchGrid *grid = &arch->grid;
    int64_t labels[IMAGES];
    MaeError err = {0};

    memset(c, 0, sizeof *c);
    test_compute_open(&c->compute, options->type, options->threads);
    ck_assert_ok(mae_classifier_open(&c->model, arch, &err));
    mae_classifier_freeze(&c->model, options->trained);
    ck_assert_ok(mae_classifier_run_open(&c->run, &c->model, &c->compute.compute, IMAGES,
                                         options->keep, &err));
    c->w = mae_test_alloc(c->model.table.total * sizeof(float));
    c->dw = mae_test_alloc(c->model.table.total * sizeof(float));
    c->images =
        mae_test_normal(IMAGES * grid->channels * grid->height * grid->width, 2, 2);
    c->targets = mae_test_alloc(IMAGES * arch->classes * sizeof(float));
    test_random_params(&c->model.table, c->w, 5);
    for (size_t i = 0; i < arch->embed_dim && arch->head == MAE_HEAD_BATCHNORM; i++)
        c->w[c->model.batchnorm.var.off + i] = 0.3f + 0.1f * (float)i;
    c->weights = test_weights(c->w, c->model.table.total, options->type, &c->owned);
    for (size_t i = 0; i < IMAGES; i++)
        labels[i] = (int64_t)(i * i % arch->classes);
    mae_classifier_targets(c->targets, labels, options->smoothing, IMAGES, arch->classes);
}

void test_classifier_close(TestClassifier *c)
{
    mae_classifier_run_close(&c->run);
    mae_classifier_close(&c->model);
    test_compute_close(&c->compute);
    free(c->w);
    free(c->dw);
    free(c->images);
    free(c->targets);
    free(c->owned);
}
