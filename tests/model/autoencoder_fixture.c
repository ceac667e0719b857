#include "autoencoder_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

bool test_autoencoder_open(TestAutoencoder *bench, MaeDtype type, const MaeArch *arch,
                           double ratio, size_t batch, MaePredict predict, size_t threads)
{
    const size_t p = arch->grid.patch;
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    memset(bench, 0, sizeof *bench);
    if (!test_can_multiply(type))
        return false;
    bench->type = type;
    bench->batch = batch;
    test_compute_open(&bench->compute, type, threads);
    ck_assert_ok(mae_autoencoder_open(&bench->model, arch, &err));
    ck_assert_ok(mae_mask_define(&bench->mask, MAE_MASK_RANDOM, arch->grid.height / p,
                                 arch->grid.width / p, ratio, &err));
    mae_mask_reserve(&bench->mask, &measure, batch);
    mae_mask_reserve_scratch(&bench->scratch, &bench->mask, &measure);
    ck_assert_ok(mae_arena_open(&bench->masks, &measure, "masks", &err));
    mae_mask_reserve(&bench->mask, &bench->masks, batch);
    mae_mask_reserve_scratch(&bench->scratch, &bench->mask, &bench->masks);
    ck_assert_ok(mae_autoencoder_run_open(&bench->run, &bench->model,
                                          &bench->compute.compute, batch,
                                          bench->mask.visible, predict, true, &err));
    bench->w = mae_test_alloc(bench->model.table.total * sizeof(float));
    bench->dw = mae_test_alloc(bench->model.table.total * sizeof(float));
    return true;
}

void test_autoencoder_weights(TestAutoencoder *bench)
{
    free(bench->owned);
    bench->weights =
        test_weights(bench->w, bench->model.table.total, bench->type, &bench->owned);
}

void test_autoencoder_close(TestAutoencoder *bench)
{
    mae_autoencoder_run_close(&bench->run);
    mae_autoencoder_close(&bench->model);
    mae_arena_close(&bench->masks);
    test_compute_close(&bench->compute);
    free(bench->w);
    free(bench->dw);
    free(bench->owned);
}

void test_autoencoder_noise(TestAutoencoder *bench, const float *noise)
{
    for (size_t b = 0; b < bench->batch; b++)
        mae_mask_from_noise(&bench->mask, b, noise + b * bench->model.patches,
                            &bench->scratch);
}
