#include "support/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

void test_compute_open(TestCompute *compute, MaeDtype type, size_t threads)
{
    MaeError err = {0};

    memset(compute, 0, sizeof *compute);
    ck_assert_ok(mae_pool_open(&compute->pool, threads, &err));
    compute->gemm = test_gemm(type, threads);
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
