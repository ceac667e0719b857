#include "support/grad.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

void test_carve(MaeArena *arena, void (*reserve)(void *ctx, MaeArena *arena), void *ctx)
{
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    reserve(ctx, &measure);
    ck_assert_ok(mae_arena_open(arena, &measure, "test", &err));
    reserve(ctx, arena);
    ck_assert_ok(mae_arena_check(arena, "test", &err));
}

void test_param_is(const MaeParamTable *table, size_t index, const char *name,
                   const char *shape, unsigned flags)
{
    const MaeParamEntry *entry = &table->entries[index];
    char text[128];

    ck_assert_uint_lt(index, table->count);
    mae_param_shape_text(text, sizeof text, entry->shape, entry->ndim);
    ck_assert_str_eq(entry->name, name);
    ck_assert_msg(strcmp(text, shape) == 0, "%s: shape %s, expected %s", name, text,
                  shape);
    ck_assert_msg(entry->flags == flags, "%s: flags %u, expected %u", name, entry->flags,
                  flags);
}

void test_uniform(const char *name, const float *x, size_t n, double bound)
{
    /* Standard deviations of the mean and of the mean square of n uniform values. */
    const double mean_std = bound / sqrt(3.0 * (double)n);
    const double square_std = bound * bound * sqrt(4.0 / 45.0 / (double)n);
    double sum = 0.0, square = 0.0;

    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(fabs((double)x[i]) <= bound * (1.0 + 1e-6), "%s[%zu]: %g above %g",
                      name, i, (double)x[i], bound);
        sum += (double)x[i];
        square += (double)x[i] * (double)x[i];
    }
    ck_assert_msg(fabs(sum / (double)n) < 5.0 * mean_std, "%s: mean %g", name,
                  sum / (double)n);
    ck_assert_msg(fabs(square / (double)n - bound * bound / 3.0) < 5.0 * square_std,
                  "%s: mean square %g, expected %g", name, square / (double)n,
                  bound * bound / 3.0);
}

double *test_doubles(const float *x, size_t n)
{
    double *copy = mae_test_alloc(n * sizeof *copy);

    for (size_t i = 0; i < n; i++)
        copy[i] = (double)x[i];
    return copy;
}

float *test_copy(const float *x, size_t n)
{
    float *copy = mae_test_alloc(n * sizeof *copy);

    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

void test_fill(float *x, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        x[i] = value;
}

void test_close_to(const char *name, const float *got, const double *want, size_t n)
{
    float *rounded = mae_test_alloc(n * sizeof *rounded);

    for (size_t i = 0; i < n; i++)
        rounded[i] = (float)want[i];
    mae_test_close(name, got, rounded, n, 1e-7, 1e-5);
    free(rounded);
}

void test_close_as(MaeDtype type, const char *name, const float *got, const double *want,
                   size_t n, double bf16)
{
    float *rounded;
    double off;

    if (type == MAE_F32) {
        test_close_to(name, got, want, n);
        return;
    }
    rounded = mae_test_alloc(n * sizeof *rounded);
    for (size_t i = 0; i < n; i++)
        rounded[i] = (float)want[i];
    off = test_distance(got, rounded, n);
    ck_assert_msg(off <= bf16, "%s in %s: off by %.3g of its size, tolerance %.3g", name,
                  mae_dtype_name(type), off, bf16);
    free(rounded);
}

double test_dot(const double *a, const float *b, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * (double)b[i];
    return sum;
}

double *test_differences(double *x, size_t n, double (*loss)(void *ctx), void *ctx)
{
    const double step = 1e-5;
    double *grad = mae_test_alloc(n * sizeof *grad);

    for (size_t i = 0; i < n; i++) {
        const double kept = x[i];
        double up, down;

        x[i] = kept + step;
        up = loss(ctx);
        x[i] = kept - step;
        down = loss(ctx);
        x[i] = kept;
        grad[i] = (up - down) / (2.0 * step);
    }
    return grad;
}

void test_random_params(const MaeParamTable *table, float *w, uint64_t seed)
{
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];
        const bool gamma =
            strstr(entry->name, "norm") != NULL && strstr(entry->name, "weight") != NULL;
        float *values = mae_test_normal(entry->at.count, seed, i);

        for (size_t j = 0; j < entry->at.count; j++)
            w[entry->at.off + j] = (gamma ? 1.0f : 0.0f) + 0.3f * values[j];
        free(values);
    }
}

/*
 * f32 activations limit a difference quotient to about 1e-3 of the gradient's size; a
 * missing term is off by far more.
 */
void test_finite_differences(const MaeParamTable *table, float *w, const float *dw,
                             double (*loss)(void *ctx, const float *w), void *ctx)
{
    const float step = 4e-3f;
    double largest = 0.0;
    MaeRng rng;

    mae_rng_init(&rng, 77, 0, 0, MAE_RNG_TEST);
    for (size_t i = 0; i < table->total; i++)
        largest = fmax(largest, fabs((double)dw[i]));
    ck_assert_double_gt(largest, 0.0);
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];

        for (size_t k = 0; k < 6 && !(entry->flags & MAE_PARAM_FIXED); k++) {
            const size_t at =
                entry->at.off + (size_t)mae_rng_below(&rng, entry->at.count);
            const float kept = w[at];
            double up, down, want;

            w[at] = kept + step;
            up = loss(ctx, w);
            w[at] = kept - step;
            down = loss(ctx, w);
            w[at] = kept;
            want = (up - down) / (2.0 * (double)step);
            ck_assert_msg(fabs((double)dw[at] - want) <=
                              4e-3 * (fabs(want) + fabs((double)dw[at])) + 2e-4 * largest,
                          "%s[%zu]: gradient %.8g, central difference %.8g", entry->name,
                          at - entry->at.off, (double)dw[at], want);
        }
    }
}
