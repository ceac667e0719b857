#include "eval/probe.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/accuracy.h"
#include "probe_reference.h"
#include "support/model.h"

static MaeError err;

enum { WIDTH = 12, LD = 15, CLASSES = 3 };

/* malloc'ed [K,D+1]: weights and bias of a probe. */
static double *joined(const MaeProbe *probe)
{
    const size_t n = probe->width + 1;
    double *w = mae_test_alloc(probe->classes * n * sizeof *w);

    for (size_t k = 0; k < probe->classes; k++) {
        for (size_t d = 0; d < probe->width; d++)
            w[k * n + d] = (double)probe->weight[k * probe->width + d];
        w[k * n + probe->width] = (double)probe->bias[k];
    }
    return w;
}

static float *logits_of(const MaeProbe *probe, const RefSample *s,
                        const MaeCompute *compute)
{
    float *logits = mae_test_alloc(s->set.count * s->classes * sizeof *logits);

    ck_assert_ok(mae_probe_logits(probe, logits, s->values, s->set.ld, s->set.count,
                                  compute, &err));
    return logits;
}

/* --- ridge ------------------------------------------------------------------------ */

START_TEST(ridge_solves_the_normal_equations)
{
    static const size_t counts[] = {203, 2, 9, 41, 1403};
    static const double lambdas[] = {1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5};
    double w[CLASSES * (WIDTH + 1)], *z, *want, best = -1.0, lambda = 0.0;
    TestCompute tc;
    MaeProbe probe;
    float *logits;
    RefSample s;

    test_compute_open(&tc, MAE_F32, 2);
    ref_sample_open(&s, counts[_i], WIDTH, LD, CLASSES, 0.4f);
    z = ref_standardised(&s);
    want = mae_test_alloc(s.set.count * CLASSES * sizeof *want);
    for (size_t i = 0; i < sizeof lambdas / sizeof *lambdas; i++) {
        ref_ridge(w, &s, z, lambdas[i], true);
        ref_logits(want, &s, z, w);
        if (ref_held_out(&s, want) > best) {
            best = ref_held_out(&s, want);
            lambda = lambdas[i];
        }
    }
    ref_ridge(w, &s, z, lambda, false);
    ref_logits(want, &s, z, w);
    ck_assert_ok(mae_probe_ridge(&probe, &s.set, WIDTH, CLASSES, &tc.compute, &err));
    ck_assert_double_eq(probe.lambda, lambda);
    ck_assert_double_eq(probe.held_out, best);
    ck_assert_uint_eq(probe.iterations, 0);
    logits = logits_of(&probe, &s, &tc.compute);
    test_close_to("logits", logits, want, s.set.count * CLASSES);
    for (size_t k = 0; k < CLASSES; k++)
        ck_assert_f32_eq(probe.weight[k * WIDTH + REF_CONSTANT], 0.0f);
    free(logits);
    free(want);
    free(z);
    mae_probe_done(&probe);
    ref_sample_close(&s);
    test_compute_close(&tc);
}
END_TEST

START_TEST(standardises)
{
    static const float values[4][2] = {{1, 7}, {3, 7}, {1, 7}, {3, 7}};
    static const int64_t labels[4] = {0, 1, 0, 1};
    const MaeProbeSet set = {values[0], 2, labels, 4};
    static const float tests[2][2] = {{3, 7}, {5, 9}};
    float logits[4];
    TestCompute tc;
    MaeProbe probe;

    test_compute_open(&tc, MAE_F32, 1);
    ck_assert_ok(mae_probe_ridge(&probe, &set, 2, 2, &tc.compute, &err));
    ck_assert_f32_eq(probe.mean[0], 2.0f);
    ck_assert_f32_eq(probe.scale[0], 1.0f);
    ck_assert_f32_eq(probe.mean[1], 7.0f);
    ck_assert_f32_eq(probe.scale[1], 1.0f);
    /* z = -1, 1, -1, 1: w = 0.5 / (1 + lambda), b = 0.5, and lambda is 1. */
    ck_assert_double_eq(probe.lambda, 1.0);
    ck_assert_double_eq_tol((double)probe.weight[2], 0.25, 1e-7);
    ck_assert_double_eq_tol((double)probe.bias[1], 0.5, 1e-7);
    ck_assert_ok(mae_probe_logits(&probe, logits, tests[0], 2, 2, &tc.compute, &err));
    ck_assert_double_eq_tol((double)logits[1], 0.75, 1e-6);
    ck_assert_double_eq_tol((double)logits[2], -0.25, 1e-6);
    ck_assert_ok(mae_probe_logits(&probe, logits, tests[0], 2, 0, &tc.compute, &err));
    mae_probe_done(&probe);
    mae_probe_done(&probe);
    mae_probe_done(NULL);
    ck_assert_ptr_null(probe.weight);
    test_compute_close(&tc);
}
END_TEST

/* --- logistic --------------------------------------------------------------------- */

/* Counts, widths, classes and spreads: noisy, two classes, separable, wider than tall. */
static const struct {
    size_t count, width, classes;
    float spread;
} problems[] = {
    {203, 12, 3, 0.4f}, {700, 9, 2, 0.1f}, {301, 12, 5, 6.0f}, {31, 40, 3, 0.5f}};

START_TEST(logistic_ends_where_the_gradient_is_zero)
{
    const size_t width = problems[_i].width, classes = problems[_i].classes;
    double *grad = mae_test_alloc(classes * (width + 1) * sizeof *grad), *w, *z, value;
    MaeAccuracy acc = {0};
    TestCompute tc;
    MaeProbe probe;
    float *logits;
    RefSample s;

    test_compute_open(&tc, MAE_F32, 2);
    ref_sample_open(&s, problems[_i].count, width, width + 2, classes,
                    problems[_i].spread);
    z = ref_standardised(&s);
    ck_assert_ok(mae_probe_logistic(&probe, &s.set, width, classes, &tc.compute, &err));
    w = joined(&probe);
    value = ref_logistic(grad, &s, z, w);
    ck_assert_double_le(ref_largest(grad, classes * (width + 1)), 1.01e-4);
    ck_assert_double_le(probe.grad_max, 1e-4);
    ck_assert_double_eq_tol(probe.loss, value, 1e-6);
    ck_assert_uint_ge(probe.iterations, 3);
    ck_assert_uint_le(probe.iterations, 60);
    for (size_t k = 0; k < classes; k++)
        ck_assert_f32_eq(probe.weight[k * width + REF_CONSTANT], 0.0f);
    logits = logits_of(&probe, &s, &tc.compute);
    mae_accuracy_add(&acc, logits, s.labels, s.set.count, classes);
    ck_assert_double_gt(mae_accuracy_top1(&acc), 1.0 / (double)classes);
    if (_i >= 2)
        ck_assert_uint_eq(acc.top1, acc.count);
    free(logits);
    free(grad);
    free(w);
    free(z);
    mae_probe_done(&probe);
    ref_sample_close(&s);
    test_compute_close(&tc);
}
END_TEST

START_TEST(logistic_equals_gradient_descent)
{
    double grad[CLASSES * (WIDTH + 1)] = {0}, want[CLASSES * (WIDTH + 1)] = {0}, *w, *z;
    double value, reached;
    TestCompute tc;
    MaeProbe probe;
    RefSample s;

    test_compute_open(&tc, MAE_F32, 1);
    ref_sample_open(&s, 203, WIDTH, LD, CLASSES, 0.2f);
    z = ref_standardised(&s);
    for (int i = 0; i < 2000; i++) {
        (void)ref_logistic(grad, &s, z, want);
        for (size_t j = 0; j < CLASSES * (WIDTH + 1); j++)
            want[j] -= grad[j];
    }
    value = ref_logistic(grad, &s, z, want);
    ck_assert_double_le(ref_largest(grad, CLASSES * (WIDTH + 1)), 1e-9);
    ck_assert_ok(mae_probe_logistic(&probe, &s.set, WIDTH, CLASSES, &tc.compute, &err));
    w = joined(&probe);
    reached = ref_logistic(grad, &s, z, w);
    ck_assert_double_ge(reached, value);
    ck_assert_double_le(reached, value + 1e-6);
    for (size_t j = 0; j < CLASSES * (WIDTH + 1); j++)
        ck_assert_double_eq_tol(w[j], want[j], 1e-3);
    free(w);
    free(z);
    mae_probe_done(&probe);
    ref_sample_close(&s);
    test_compute_close(&tc);
}
END_TEST

/* Eigenvalues of features differ by a factor of 100,000. */
START_TEST(logistic_copes_with_features_that_are_alike)
{
    const size_t width = 60;
    double grad[CLASSES * 61], *w, *z;
    TestCompute tc;
    MaeProbe probe;
    RefSample s;

    test_compute_open(&tc, MAE_F32, 2);
    ref_sample_open(&s, 703, width, width, CLASSES, 0.1f);
    for (size_t i = 0; i < s.set.count; i++)
        for (size_t d = 1; d < width; d++)
            s.values[i * width + d] += s.values[i * width + d - 1];
    z = ref_standardised(&s);
    ck_assert_ok(mae_probe_logistic(&probe, &s.set, width, CLASSES, &tc.compute, &err));
    w = joined(&probe);
    (void)ref_logistic(grad, &s, z, w);
    ck_assert_double_le(ref_largest(grad, CLASSES * (width + 1)), 1.01e-4);
    ck_assert_uint_le(probe.iterations, 20);
    free(w);
    free(z);
    mae_probe_done(&probe);
    ref_sample_close(&s);
    test_compute_close(&tc);
}
END_TEST

/* --- both ------------------------------------------------------------------------- */

typedef MaeStatus (*Fit)(MaeProbe *probe, const MaeProbeSet *train, size_t width,
                         size_t classes, const MaeCompute *compute, MaeError *err);

static const Fit fits[] = {mae_probe_ridge, mae_probe_logistic};

START_TEST(threads_leave_the_bits_alone)
{
    const size_t width = 131;
    float *logits[3];
    MaeProbe probes[3];
    RefSample s;

    ref_sample_open(&s, 9001, width, width + 1, CLASSES, 0.1f);
    for (size_t i = 0; i < 3; i++) {
        TestCompute tc;

        test_compute_open(&tc, MAE_F32, i + 1);
        ck_assert_ok(fits[_i](&probes[i], &s.set, width, CLASSES, &tc.compute, &err));
        logits[i] = logits_of(&probes[i], &s, &tc.compute);
        ck_assert_mem_eq(probes[i].weight, probes[0].weight,
                         CLASSES * width * sizeof(float));
        ck_assert_mem_eq(probes[i].bias, probes[0].bias, CLASSES * sizeof(float));
        ck_assert_mem_eq(logits[i], logits[0], 9001 * CLASSES * sizeof(float));
        ck_assert_uint_eq(probes[i].iterations, probes[0].iterations);
        ck_assert_double_eq(probes[i].held_out, probes[0].held_out);
        test_compute_close(&tc);
    }
    for (size_t i = 0; i < 3; i++) {
        free(logits[i]);
        mae_probe_done(&probes[i]);
    }
    ref_sample_close(&s);
}
END_TEST

/* Largest and smallest numbers there are, one class missing. */
START_TEST(bears_extreme_features)
{
    float values[20][3], logits[20][3];
    int64_t labels[20];
    const MaeProbeSet set = {values[0], 3, labels, 20};
    MaeAccuracy acc = {0};
    TestCompute tc;
    MaeProbe probe;

    test_compute_open(&tc, MAE_F32, 1);
    for (size_t i = 0; i < 20; i++) {
        labels[i] = i % 3 == 0 ? 2 : 0;
        values[i][0] = labels[i] == 2 ? FLT_MAX : -FLT_MAX;
        values[i][1] = i == 3 ? FLT_TRUE_MIN : 0.0f;
        values[i][2] = (float)i;
    }
    ck_assert_ok(fits[_i](&probe, &set, 3, 3, &tc.compute, &err));
    ck_assert_ok(
        mae_probe_logits(&probe, logits[0], set.values, 3, 20, &tc.compute, &err));
    mae_accuracy_add(&acc, logits[0], labels, 20, 3);
    ck_assert_uint_eq(acc.top1, 20);
    mae_probe_done(&probe);
    test_compute_close(&tc);
}
END_TEST

static void refused(const RefSample *s, size_t width, size_t classes,
                    const MaeCompute *compute, MaeStatus code, const char *text)
{
    for (size_t i = 0; i < 2; i++) {
        MaeProbe probe, before;

        memset(&before, 0x5a, sizeof before);
        memcpy(&probe, &before, sizeof probe);
        ck_assert_fails(fits[i](&probe, &s->set, width, classes, compute, &err), code,
                        text);
        ck_assert_mem_eq(&probe, &before, sizeof probe);
    }
}

START_TEST(refuses_what_cannot_be_fitted)
{
    TestCompute tc;
    RefSample s;

    test_compute_open(&tc, MAE_F32, 1);
    ref_sample_open(&s, 20, WIDTH, LD, CLASSES, 1.0f);
    refused(&s, 0, CLASSES, &tc.compute, MAE_ERR_ARG,
            "probe: expected at least one feature, got none");
    refused(&s, WIDTH, 1, &tc.compute, MAE_ERR_ARG,
            "probe: expected at least two classes, got 1");
    s.labels[13] = 3;
    refused(&s, WIDTH, CLASSES, &tc.compute, MAE_ERR_ARG,
            "probe: row 13: expected a label 0 .. 2, got 3");
    s.labels[13] = -1;
    refused(&s, WIDTH, CLASSES, &tc.compute, MAE_ERR_ARG, "got -1");
    s.labels[13] = 0;
    s.values[17 * LD + 11] = NAN;
    refused(&s, WIDTH, CLASSES, &tc.compute, MAE_ERR_NUMERIC,
            "probe: row 17, feature 11: expected a finite number, got nan");
    s.values[17 * LD + 11] = -INFINITY;
    refused(&s, WIDTH, CLASSES, &tc.compute, MAE_ERR_NUMERIC, "got -inf");
    for (size_t i = 0; i < 20; i++)
        s.labels[i] = 2;
    refused(&s, WIDTH, CLASSES, &tc.compute, MAE_ERR_ARG,
            "probe: expected labels of at least two classes, got class 2 alone");
    s.set.count = 0;
    refused(&s, WIDTH, CLASSES, &tc.compute, MAE_ERR_ARG,
            "probe: expected training rows, got none");
    ref_sample_close(&s);
    test_compute_close(&tc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_probe");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, ridge_solves_the_normal_equations, 0, 5);
    tcase_add_test(tc, standardises);
    tcase_add_loop_test(tc, logistic_ends_where_the_gradient_is_zero, 0, 4);
    tcase_add_test(tc, logistic_equals_gradient_descent);
    tcase_add_test(tc, logistic_copes_with_features_that_are_alike);
    tcase_add_loop_test(tc, threads_leave_the_bits_alone, 0, 2);
    tcase_add_loop_test(tc, bears_extreme_features, 0, 2);
    tcase_add_test(tc, refuses_what_cannot_be_fitted);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
