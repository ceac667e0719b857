/* Runs as a program that links the library starts them: mae/train.h alone. */
#include "mae/train.h"

#include <math.h>
#include <stdio.h>

#include "train/fixture.h"

static char *folder, config[1100], output[1100], train[1100];
static MaeTrainResult result;
static MaeError err;
static const MaeTrainHooks quiet = {.tool = NULL};

static void setup(void)
{
    FILE *out;

    folder = train_place();
    (void)snprintf(config, sizeof config, "%s/run.yaml", folder);
    (void)snprintf(output, sizeof output, "train.output_dir=%s/run", folder);
    (void)snprintf(train, sizeof train, "data.train=%s/train", folder);
    out = fopen(config, "w");
    ck_assert_ptr_nonnull(out);
    (void)fputs("model: {img_size: 8, patch_size: 4, embed_dim: 16, depth: 1, "
                "num_heads: 2}\n"
                "optim: {lr: 1.0e-3}\n"
                "train: {epochs: 2, batch_size: 5, threads: 1, report: false}\n",
                out);
    ck_assert_int_eq(fclose(out), 0);
    result = (MaeTrainResult){.epochs = 99};
    err = (MaeError){0};
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

START_TEST(pretraining_goes_by_the_file)
{
    const char *const overrides[] = {output, train, "model.decoder_embed_dim=16",
                                     "model.decoder_depth=1",
                                     "model.decoder_num_heads=2"};
    const size_t n = sizeof overrides / sizeof *overrides;

    ck_assert_ok(mae_pretrain_file(config, overrides, n, &quiet, &result, &err));
    ck_assert_uint_eq(result.epochs, 2);
    ck_assert_uint_eq(result.steps, 2 * (TRAIN_IMAGES / 5));
    ck_assert(isfinite(result.train_loss) && isnan(result.score));
    ck_assert(train_exists(folder, "run/last.h5"));
}
END_TEST

START_TEST(fine_tuning_goes_by_the_file)
{
    const char *const overrides[] = {output, train, "finetune.init=random",
                                     "train.epochs=3", "train.epochs=1"};
    const size_t n = sizeof overrides / sizeof *overrides;

    ck_assert_ok(mae_finetune_file(config, overrides, n, &quiet, &result, &err));
    ck_assert_uint_eq(result.epochs, 1); /* the later one wins */
    ck_assert(isfinite(result.train_loss));
    ck_assert(train_exists(folder, "run/last.h5"));
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    const char *const unknown[] = {"model.depht=1"};
    const char *const nothing[] = {output};

    ck_assert_fails(mae_pretrain_file("no.yaml", NULL, 0, &quiet, &result, &err),
                    MAE_ERR_IO, "no.yaml");
    ck_assert_fails(mae_pretrain_file(config, unknown, 1, &quiet, &result, &err),
                    MAE_ERR_ARG, "model.depht");
    ck_assert_fails(mae_finetune_file(NULL, nothing, 1, &quiet, &result, &err),
                    MAE_ERR_ARG, "data.train");
    ck_assert_uint_eq(result.epochs, 99);
    ck_assert(!train_exists(folder, "run"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    TCase *tc = tcase_create("files");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, pretraining_goes_by_the_file);
    tcase_add_test(tc, fine_tuning_goes_by_the_file);
    tcase_add_test(tc, what_is_wrong_is_told);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
