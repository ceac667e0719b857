#include "probe_reference.h"

#include <math.h>
#include <stdlib.h>

#include "eval/accuracy.h"
#include "support/grad.h"

void ref_sample_open(RefSample *s, size_t count, size_t width, size_t ld, size_t classes,
                     float spread)
{
    float *means = mae_test_normal(classes * width, 3, 1);

    *s = (RefSample){.width = width, .classes = classes};
    s->values = mae_test_normal(count * ld, 3, 2);
    s->labels = mae_test_alloc(count * sizeof *s->labels);
    for (size_t i = 0; i < count; i++) {
        float *x = s->values + i * ld;
        const size_t label = (i * i + i / 7) % classes;

        s->labels[i] = (int64_t)label;
        for (size_t d = 0; d < width; d++)
            x[d] = d == REF_CONSTANT ? 0.1f : x[d] + spread * means[label * width + d];
        if (width > REF_FAR)
            x[REF_FAR] = 1000.0f + 0.01f * x[REF_FAR];
        test_fill(x + width, ld - width, NAN);
    }
    s->set = (MaeProbeSet){s->values, ld, s->labels, count};
    free(means);
}

void ref_sample_close(RefSample *s)
{
    free(s->values);
    free(s->labels);
}

double *ref_standardised(const RefSample *s)
{
    const size_t count = s->set.count, width = s->width;
    double *z = mae_test_alloc(count * (width + 1) * sizeof *z);

    for (size_t d = 0; d < width; d++) {
        double mean = 0.0, var = 0.0;

        for (size_t i = 0; i < count; i++)
            mean += (double)s->values[i * s->set.ld + d] / (double)count;
        for (size_t i = 0; i < count; i++)
            var += pow((double)s->values[i * s->set.ld + d] - mean, 2) / (double)count;
        if (var < 1e-20)
            var = 1.0;
        for (size_t i = 0; i < count; i++)
            z[i * (width + 1) + d] =
                ((double)s->values[i * s->set.ld + d] - mean) / sqrt(var);
    }
    for (size_t i = 0; i < count; i++)
        z[i * (width + 1) + width] = 1.0;
    return z;
}

/* Gaussian elimination with pivots. @param a [n,n+m] the system, overwritten. */
static void eliminate(double *a, size_t n, size_t m)
{
    const size_t ld = n + m;

    for (size_t i = 0; i < n; i++) {
        size_t best = i;

        for (size_t r = i + 1; r < n; r++)
            best = fabs(a[r * ld + i]) > fabs(a[best * ld + i]) ? r : best;
        for (size_t j = 0; j < ld; j++) {
            const double kept = a[i * ld + j];

            a[i * ld + j] = a[best * ld + j];
            a[best * ld + j] = kept;
        }
        for (size_t j = ld; j-- > i;)
            a[i * ld + j] /= a[i * ld + i];
        for (size_t r = 0; r < n; r++)
            for (size_t j = ld; r != i && j-- > i;)
                a[r * ld + j] -= a[r * ld + i] * a[i * ld + j];
    }
}

void ref_ridge(double *w, const RefSample *s, const double *z, double lambda,
               bool hold_out)
{
    const size_t n = s->width + 1, ld = n + s->classes;
    double *a = mae_test_alloc(n * ld * sizeof *a), count = 0.0;

    for (size_t i = 0; i < s->set.count; i++) {
        const double *x = z + i * n;

        if (hold_out && i % 10 == 0)
            continue;
        count += 1.0;
        for (size_t r = 0; r < n; r++) {
            for (size_t j = 0; j < n; j++)
                a[r * ld + j] += x[r] * x[j];
            a[r * ld + n + (size_t)s->labels[i]] += x[r];
        }
    }
    for (size_t r = 0; r + 1 < n; r++)
        a[r * ld + r] += lambda * count;
    eliminate(a, n, s->classes);
    for (size_t k = 0; k < s->classes; k++)
        for (size_t r = 0; r < n; r++)
            w[k * n + r] = a[r * ld + n + k];
    free(a);
}

void ref_logits(double *logits, const RefSample *s, const double *z, const double *w)
{
    const size_t n = s->width + 1;

    for (size_t i = 0; i < s->set.count; i++)
        for (size_t k = 0; k < s->classes; k++) {
            double sum = 0.0;

            for (size_t d = 0; d < n; d++)
                sum += z[i * n + d] * w[k * n + d];
            logits[i * s->classes + k] = sum;
        }
}

double ref_held_out(const RefSample *s, const double *logits)
{
    MaeAccuracy acc = {0};

    for (size_t i = 0; i < s->set.count; i += 10) {
        float row[16];

        for (size_t k = 0; k < s->classes; k++)
            row[k] = (float)logits[i * s->classes + k];
        mae_accuracy_add(&acc, row, &s->labels[i], 1, s->classes);
    }
    return mae_accuracy_top1(&acc);
}

double ref_logistic(double *grad, const RefSample *s, const double *z, const double *w)
{
    const size_t n = s->width + 1, count = s->set.count, classes = s->classes;
    double *p = mae_test_alloc(count * classes * sizeof *p), value = 0.0;

    ref_logits(p, s, z, w);
    for (size_t j = 0; j < classes * n; j++) {
        const double penalised = j % n < s->width ? w[j] : 0.0;

        grad[j] = penalised / (double)count;
        value += 0.5 * penalised * penalised / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        double *row = p + i * classes, most = row[0], sum = 0.0;

        for (size_t k = 1; k < classes; k++)
            most = fmax(most, row[k]);
        for (size_t k = 0; k < classes; k++)
            sum += exp(row[k] - most);
        value += (most + log(sum) - row[s->labels[i]]) / (double)count;
        for (size_t k = 0; k < classes; k++) {
            const double g = exp(row[k] - most) / sum - ((size_t)s->labels[i] == k);

            for (size_t d = 0; d < n; d++)
                grad[k * n + d] += g * z[i * n + d] / (double)count;
        }
    }
    free(p);
    return value;
}

double ref_largest(const double *x, size_t n)
{
    double most = 0.0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}
