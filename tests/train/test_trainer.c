/* The step loop: budgets, accumulation, learning, numbers that are not finite. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/checkpoint.h"
#include "store/h5out.h"
#include "store/json.h"
#include "train/fixture.h"

static char *folder;
static TrainRun run;

static void setup(void)
{
    folder = train_place();
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

static void expect(const char *name, const char *overrides, MaeStatus status)
{
    train_expect(&run,
                 &(TrainSpec){.folder = folder, .name = name, .overrides = overrides},
                 status);
}

/* Field @p key of the line @p back lines before the end of steps.jsonl. */
static double logged(const char *name, const char *key, size_t back)
{
    char path[1200], *text, *line;
    MaeJson *record = NULL;
    MaeError err = {0};
    double value;
    size_t size;

    (void)snprintf(path, sizeof path, "%s/%s/steps.jsonl", folder, name);
    text = (char *)mae_test_read(path, &size);
    ck_assert_msg(text != NULL && size > 1, "%s is missing", path);
    for (;; back--) {
        text[size - 1] = '\0';
        line = strrchr(text, '\n');
        if (back == 0 || line == NULL)
            break;
        size = (size_t)(line - text) + 1;
    }
    line = line == NULL ? text : line + 1;
    ck_assert_ok(mae_json_parse(&record, line, strlen(line), path, &err));
    ck_assert(mae_json_get_real(record, key, &value));
    mae_json_free(record);
    free(text);
    return value;
}

/* Every session does one update; together they equal one long session. */
START_TEST(stop_after_saves_and_goes_on)
{
    expect("straight", "train.epochs=1", MAE_OK);
    for (size_t i = 1; i <= 6; i++) {
        expect("run", "train.epochs=1 train.stop_after=1e-9", MAE_ERR_INTERRUPTED);
        ck_assert_uint_eq(run.updates, 1);
        ck_assert_uint_eq(run.result.steps, i);
        ck_assert_ptr_nonnull(strstr(run.err.msg, "train.stop_after is over"));
    }
    expect("run", "train.epochs=1 train.stop_after=1e-9", MAE_OK);
    ck_assert_uint_eq(run.updates, 0);
    train_compare(folder, "straight", "run");
}
END_TEST

START_TEST(max_hours_ends_annealed)
{
    const char *overrides = "train.epochs=1000000 train.max_hours=1e-4 "
                            "train.preview_every=none optim.min_lr=1e-5 optim.lr=1e-3";
    TrainSpec spec = {
        .folder = folder, .name = "run", .overrides = overrides, .stop_at = 2};

    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    expect("run", overrides, MAE_OK);
    ck_assert_uint_gt(run.updates, 0);
    ck_assert_uint_lt(run.result.epochs, 1000000);
    ck_assert_double_le(run.result.seconds, 10.0);
    ck_assert(isfinite(run.result.train_loss));
    ck_assert(train_exists(folder, "run/last.h5"));
    /* the last update starts before the budget ends, on a busy machine well before */
    ck_assert_double_le(logged("run", "lr", 0), 0.5e-3);
    ck_assert_double_ge(logged("run", "lr", 0), 1e-5);
    expect("run", overrides, MAE_OK);
    ck_assert_uint_eq(run.updates, 0);
}
END_TEST

/* The same tensor of two runs. */
static void compare(const char *a, const char *b, const char *name, double atol,
                    double rtol)
{
    float *x, *y;
    size_t n, m;
    char path[2][1200];

    (void)snprintf(path[0], sizeof path[0], "%s/%s/last.h5", folder, a);
    (void)snprintf(path[1], sizeof path[1], "%s/%s/last.h5", folder, b);
    x = mae_test_h5_floats(path[0], name, &n);
    y = mae_test_h5_floats(path[1], name, &m);
    ck_assert_uint_eq(n, m);
    mae_test_close(name, x, y, n, atol, rtol);
    free(x);
    free(y);
}

/*
 * An epoch's order is cut into batches, so two batches of 3 hold the samples of one of 6.
 * Compared after one update: the first moment is the gradient, and the weights (a bias of
 * the keys, whose gradient is zero but for rounding, left out).
 */
START_TEST(accumulation_is_a_larger_batch)
{
    static const char *const TENSORS[] = {
        "optim/exp_avg/patch_embed.proj.weight", "optim/exp_avg/blocks.0.attn.qkv.weight",
        "optim/exp_avg/blocks.1.mlp.fc2.bias",   "optim/exp_avg/mask_token",
        "optim/exp_avg/decoder_pred.weight",     "params/patch_embed.proj.weight",
        "params/blocks.1.mlp.fc1.weight",        "params/decoder_pred.bias",
    };
    TrainSpec spec = {
        .folder = folder,
        .name = "large",
        .overrides = "data.first_n=24 data.augment=none train.batch_size=6 "
                     "optim.warmup_epochs=0 train.epochs=1",
        .stop_at = 1,
    };

    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    spec.name = "small";
    spec.overrides = "data.first_n=24 data.augment=none train.batch_size=3 "
                     "train.accum_iter=2 optim.warmup_epochs=0 train.epochs=1";
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    for (size_t i = 0; i < sizeof TENSORS / sizeof *TENSORS; i++)
        compare("large", "small", TENSORS[i], i < 5 ? 0.0 : 1e-5, i < 5 ? 1e-5 : 0.0);
    ck_assert_double_eq_tol(logged("large", "loss", 0), logged("small", "loss", 0), 1e-6);
    ck_assert_double_eq(logged("large", "lr", 0), logged("small", "lr", 0));
    ck_assert_double_eq(logged("large", "epoch", 0), logged("small", "epoch", 0));
}
END_TEST

START_TEST(eight_images_can_be_learnt)
{
    const char *overrides =
        "data.first_n=8 data.augment=none train.batch_size=8 train.epochs=400 "
        "model.embed_dim=32 model.decoder_embed_dim=32 mask.ratio=0.5 optim.lr=5e-3 "
        "optim.weight_decay=0 train.preview_every=none train.checkpoint_every=none";

    expect("run", overrides, MAE_OK);
    ck_assert_msg(run.result.train_loss < 0.2 * logged("run", "loss", 399),
                  "loss %g at the end, %g at the start", run.result.train_loss,
                  logged("run", "loss", 399));
}
END_TEST

/* Grey float images, all pixels of the order of @p scale. */
static void write_floats(const char *name, double scale)
{
    const size_t shape[] = {12, 8, 8};
    const int64_t labels[12] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    float *pixels = mae_test_normal(12 * 64, 1, 0);
    MaeError err = {0};
    MaeH5Out *out;

    for (size_t i = 0; i < 12 * 64; i++)
        pixels[i] = (float)((double)pixels[i] * scale);
    ck_assert_ok(mae_h5out_create(&out, fixture_path(folder, name), &err));
    mae_h5out_floats(out, "images", pixels, shape, 3);
    mae_h5out_ints(out, "labels", labels, shape, 1);
    ck_assert_ok(mae_h5out_commit(out, &err));
    free(pixels);
}

/* Data turn bad under a run that is taken up again: refused in the same update. */
START_TEST(numbers_that_are_not_finite)
{
    char overrides[2000];
    TrainSpec spec = {
        .folder = folder, .name = "run", .overrides = overrides, .stop_at = 2};
    unsigned char *before, *after;
    size_t size[2];

    (void)snprintf(overrides, sizeof overrides,
                   "data.train=%s/images.h5 data.mean=[0] data.std=[1] "
                   "data.augment=none data.may_change=true train.save_minutes=1e-9 %s",
                   folder, _i == 0 ? "train.preflight=false" : "");
    write_floats("images.h5", 1.0);
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    before = mae_test_read(fixture_path(folder, "run/last.h5"), &size[0]);
    write_floats("images.h5", _i == 0 ? 1e30 : 3e37);
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_ERR_NUMERIC);
    ck_assert_uint_eq(run.updates, 0);
    ck_assert_msg(strstr(run.err.msg, "step 3") != NULL ||
                      strstr(run.err.msg, "gradient") != NULL,
                  "%s", run.err.msg);
    after = mae_test_read(fixture_path(folder, "run/last.h5"), &size[1]);
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_int_eq(memcmp(before, after, size[0]), 0);
    free(before);
    free(after);
    write_floats("images.h5", 1.0); /* and goes on once they are good again */
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 4);
}
END_TEST

/* Held-out images that are too large: the run ends, also after the last epoch, and keeps
 * what it learnt from good ones. */
START_TEST(evaluations_that_are_not_finite)
{
    char overrides[2000];
    const TrainSpec spec = {.folder = folder, .name = "run", .overrides = overrides};

    write_floats("images.h5", 1.0);
    write_floats("val.h5", 9e37);
    (void)snprintf(overrides, sizeof overrides,
                   "data.train=%s/images.h5 data.val=%s/val.h5 data.mean=[0] "
                   "data.std=[1] data.augment=none "
                   "train.epochs=%d model.norm_pix_loss=false",
                   folder, folder, _i + 1);
    train_expect(&run, &spec, MAE_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "epoch 1: loss on data.val is "));
    ck_assert(!train_exists(folder, "run/best.h5"));
    ck_assert(train_exists(folder, "run/last.h5"));
    write_floats("val.h5", 1.0);
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 3 * (size_t)_i);
    ck_assert(train_exists(folder, "run/best.h5"));
}
END_TEST

/* The same where the run is to go on without: it ends as if nothing were held out. */
START_TEST(evaluations_are_left_out)
{
    static const char *const goes_on[] = {"skip", "rollback"};
    char overrides[2000];
    TrainSpec spec = {.folder = folder, .name = "run", .overrides = overrides};
    int n;

    write_floats("images.h5", 1.0);
    write_floats("val.h5", 9e37);
    n = snprintf(overrides, sizeof overrides,
                 "data.train=%s/images.h5 data.mean=[0] data.std=[1] data.augment=none "
                 "train.epochs=2 model.norm_pix_loss=false",
                 folder);
    spec.name = "straight";
    train_expect(&run, &spec, MAE_OK);
    spec.name = "run";
    n += snprintf(overrides + n, sizeof overrides - (size_t)n, " data.val=%s/val.h5",
                  folder);
    for (int again = 0; again < 2; again++) { /* nothing is lost, nothing trained */
        train_expect(&run, &spec, MAE_ERR_NUMERIC);
        ck_assert_uint_eq(run.updates, again == 0 ? 3 : 0);
        mae_test_has(run.err.msg, "run again with train.on_nonfinite=skip");
    }
    (void)snprintf(overrides + n, sizeof overrides - (size_t)n, " train.on_nonfinite=%s",
                   goes_on[_i]);
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 3);
    ck_assert_uint_eq(mae_test_count(run.log, "; training goes on without it"), 2);
    ck_assert(isnan(run.result.score) && isnan(run.result.last_score));
    ck_assert(!train_exists(folder, "run/best.h5"));
    train_compare_states(folder, "straight", "run");
}
END_TEST

/* The same of a classifier: nothing of such an evaluation is shown, and how old the
 * scores are that are shown. */
START_TEST(accuracies_are_left_out)
{
    char overrides[2000];
    const bool once = _i == 1; /* the first evaluation has a result */
    TrainSpec spec = {
        .folder = folder, .name = "run", .overrides = overrides, .finetune = true};
    size_t size;
    char *report;

    write_floats("images.h5", 1.0);
    (void)snprintf(overrides, sizeof overrides,
                   "data.train=%s/images.h5 data.val=%s/val.h5 data.mean=[0] "
                   "data.std=[0.001] data.augment=none train.epochs=2 "
                   "finetune.init=random train.on_nonfinite=skip train.report=true",
                   folder, folder);
    if (once) {
        write_floats("val.h5", 1.0);
        spec.stop_at = 4;
        train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
        spec.stop_at = 0;
    }
    write_floats("val.h5", 9e37);
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(mae_test_count(run.log, "; training goes on without it"),
                      once ? 1 : 2);
    ck_assert_int_eq(isfinite(run.result.score), once);
    ck_assert(isnan(run.result.last_score));
    ck_assert_int_eq(train_exists(folder, "run/best.h5"), once);
    ck_assert_int_eq(train_exists(folder, "run/confusion.csv"), once);
    report = (char *)mae_test_read(fixture_path(folder, "run/report.html"), &size);
    ck_assert_ptr_null(strstr(report, "id=\"classes\""));
    ck_assert_int_eq(strstr(report, " % (epoch 1)") != NULL, once);
    free(report);
}
END_TEST

/* Divergence is either seen in the update it happens in, or all weights are finite. */
START_TEST(wild_learning_rates)
{
    MaeCkptReader *reader = NULL;
    MaeError err = {0};

    char overrides[2000];

    (void)snprintf(overrides, sizeof overrides,
                   "optim.lr=1000 optim.warmup_epochs=0 train.epochs=20 "
                   "train.save_minutes=1e-9 data.val=%s/val %s",
                   folder,
                   _i == 0 ? ""
                           : "optim.weight_decay=100 train.batch_size=27 "
                             "finetune.init=random finetune.ema_decay=0.9");
    train_run(&run, &(TrainSpec){.folder = folder,
                                 .name = "run",
                                 .finetune = _i == 1,
                                 .overrides = overrides});
    ck_assert_msg(run.status == MAE_OK || run.status == MAE_ERR_NUMERIC, "%s",
                  run.err.msg);
    ck_assert_ok(mae_ckpt_open(&reader, fixture_path(folder, "run/last.h5"), &err));
    for (size_t i = 0; i < mae_ckpt_tensor_count(reader, ""); i++) {
        MaeTensorInfo info;
        float *values;
        size_t n;

        mae_ckpt_tensor(reader, "", i, &info);
        values = mae_test_h5_floats(fixture_path(folder, "run/last.h5"), info.name, &n);
        for (size_t k = 0; k < n; k++)
            ck_assert_msg(isfinite(values[k]), "%s[%zu] is %g", info.name, k,
                          (double)values[k]);
        free(values);
    }
    mae_ckpt_close(reader);
}
END_TEST

/* Held-out loss only every so often, and after the last epoch. */
START_TEST(evaluation_is_as_often_as_asked)
{
    char overrides[2000];
    size_t size, count = 0;
    char *log;

    (void)snprintf(overrides, sizeof overrides,
                   "data.val=%s/val train.epochs=5 eval.every=3 eval.batch_size=7 "
                   "data.labels_per_class=1000",
                   folder);
    expect("run", overrides, MAE_OK);
    log = (char *)mae_test_read(fixture_path(folder, "run/log.txt"), &size);
    for (const char *at = strstr(log, "val_loss"); at != NULL;
         at = strstr(at + 1, "val_loss"))
        count++;
    ck_assert_uint_eq(count, 2);
    free(log);
}
END_TEST

/* A preset in the file agrees with a checkpoint that was made from it with changes. */
START_TEST(a_preset_beside_a_checkpoint)
{
    char overrides[2000];
    TrainSpec spec = {
        .folder = folder, .name = "tuned", .finetune = true, .overrides = overrides};

    expect("run", "model.preset=vit_micro train.epochs=1", MAE_OK);
    (void)snprintf(overrides, sizeof overrides,
                   "model.preset=vit_micro train.epochs=1 "
                   "finetune.checkpoint=%s/run/last.h5",
                   folder);
    train_expect(&run, &spec, MAE_OK);
    spec.overrides = "finetune.checkpoint=/nowhere/last.h5";
    train_expect(&run, &spec, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "/nowhere/last.h5 does not exist"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train trainer");
    TCase *tc = tcase_create("trainer");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, stop_after_saves_and_goes_on);
    tcase_add_test(tc, max_hours_ends_annealed);
    tcase_add_test(tc, accumulation_is_a_larger_batch);
    tcase_add_test(tc, eight_images_can_be_learnt);
    tcase_add_loop_test(tc, numbers_that_are_not_finite, 0, 2);
    tcase_add_loop_test(tc, evaluations_that_are_not_finite, 0, 2);
    tcase_add_loop_test(tc, evaluations_are_left_out, 0, 2);
    tcase_add_loop_test(tc, accuracies_are_left_out, 0, 2);
    tcase_add_loop_test(tc, wild_learning_rates, 0, 2);
    tcase_add_test(tc, evaluation_is_as_often_as_asked);
    tcase_add_test(tc, a_preset_beside_a_checkpoint);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
