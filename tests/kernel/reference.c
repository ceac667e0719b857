#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/test.h"

uint64_t ref_seed(void)
{
    static uint64_t seed;

    if (seed == 0) {
        const char *text = getenv("MAE_TEST_SEED");

        seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
        (void)fprintf(stderr, "MAE_TEST_SEED=%llu\n", (unsigned long long)seed);
    }
    return seed;
}

const MaeRowsTable *ref_table(int i, MaeDtype *type)
{
    *type = (MaeDtype)(i % TEST_DTYPES);
    return mae_rows_table((size_t)(i / TEST_DTYPES));
}

void ref_shape(size_t i, size_t *rows, size_t *width)
{
    static const size_t wide[REF_SHAPES - 70] = {96,   127,  128,  192,  197,  255,  384,
                                                 511,  512,  513,  640,  768,  1000, 1023,
                                                 1024, 1025, 1280, 1536, 1537, 2000};
    MaeRng rng;

    mae_rng_init(&rng, ref_seed(), 0, i, MAE_RNG_TEST);
    *rows = 1 + mae_rng_below(&rng, 9);
    *width = i < 70 ? i + 1 : wide[i - 70];
}

float *ref_floats(size_t n, uint64_t salt, float scale, float shift)
{
    float *x = mae_test_normal(n > 0 ? n : 1, ref_seed(), salt);

    for (size_t i = 0; i < n; i++)
        x[i] = x[i] * scale + shift;
    return x;
}

float *ref_copy(const float *x, size_t n)
{
    float *copy = mae_test_alloc(n * sizeof *copy + 1);

    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

double *ref_doubles(size_t n)
{
    return mae_test_alloc(n * sizeof(double) + 1);
}

void ref_close_operand(const MaeRowsTable *t, const char *what, MaeOperand got,
                       const double *want, size_t rows, size_t width, double atol,
                       double rtol)
{
    float *values = test_floats(got, rows * width);
    double top = 0.0;

    for (size_t i = 0; i < rows * width; i++)
        top = fmax(top, fabs(want[i]));
    for (size_t i = 0; i < rows * width; i++) {
        const double off = fabs((double)values[i] - want[i]);
        const double most = atol + rtol * top + test_half_unit(want[i], got.type);

        if (!(off <= most))
            ck_abort_msg("%s %s %s [%zu,%zu] at [%zu,%zu]: got %.9g, want %.9g, off "
                         "%.3g, tolerance %.3g, seed %llu",
                         t->name, mae_dtype_name(got.type), what, rows, width, i / width,
                         i % width, (double)values[i], want[i], off, most,
                         (unsigned long long)ref_seed());
    }
    free(values);
}

void ref_close(const MaeRowsTable *t, const char *what, const float *got,
               const double *want, size_t rows, size_t width, double atol, double rtol)
{
    ref_close_operand(t, what, mae_operand_view(got), want, rows, width, atol, rtol);
}

void ref_nan_at(const MaeRowsTable *t, const char *what, MaeOperand got, size_t n,
                size_t first, size_t count)
{
    float *values = test_floats(got, n);

    for (size_t i = 0; i < n; i++)
        ck_assert_msg(isnan(values[i]) == (i - first < count),
                      "%s %s %s: element %zu of %zu is %g, NaN expected from %zu to %zu",
                      t->name, mae_dtype_name(got.type), what, i, n, (double)values[i],
                      first, first + count);
    free(values);
}

void ref_near(float got, float want, float tol)
{
    ck_assert_msg(fabsf(got - want) <= tol, "got %.9g, want %.9g, tolerance %.3g",
                  (double)got, (double)want, (double)tol);
}
