/* Every configuration under experiments/ loads. */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "conf/config.h"
#include "support/test.h"

static void load_all(const char *pattern, MaeConfTool tool)
{
    glob_t files;

    ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
    ck_assert_uint_ge(files.gl_pathc, 3);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        MaeConfig config;
        MaeError err = {0};

        ck_assert_ok(mae_config_load(&config, tool, files.gl_pathv[i], NULL, 0, &err));
    }
    globfree(&files);
}

START_TEST(pretraining)
{
    load_all(EXPERIMENTS "/*/pretrain.yaml", MAE_CONF_PRETRAIN);
}
END_TEST

START_TEST(finetuning)
{
    load_all(EXPERIMENTS "/*/finetune.yaml", MAE_CONF_FINETUNE);
}
END_TEST

/* The numbers that the published run of Fashion-MNIST is compared with. */
START_TEST(fashion_mnist_is_the_reference_run)
{
    MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(mae_config_load(&c, MAE_CONF_PRETRAIN,
                                 EXPERIMENTS "/fashion_mnist/pretrain.yaml", NULL, 0,
                                 &err));
    ck_assert_uint_eq(mae_config_patches(&c), 49);
    ck_assert_uint_eq(mae_config_visible(&c), 12);
    ck_assert_uint_eq(c.model.embed_dim, 128);
    ck_assert_uint_eq(c.model.depth, 4);
    ck_assert_uint_eq(c.model.num_heads, 4);
    ck_assert_uint_eq(c.model.decoder_embed_dim, 64);
    ck_assert_uint_eq(c.model.decoder_depth, 2);
    ck_assert_uint_eq(c.model.decoder_num_heads, 4);
    ck_assert(c.model.norm_pix_loss);
    ck_assert_double_eq(mae_config_lr(&c), 1e-3);
    ck_assert_uint_eq(mae_config_effective_batch(&c), 256);
    ck_assert_double_eq(c.optim.warmup_epochs, 1.0);
    ck_assert_double_eq(c.optim.min_lr, 0.0);
    ck_assert_uint_eq(c.train.epochs, 8);
}
END_TEST

START_TEST(imagenet_is_the_published_recipe)
{
    MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(mae_config_load(&c, MAE_CONF_PRETRAIN,
                                 EXPERIMENTS "/imagenet/pretrain.yaml", NULL, 0, &err));
    ck_assert_uint_eq(mae_config_effective_batch(&c), 4096);
    ck_assert_double_eq_tol(mae_config_lr(&c), 2.4e-3, 1e-12);
    ck_assert_ok(mae_config_load(&c, MAE_CONF_FINETUNE,
                                 EXPERIMENTS "/imagenet/finetune.yaml", NULL, 0, &err));
    ck_assert_uint_eq(mae_config_effective_batch(&c), 1024);
    ck_assert_double_eq_tol(mae_config_lr(&c), 2e-3, 1e-12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("experiments");
    TCase *tc = tcase_create("experiments");

    tcase_add_test(tc, pretraining);
    tcase_add_test(tc, finetuning);
    tcase_add_test(tc, fashion_mnist_is_the_reference_run);
    tcase_add_test(tc, imagenet_is_the_published_recipe);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
