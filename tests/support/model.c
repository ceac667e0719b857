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

const MaeArch test_small_arch = {
    .grid = {.channels = 3, .height = 8, .width = 12, .patch = 4},
    .embed_dim = 12,
    .depth = 2,
    .heads = 3,
    .mlp_ratio = 2.0,
    .decoder_dim = 8,
    .decoder_depth = 1,
    .decoder_heads = 2,
};

void test_loaded_open(MaeLoadedModel *loaded, MaeSnapshotKind kind, const MaeArch *arch,
                      uint64_t seed)
{
    const size_t channels = arch->grid.channels;
    MaeError err = {0};

    *loaded = (MaeLoadedModel){.snapshot = {.kind = kind, .arch = *arch}};
    loaded->snapshot.mean = mae_test_alloc(channels * sizeof(float));
    loaded->snapshot.std = mae_test_alloc(channels * sizeof(float));
    for (size_t c = 0; c < channels; c++) {
        loaded->snapshot.mean[c] = 0.5f;
        loaded->snapshot.std[c] = 0.25f;
    }
    ck_assert_ok(mae_snapshot_model_open(&loaded->model, kind, arch, &err));
    loaded->weights = mae_snapshot_alloc(mae_snapshot_model_table(&loaded->model));
    ck_assert_ptr_nonnull(loaded->weights);
    mae_loaded_model_init(loaded, seed);
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

static void load(const char *path, const char *group, const MaeParamTable *table,
                 float *to, unsigned but)
{
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];
        float *values;

        if (entry->flags & but)
            continue;
        values = read_param(path, group, entry);
        memcpy(to + entry->at.off, values, entry->at.count * sizeof *values);
        free(values);
    }
}

void test_load_params(const char *path, const char *group, const MaeParamTable *table,
                      float *w)
{
    load(path, group, table, w, 0);
}

void test_load_trained(const char *path, const char *group, const MaeParamTable *table,
                       float *dw)
{
    load(path, group, table, dw, MAE_PARAM_FIXED);
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

void test_compare_grads(const MaeParamTable *table, const float *got, const float *want,
                        double most)
{
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];
        const double off =
            test_distance(got + entry->at.off, want + entry->at.off, entry->at.count);

        ck_assert_msg((entry->flags & MAE_PARAM_FIXED) || off <= most,
                      "%s: off by %.3g of its size, tolerance %.3g", entry->name, off,
                      most);
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
