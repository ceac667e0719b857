#include "support/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "support/test.h"

void test_compute_open(TestCompute *compute, size_t threads)
{
    MaeError err = {0};

    memset(compute, 0, sizeof *compute);
    ck_assert_ok(mae_pool_open(&compute->pool, threads, &err));
    ck_assert_ok(mae_gemm_open(&compute->gemm, MAE_F32, &err));
    compute->compute = (MaeCompute){.pool = compute->pool, .gemm = compute->gemm};
}

void test_compute_close(TestCompute *compute)
{
    mae_gemm_close(compute->gemm);
    mae_pool_close(compute->pool);
}

static float *read_param(const char *path, const char *group, const MaeParamEntry *entry)
{
    char name[256];
    float *values;
    size_t n;

    (void)snprintf(name, sizeof name, "%s/%s", group, entry->name);
    values = mae_test_h5_floats(path, name, &n);
    ck_assert_msg(n == entry->at.count, "%s: %zu values, expected %zu", name, n,
                  entry->at.count);
    return values;
}

void test_load_params(const char *path, const char *group, const MaeParamTable *table,
                      float *w)
{
    for (size_t i = 0; i < table->count; i++) {
        float *values = read_param(path, group, &table->entries[i]);

        memcpy(w + table->entries[i].at.off, values,
               table->entries[i].at.count * sizeof *values);
        free(values);
    }
}

void test_compare_params(const char *path, const char *group, const MaeParamTable *table,
                         const float *w, double atol, double rtol)
{
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];
        float *want;

        if (entry->flags & MAE_PARAM_FIXED)
            continue;
        want = read_param(path, group, entry);
        mae_test_close(entry->name, w + entry->at.off, want, entry->at.count, atol, rtol);
        free(want);
    }
}

void test_compare_after(const char *path, const char *after, const char *before,
                        const MaeParamTable *table, const float *w, double lr_sum)
{
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];
        const float *got = w + entry->at.off;
        const size_t third = entry->at.count / 3;
        float *want = read_param(path, after, entry), *from;

        if (strstr(entry->name, "attn.qkv.bias") == NULL) {
            mae_test_close(entry->name, got, want, entry->at.count, 2e-5, 0.0);
        } else {
            from = read_param(path, before, entry);
            mae_test_close(entry->name, got, want, third, 2e-5, 0.0);
            mae_test_close(entry->name, got + third, from + third, third, lr_sum, 0.0);
            mae_test_close(entry->name, got + 2 * third, want + 2 * third, third, 2e-5,
                           0.0);
            free(from);
        }
        free(want);
    }
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

void test_adamw_open(TestAdamW *adamw, const MaeParamTable *table,
                     const MaeOptimConfig *config)
{
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    memset(adamw, 0, sizeof *adamw);
    ck_assert_ok(mae_optim_define(&adamw->optim, table, config, &err));
    mae_optim_reserve(&adamw->optim, &measure);
    ck_assert_ok(mae_arena_open(&adamw->arena, &measure, "optimiser", &err));
    mae_optim_reserve(&adamw->optim, &adamw->arena);
    mae_optim_init(&adamw->optim);
}

void test_adamw_close(TestAdamW *adamw)
{
    mae_arena_close(&adamw->arena);
}
