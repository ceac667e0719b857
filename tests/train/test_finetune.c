/* Fine-tuning: mixing, averaged weights, what is reported, classes that do not fit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/checkpoint.h"
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

/* With data.val. */
static void expect(const char *name, const char *overrides, MaeStatus status)
{
    char all[4000];

    (void)snprintf(all, sizeof all, "finetune.init=random data.val=%s/val %s", folder,
                   overrides);
    train_expect(
        &run,
        &(TrainSpec){.folder = folder, .name = name, .finetune = true, .overrides = all},
        status);
}

static void expect_message(const char *text)
{
    ck_assert_msg(strstr(run.err.msg, text) != NULL, "\"%s\" lacks \"%s\"", run.err.msg,
                  text);
}

/* Last line of log.txt. */
static MaeJson *last_record(const char *name)
{
    char path[1200], *text, *line;
    MaeJson *record = NULL;
    MaeError err = {0};
    size_t size;

    (void)snprintf(path, sizeof path, "%s/%s/log.txt", folder, name);
    text = (char *)mae_test_read(path, &size);
    ck_assert_ptr_nonnull(text);
    text[size - 1] = '\0';
    line = strrchr(text, '\n');
    line = line == NULL ? text : line + 1;
    ck_assert_ok(mae_json_parse(&record, line, strlen(line), path, &err));
    free(text);
    return record;
}

static double number(const MaeJson *record, const char *key)
{
    double value = -1.0;

    ck_assert_msg(mae_json_get_real(record, key, &value), "%s is missing", key);
    return value;
}

/* All tensors below @p group of a checkpoint, one after the other. */
static float *tensors(const char *name, const char *group, size_t *n)
{
    MaeCkptReader *reader = NULL;
    MaeError err = {0};
    float *values;
    char path[1200];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_ok(mae_ckpt_open(&reader, path, &err));
    *n = 0;
    values = mae_test_alloc(1 << 20);
    for (size_t i = 0; i < mae_ckpt_tensor_count(reader, group); i++) {
        MaeTensorInfo info;
        size_t count = 1;

        mae_ckpt_tensor(reader, group, i, &info);
        (void)snprintf(path, sizeof path, "%s/%s", group, info.name);
        for (size_t d = 0; d < info.ndim; d++)
            count *= info.shape[d];
        ck_assert_uint_lt((*n + count) * sizeof *values, 1 << 20);
        ck_assert_ok(
            mae_ckpt_get_tensor(reader, path, values + *n, info.shape, info.ndim, &err));
        *n += count;
    }
    mae_ckpt_close(reader);
    ck_assert_uint_gt(*n, 0);
    return values;
}

static void expect_tensors(const char *a, const char *group_a, const char *b,
                           const char *group_b, bool same)
{
    size_t na, nb;
    float *x = tensors(a, group_a, &na), *y = tensors(b, group_b, &nb);

    ck_assert_uint_eq(na, nb);
    ck_assert((memcmp(x, y, na * sizeof *x) == 0) == same);
    free(x);
    free(y);
}

START_TEST(scores_are_logged)
{
    MaeJson *record;

    expect("run", "", MAE_OK);
    record = last_record("run");
    ck_assert_double_ge(number(record, "test_macro_f1"), 0.0);
    ck_assert_double_le(number(record, "test_macro_f1"), 100.0);
    ck_assert_double_le(number(record, "test_acc1"), 100.0);
    ck_assert(mae_json_get(record, "raw_test_acc1") == NULL);
    mae_json_free(record);
    ck_assert_ptr_nonnull(strstr(run.log, "epoch 2: top-1 "));
    ck_assert_ptr_nonnull(strstr(run.log, " %, macro F1 "));
    ck_assert(train_exists(folder, "run/confusion.csv"));
    ck_assert(train_exists(folder, "run/confusion.png"));
    expect("again", "", MAE_OK);
    train_compare(folder, "run", "again");
    expect("again", "train.overwrite=true eval.every=5 train.stop_after=1e-9",
           MAE_ERR_INTERRUPTED);
    ck_assert(!train_exists(folder, "again/confusion.csv"));
    ck_assert(!train_exists(folder, "again/confusion.png"));
}
END_TEST

/* The matrix of the last evaluation counts the nine held-out images, three of a class. */
START_TEST(confusion_counts_every_image)
{
    char path[1200], *text;
    size_t size, line = 0;

    expect("run", "eval.batch_size=2", MAE_OK);
    (void)snprintf(path, sizeof path, "%s/run/confusion.csv", folder);
    text = (char *)mae_test_read(path, &size);
    ck_assert_ptr_nonnull(text);
    for (char *row = strtok(text, "\n"); row != NULL; row = strtok(NULL, "\n"), line++) {
        unsigned a = 0, b = 0, c = 0;

        if (line == 0) {
            ck_assert_str_eq(row, "\"label \\ prediction\",\"c0\",\"c1\",\"c2\"");
            continue;
        }
        ck_assert_int_eq(sscanf(row, "\"c%*u\",%u,%u,%u", &a, &b, &c), 3);
        ck_assert_uint_eq(a + b + c, 3);
    }
    ck_assert_uint_eq(line, 4);
    free(text);
}
END_TEST

/* A confusion matrix that cannot be written does not end a run. */
static void block_files(void *ctx, size_t epoch)
{
    char path[1200];

    (void)ctx;
    (void)snprintf(path, sizeof path, "%s/run", folder);
    if (epoch == 1)
        (void)fixture_folder(path, "confusion.csv");
}

START_TEST(confusion_that_cannot_be_written)
{
    char all[2000];

    (void)snprintf(all, sizeof all, "finetune.init=random data.val=%s/val", folder);
    train_expect(&run,
                 &(TrainSpec){.folder = folder,
                              .name = "run",
                              .finetune = true,
                              .overrides = all,
                              .at_evaluation = block_files},
                 MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "warning: "));
    ck_assert_ptr_nonnull(strstr(run.log, "training goes on"));
}
END_TEST

/*
 * Averaging changes nothing about what is trained; the averages are the model. In each
 * precision: in bf16 the operands of the averages replace those of the weights for a
 * while.
 */
START_TEST(averages_are_evaluated_and_stored)
{
    const char *kind = train_kind(_i);
    char all[1000];
    MaeJson *plain, *averaged;

    if (kind == NULL)
        return;
    (void)snprintf(all, sizeof all, "optim.lr=1e-2 finetune.mixup=0.8 %s", kind);
    expect("plain", all, MAE_OK);
    (void)snprintf(all, sizeof all,
                   "optim.lr=1e-2 finetune.mixup=0.8 finetune.ema_decay=0.9 %s", kind);
    expect("averaged", all, MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "epoch 2, raw weights: top-1 "));
    ck_assert_ptr_nonnull(strstr(run.log, "epoch 2, averaged weights: top-1 "));
    ck_assert_uint_eq(mae_test_count(run.evaluated, "2 test set "), 2);
    expect_tensors("averaged/last.h5", "optim/weights", "plain/last.h5", "params", true);
    expect_tensors("averaged/last.h5", "params", "plain/last.h5", "params", false);
    expect_tensors("averaged/last.h5", "optim/exp_avg", "plain/last.h5", "optim/exp_avg",
                   true);
    plain = last_record("plain");
    averaged = last_record("averaged");
    ck_assert_double_eq(number(averaged, "raw_test_loss"), number(plain, "test_loss"));
    ck_assert_double_eq(number(averaged, "raw_test_acc1"), number(plain, "test_acc1"));
    ck_assert_double_ne(number(averaged, "test_loss"), number(plain, "test_loss"));
    ck_assert_double_eq(number(averaged, "train_loss"), number(plain, "train_loss"));
    ck_assert_double_eq_tol(100.0 * run.result.last_score, number(averaged, "test_acc1"),
                            1e-9);
    mae_json_free(plain);
    mae_json_free(averaged);
}
END_TEST

/* Statistics of a linear probe are averages themselves: they are left as they are. */
START_TEST(averages_of_a_linear_probe)
{
    static const char *const stats[] = {"head.0.running_mean", "head.0.running_var"};
    MaeCkptReader *reader = NULL;
    MaeError err = {0};
    char path[1200];

    expect("run", "finetune.mode=linear finetune.ema_decay=0.9", MAE_OK);
    expect_tensors("run/last.h5", "params", "run/last.h5", "optim/weights", false);
    (void)snprintf(path, sizeof path, "%s/run/last.h5", folder);
    ck_assert_ok(mae_ckpt_open(&reader, path, &err));
    for (size_t i = 0; i < 2; i++) {
        const size_t shape[] = {16};
        float model[16], trained[16];

        (void)snprintf(path, sizeof path, "params/%s", stats[i]);
        ck_assert_ok(mae_ckpt_get_tensor(reader, path, model, shape, 1, &err));
        (void)snprintf(path, sizeof path, "optim/weights/%s", stats[i]);
        ck_assert_ok(mae_ckpt_get_tensor(reader, path, trained, shape, 1, &err));
        ck_assert_mem_eq(model, trained, sizeof model);
        ck_assert(model[3] != (float)i); /* as it began */
    }
    mae_ckpt_close(reader);
}
END_TEST

/* With two kinds of weights to evaluate, too, a run goes on as if it were not left. */
START_TEST(left_in_an_evaluation)
{
    char all[2000];
    TrainSpec spec = {.folder = folder, .finetune = true, .overrides = all};

    (void)snprintf(all, sizeof all,
                   "finetune.init=random data.val=%s/val finetune.ema_decay=0.9", folder);
    spec.name = "straight";
    train_expect(&run, &spec, MAE_OK);
    spec.name = "left";
    spec.stop_in_evaluation = 1;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    spec.stop_in_evaluation = 0;
    train_expect(&run, &spec, MAE_OK);
    train_compare(folder, "straight", "left");
}
END_TEST

START_TEST(averaging_cannot_be_changed_later)
{
    expect("run", "finetune.ema_decay=0.9 train.stop_after=1e-9", MAE_ERR_INTERRUPTED);
    expect("run", "", MAE_ERR_ARG);
    expect_message("finetune.ema_decay: run has 0.9, config says none");
}
END_TEST

/* A probability of 0 is the same as no mixing; mixing changes the training loss. */
START_TEST(mixing)
{
    MaeJson *plain, *mixed;

    expect("plain", "", MAE_OK);
    expect("never", "finetune.mixup=0.8 finetune.cutmix=1 finetune.mix_prob=0", MAE_OK);
    expect_tensors("plain/last.h5", "params", "never/last.h5", "params", true);
    expect("mixed", "finetune.cutmix=1", MAE_OK);
    plain = last_record("plain");
    mixed = last_record("mixed");
    ck_assert_double_ne(number(plain, "train_loss"), number(mixed, "train_loss"));
    mae_json_free(plain);
    mae_json_free(mixed);
}
END_TEST

static void rename_class(const char *set)
{
    char from[1200], to[1200];

    (void)snprintf(from, sizeof from, "%s/%s/c1", folder, set);
    (void)snprintf(to, sizeof to, "%s/%s/zebra", folder, set);
    ck_assert_int_eq(rename(from, to), 0);
}

/* Names and order belong to a run; the number of classes alone would fit. */
START_TEST(classes_of_a_run_stay)
{
    expect("run", "train.stop_after=1e-9", MAE_ERR_INTERRUPTED);
    rename_class("val");
    expect("run", "", MAE_ERR_ARG);
    expect_message("data.val");
    expect_message("1 only in the first: \"c1\"; 1 only in the second: \"zebra\"");
    rename_class("train");
    expect("run", "", MAE_ERR_ARG);
    expect_message("classes differ: checkpoint ");
    expect_message("1 only in the first: \"c1\"; 1 only in the second: \"zebra\"");
}
END_TEST

/* Nine images of each class, in order. */
START_TEST(a_class_without_images)
{
    expect("run", "data.first_n=9", MAE_ERR_ARG);
    expect_message("2 of 3 classes have none of the 9 images that take part, first "
                   "\"c1\"; see data.first_n");
    ck_assert(!train_exists(folder, "run"));
}
END_TEST

/* Of labels that are mere numbers some may be unused: told, not refused. */
START_TEST(a_number_without_images)
{
    char all[2000];

    fixture_mnist(folder, "train", false, 24, 8, 8);
    (void)snprintf(all, sizeof all,
                   "finetune.init=random data.train=%s/train-images-idx3-ubyte "
                   "data.first_n=8",
                   folder);
    train_expect(
        &run,
        &(TrainSpec){.folder = folder, .name = "run", .finetune = true, .overrides = all},
        MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "warning: data.train: "));
    ck_assert_ptr_nonnull(strstr(run.log, "2 of 10 classes have none of the 8 images"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train finetune");
    TCase *tc = tcase_create("finetune");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, scores_are_logged);
    tcase_add_test(tc, confusion_counts_every_image);
    tcase_add_test(tc, confusion_that_cannot_be_written);
    tcase_add_loop_test(tc, averages_are_evaluated_and_stored, 0, TRAIN_KINDS);
    tcase_add_test(tc, averages_of_a_linear_probe);
    tcase_add_test(tc, left_in_an_evaluation);
    tcase_add_test(tc, averaging_cannot_be_changed_later);
    tcase_add_test(tc, mixing);
    tcase_add_test(tc, classes_of_a_run_stay);
    tcase_add_test(tc, a_class_without_images);
    tcase_add_test(tc, a_number_without_images);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
