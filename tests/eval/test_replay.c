#include "eval/replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/maskset.h"
#include "model/snapshot.h"
#include "store/h5out.h"
#include "support/checkpoint.h"
#include "support/model.h"
#include "support/test.h"

static const char *const goldens[] = {"mae_rgb.h5", "mae_gray.h5"};

/* Each dumped tensor must have the golden tensor's size and values. */
static void compare(const char *dump, const char *golden, const char *group,
                    const char *name, double rtol)
{
    char object[160];
    size_t n, count;
    float *got = mae_test_h5_floats(dump, name, &n), *want;

    (void)snprintf(object, sizeof object, "%s/%s", group, name);
    want = mae_test_h5_floats(golden, object, &count);
    ck_assert_msg(n == count, "%s: %zu values, expected %zu", name, n, count);
    mae_test_close(object, got, want, n, 0.0, rtol);
    free(got);
    free(want);
}

static void compare_grads(const char *dump, const char *golden, const char *group,
                          const MaeParamTable *table)
{
    size_t trained = 0;

    for (size_t i = 0; i < table->count; i++) {
        char name[MAE_PARAM_NAME + 8];

        (void)snprintf(name, sizeof name, "grads/%s", table->entries[i].name);
        if (table->entries[i].flags & MAE_PARAM_FIXED) {
            ck_assert_msg(!mae_test_h5_exists(dump, name), "%s is fixed", name);
            continue;
        }
        compare(dump, golden, group, name, 1e-4);
        trained++;
    }
    ck_assert_uint_gt(trained, 10);
}

/* Checkpoint written, loaded and replayed against every golden tensor. */
START_TEST(equals_golden_tensors)
{
    static const char *const exact[] = {"mask", "ids_restore", "target"};
    static const char *const close[] = {"latent", "pred", "loss"};
    const char *golden = mae_test_golden(goldens[_i / 2]);
    const char *group = _i % 2 ? "norm_pix_1" : "norm_pix_0";
    char *folder = mae_test_folder(), checkpoint[1100], dump[1100];
    MaeReplaySpec spec = {golden, dump, 0.0, true};
    MaeLoadedModel loaded;
    MaeReplayResult result;
    TestCompute compute;
    MaeError err = {0};

    (void)snprintf(checkpoint, sizeof checkpoint, "%s/mae.h5", folder);
    (void)snprintf(dump, sizeof dump, "%s/dump.h5", folder);
    test_golden_checkpoint(checkpoint, golden, _i % 2);
    test_compute_open(&compute, MAE_F32, 2);
    ck_assert_ok(mae_loaded_autoencoder_open(&loaded, checkpoint, &err));
    spec.mask_ratio = loaded.snapshot.mask_ratio;
    ck_assert_ok(mae_replay(&result, &spec, &loaded.model.as.autoencoder, loaded.weights,
                            &compute.compute, &err));
    for (size_t i = 0; i < 3; i++)
        compare(dump, golden, group, exact[i], 0.0);
    for (size_t i = 0; i < 3; i++)
        compare(dump, golden, group, close[i], 1e-5);
    compare_grads(dump, golden, group, &loaded.model.as.autoencoder.table);
    ck_assert_uint_eq(result.batch, (size_t)mae_test_h5_attr(golden, "/", "batch"));
    ck_assert_uint_eq((size_t)mae_test_h5_attr(dump, "/", "visible"), result.visible);
    ck_assert_uint_eq((size_t)mae_test_h5_attr(dump, "/", "norm_pix_loss"),
                      (size_t)(_i % 2));
    mae_loaded_model_close(&loaded);
    test_compute_close(&compute);
    mae_test_folder_remove(folder);
}
END_TEST

/* A small model with random weights, a folder and an input file in it. */
typedef struct Bench {
    MaeAutoencoder model;
    float *w;
    TestCompute compute;
    char *folder;
    char in[1100], out[1100];
} Bench;

static const MaeArch small = {.grid = {2, 8, 12, 4},
                              .embed_dim = 8,
                              .depth = 1,
                              .heads = 2,
                              .mlp_ratio = 2.0,
                              .decoder_dim = 4,
                              .decoder_depth = 1,
                              .decoder_heads = 1,
                              .norm_pix_loss = true};

enum { BATCH = 40, PATCHES = 6, PIXELS = 2 * 8 * 12 };

static void bench_open(Bench *b)
{
    MaeError err = {0};

    memset(b, 0, sizeof *b);
    ck_assert_ok(mae_autoencoder_open(&b->model, &small, &err));
    b->w = mae_test_alloc(b->model.table.total * sizeof *b->w);
    test_random_params(&b->model.table, b->w, 3);
    test_compute_open(&b->compute, MAE_F32, 1);
    b->folder = mae_test_folder();
    (void)snprintf(b->in, sizeof b->in, "%s/in.h5", b->folder);
    (void)snprintf(b->out, sizeof b->out, "%s/out.h5", b->folder);
}

static void bench_close(Bench *b)
{
    mae_autoencoder_close(&b->model);
    free(b->w);
    test_compute_close(&b->compute);
    mae_test_folder_remove(b->folder);
}

/* Shapes end at the first 0; NULL leaves a tensor out. */
static void write_input(const Bench *b, const size_t images[5], const size_t noise[5],
                        const float *pixels, const float *numbers)
{
    size_t dims[2] = {0, 0};
    MaeError err = {0};
    MaeH5Out *out;

    ck_assert_ok(mae_h5out_create(&out, b->in, &err));
    while (images != NULL && images[dims[0]] > 0)
        dims[0]++;
    while (noise != NULL && noise[dims[1]] > 0)
        dims[1]++;
    if (images != NULL)
        mae_h5out_floats(out, "images", pixels, images, dims[0]);
    if (noise != NULL)
        mae_h5out_floats(out, "noise", numbers, noise, dims[1]);
    ck_assert_ok(mae_h5out_commit(out, &err));
}

static MaeStatus replay(const Bench *b, double ratio, MaeReplayResult *result,
                        MaeError *err)
{
    const MaeReplaySpec spec = {b->in, b->out, ratio, true};

    return mae_replay(result, &spec, &b->model, b->w, &b->compute.compute, err);
}

/* More images than run at a time: loss and gradients are those of the whole batch. */
START_TEST(chunks_make_one_batch)
{
    static const size_t images[5] = {BATCH, 2, 8, 12}, noise[5] = {BATCH, PATCHES};
    float *pixels = mae_test_normal(BATCH * PIXELS, 5, 0), *dw, *latent;
    float *numbers = mae_test_normal(BATCH * PATCHES, 5, 1);
    MaeReplayResult result;
    MaeAutoencoderRun run;
    MaeMaskSet set;
    MaeError err = {0};
    double loss;
    size_t n;
    Bench b;

    bench_open(&b);
    write_input(&b, images, noise, pixels, numbers);
    ck_assert_ok(replay(&b, 0.5, &result, &err));
    ck_assert_ok(
        mae_maskset_open(&set, MAE_MASK_RANDOM, &small.grid, 0.5, BATCH, NULL, &err));
    for (size_t i = 0; i < BATCH; i++)
        mae_mask_from_noise(&set.mask, i, numbers + i * PATCHES, set.scratch);
    ck_assert_ok(mae_autoencoder_run_open(&run, &b.model, &b.compute.compute, BATCH,
                                          set.mask.visible, MAE_PREDICT_ALL, true, &err));
    loss = mae_autoencoder_forward(&run, mae_weights_f32(b.w), pixels, &set.mask, BATCH);
    dw = mae_test_alloc(b.model.table.total * sizeof *dw);
    mae_autoencoder_backward(&run, dw, MAE_GRAD_ADD, mae_weights_f32(b.w), &set.mask,
                             BATCH, 1.0);
    ck_assert_uint_eq(result.visible, 3);
    ck_assert_double_eq_tol(result.loss, loss, 1e-6 * loss);
    test_compare_params(b.out, "grads", &b.model.table, dw, 0.0, 1e-5);
    latent = mae_test_h5_floats(b.out, "latent", &n);
    ck_assert_uint_eq(n, BATCH * 4 * 8);
    mae_test_close("latent", run.latent.data, latent, n, 0.0, 1e-5);
    mae_autoencoder_run_close(&run);
    mae_maskset_close(&set);
    free(pixels);
    free(numbers);
    free(latent);
    free(dw);
    bench_close(&b);
}
END_TEST

typedef struct BadInput {
    size_t images[5], noise[5];
    const char *message;
} BadInput;

static const BadInput bad_inputs[] = {
    {{2, 3, 8, 12}, {2, PATCHES}, "images: expected [B,2,8,12]"},
    {{2, 2, 12, 8}, {2, PATCHES}, "found [2,2,12,8]"},
    {{2, 8, 12}, {2, PATCHES}, "images: expected [B,2,8,12]"},
    {{2, 2, 8, 12}, {2, PATCHES + 1}, "noise: expected [2,6] or [steps,2,6]"},
    {{2, 2, 8, 12}, {3, PATCHES}, "found [3,6]"},
    {{2, 2, 8, 12}, {1, 2, 5}, "noise: expected"},
    {{2, 2, 8, 12}, {12}, "noise: expected"},
    {{2, 2, 8, 12}, {1, 1, 2, PATCHES}, "noise: expected"},
    {{2, 2, 8, 12}, {0}, "noise"},
    {{0}, {2, PATCHES}, "images"},
};

START_TEST(misfitting_input_is_refused)
{
    const BadInput *bad = &bad_inputs[_i];
    float *zeros = mae_test_alloc(1000 * sizeof *zeros);
    MaeReplayResult result;
    MaeError err = {0};
    Bench b;

    bench_open(&b);
    write_input(&b, bad->images[0] > 0 ? bad->images : NULL,
                bad->noise[0] > 0 ? bad->noise : NULL, zeros, zeros);
    ck_assert_fails(replay(&b, 0.5, &result, &err), MAE_ERR_FORMAT, bad->message);
    ck_assert_msg(strstr(err.msg, b.in) != NULL, "%s", err.msg);
    ck_assert_int_ne(access(b.out, F_OK), 0);
    free(zeros);
    bench_close(&b);
}
END_TEST

START_TEST(numbers_must_be_finite)
{
    static const size_t images[5] = {2, 2, 8, 12}, noise[5] = {2, PATCHES};
    float *pixels = mae_test_normal(2 * PIXELS, 6, 0);
    float *numbers = mae_test_normal(2 * PATCHES, 6, 1);
    MaeReplayResult result;
    MaeError err = {0};
    Bench b;

    bench_open(&b);
    pixels[200] = NAN;
    write_input(&b, images, noise, pixels, numbers);
    ck_assert_fails(replay(&b, 0.5, &result, &err), MAE_ERR_NUMERIC,
                    "images: expected finite values, found nan at 200 of 384");
    pixels[200] = 0.0f;
    numbers[3] = INFINITY;
    write_input(&b, images, noise, pixels, numbers);
    ck_assert_fails(replay(&b, 0.5, &result, &err), MAE_ERR_NUMERIC, "noise: expected");
    numbers[3] = 0.0f;
    b.w[b.model.decoder_pred.weight.off] = NAN;
    write_input(&b, images, noise, pixels, numbers);
    ck_assert_fails(replay(&b, 0.5, &result, &err), MAE_ERR_NUMERIC, "the loss is");
    ck_assert_int_ne(access(b.out, F_OK), 0);
    free(pixels);
    free(numbers);
    bench_close(&b);
}
END_TEST

START_TEST(files_and_ratios_that_do_not_work)
{
    static const size_t images[5] = {1, 2, 8, 12}, noise[5] = {1, PATCHES};
    float *zeros = mae_test_alloc(PIXELS * sizeof *zeros);
    MaeReplayResult result;
    MaeError err = {0};
    Bench b;

    bench_open(&b);
    ck_assert_fails(replay(&b, 0.5, &result, &err), MAE_ERR_IO, "in.h5");
    mae_test_write(b.in, "not HDF5", 8);
    ck_assert_fails(replay(&b, 0.5, &result, &err), MAE_ERR_FORMAT, "in.h5");
    write_input(&b, images, noise, zeros, zeros);
    ck_assert_fails(replay(&b, 1.5, &result, &err), MAE_ERR_ARG, "1.5");
    ck_assert_fails(replay(&b, (double)NAN, &result, &err), MAE_ERR_ARG, "ratio");
    (void)snprintf(b.out, sizeof b.out, "%s/no/out.h5", b.folder);
    ck_assert_fails(replay(&b, 0.5, &result, &err), MAE_ERR_IO, "no/out.h5");
    /* Over itself: the input was read before. */
    (void)snprintf(b.out, sizeof b.out, "%s", b.in);
    ck_assert_ok(replay(&b, 0.0, &result, &err));
    ck_assert(mae_test_h5_exists(b.out, "pred"));
    ck_assert_double_eq(result.loss, 0.0);
    free(zeros);
    bench_close(&b);
}
END_TEST

int main(void)
{
    const int bad = (int)(sizeof bad_inputs / sizeof *bad_inputs);
    Suite *suite = suite_create("eval replay");
    TCase *tc = tcase_create("replay");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, equals_golden_tensors, 0, 4);
    tcase_add_test(tc, chunks_make_one_batch);
    tcase_add_loop_test(tc, misfitting_input_is_refused, 0, bad);
    tcase_add_test(tc, numbers_must_be_finite);
    tcase_add_test(tc, files_and_ratios_that_do_not_work);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
