/**
 * @file probe_reference.h
 * Labelled features to probe, and both probes in double as their formulas.
 *
 * Shapes   As eval/probe.h; a reference's weights are [K,D+1], the last the bias.
 * Memory   Buffers come from malloc and are freed by the caller; out of memory aborts.
 */
#ifndef MAE_TESTS_EVAL_PROBE_REFERENCE_H
#define MAE_TESTS_EVAL_PROBE_REFERENCE_H

#include <stdbool.h>

#include "eval/probe.h"

/** A feature that never changes, and one far from 0 that hardly moves. */
enum { REF_CONSTANT = 4, REF_FAR = 7 };

/** Features around the means of their classes, and their labels. */
typedef struct RefSample {
    MaeProbeSet set;
    size_t width, classes;
    float *values;
    int64_t *labels;
} RefSample;

/** Class means are @p spread apart; what lies behind a row is NaN. */
void ref_sample_open(RefSample *s, size_t count, size_t width, size_t ld, size_t classes,
                     float spread);
void ref_sample_close(RefSample *s);

/** malloc'ed [N,D+1]: standardised features and a 1. */
double *ref_standardised(const RefSample *s);

/**
 * Normal equations, the 1 among the features without a penalty.
 * @param[out] w [K,D+1].  @param hold_out leave every tenth row out.
 */
void ref_ridge(double *w, const RefSample *s, const double *z, double lambda,
               bool hold_out);

/** @param[out] logits [N,K]. */
void ref_logits(double *logits, const RefSample *s, const double *z, const double *w);

/** Accuracy on every tenth row. */
double ref_held_out(const RefSample *s, const double *logits);

/** Objective of the logistic probe. @param[out] grad [K,D+1] its gradient at @p w. */
double ref_logistic(double *grad, const RefSample *s, const double *z, const double *w);

/** Largest absolute value. */
double ref_largest(const double *x, size_t n);

#endif /* MAE_TESTS_EVAL_PROBE_REFERENCE_H */
