#include "train/pretrain_step.h"

#include <stdlib.h>

#include "support/operand.h"
#include "support/test.h"

enum { BATCH = 3, PIXELS = 2 * 8 * 12 };

static MaeConfig cfg;
static MaeGemm *gemm;
static MaePretrainStep step;
static MaeError err;
static float *w, *dw;
static size_t samples[BATCH] = {4, 0, 7};
static MaeBatch batch = {.samples = samples, .size = BATCH};

static void setup(void)
{
    static const char *const OVERRIDES[] = {
        "model.img_size=[8,12]", "model.patch_size=4",        "model.embed_dim=12",
        "model.depth=2",         "model.num_heads=3",         "model.decoder_embed_dim=8",
        "model.decoder_depth=1", "model.decoder_num_heads=2", "mask.strategy=grid",
        "mask.ratio=0.5",        "model.norm_pix_loss=true",  "train.seed=5"};

    ck_assert_ok(mae_config_read(&cfg, MAE_CONF_PRETRAIN, NULL, OVERRIDES,
                                 sizeof OVERRIDES / sizeof *OVERRIDES, &err));
    gemm = test_gemm(MAE_F32, 1);
    ck_assert_ok(
        mae_pretrain_step_open(&step, &cfg, 2, BATCH, &(MaeCompute){.gemm = gemm}, &err));
    w = calloc(2 * step.model.table.total, sizeof *w);
    ck_assert_ptr_nonnull(w);
    dw = w + step.model.table.total;
    mae_autoencoder_init(&step.model, w, 1);
    batch.images = mae_test_normal(BATCH * PIXELS, 3, 0);
}

static void teardown(void)
{
    free(batch.images);
    free(w);
    mae_pretrain_step_close(&step);
    mae_gemm_close(gemm);
}

START_TEST(model_and_masks_are_the_configuration)
{
    ck_assert_uint_eq(step.model.arch.grid.channels, 2);
    ck_assert_uint_eq(step.model.arch.grid.width, 12);
    ck_assert_uint_eq(step.model.arch.decoder_dim, 8);
    ck_assert(step.model.arch.norm_pix_loss);
    ck_assert_uint_eq(step.model.patches, 6);
    ck_assert_uint_eq(step.masks.mask.visible, 3);
    ck_assert_int_eq(step.masks.mask.kind, MAE_MASK_GRID);
}
END_TEST

/* Loss and gradients of the batch's own epoch; evaluations have masks of epoch 0. */
START_TEST(a_step_is_forward_and_backward)
{
    double loss, sum = 0.0;

    batch.epoch = 6;
    loss =
        mae_pretrain_step_run(&step, &batch, mae_weights_f32(w), dw, MAE_GRAD_ADD, 1.0);
    ck_assert_double_gt(loss, 0.0);
    ck_assert_double_eq(mae_pretrain_step_forward(&step, &batch, 7, mae_weights_f32(w)),
                        loss);
    ck_assert_double_ne(mae_pretrain_step_forward(&step, &batch, 0, mae_weights_f32(w)),
                        loss);
    for (size_t i = 0; i < step.model.table.total; i++)
        sum += (double)(dw[i] * dw[i]);
    ck_assert_double_gt(sum, 0.0);
}
END_TEST

START_TEST(a_batch_that_is_too_large_is_refused)
{
    MaePretrainStep large = {.seed = 0};

    ck_assert_fails(mae_pretrain_step_open(&large, &cfg, 2, (size_t)1 << 40,
                                           &(MaeCompute){.gemm = gemm}, &err),
                    MAE_ERR_NOMEM, "MB");
    mae_pretrain_step_close(&large);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pretrain step");
    TCase *tc = tcase_create("pretrain step");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, model_and_masks_are_the_configuration);
    tcase_add_test(tc, a_step_is_forward_and_backward);
    tcase_add_test(tc, a_batch_that_is_too_large_is_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
