/* How sessions end: in evaluations, with bad data, and what they report. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/json.h"
#include "train/fixture.h"

static char *folder, overrides[4000];
static TrainRun run;
static TrainSpec spec;

static void setup(void)
{
    folder = train_place();
    (void)snprintf(overrides, sizeof overrides, "data.val=%s/val", folder);
    spec = (TrainSpec){.folder = folder, .name = "run", .overrides = overrides};
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

static void run_straight(void)
{
    TrainSpec straight = spec;

    straight.name = "straight";
    train_expect(&run, &straight, MAE_OK);
}

/* Fine-tuning needs no encoder for this. */
static void choose_tool(int finetune)
{
    spec.finetune = finetune != 0;
    if (spec.finetune)
        (void)strncat(overrides, " finetune.init=random", sizeof overrides - 64);
}

/* All that is missing afterwards is the evaluation. */
START_TEST(stopped_in_an_evaluation)
{
    choose_tool(_i / 2);
    run_straight();
    spec.stop_in_evaluation = (size_t)(_i % 2) + 1;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    ck_assert_uint_eq(run.result.steps, 6 * spec.stop_in_evaluation);
    ck_assert_uint_eq(run.result.epochs, spec.stop_in_evaluation - 1);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "stopped in epoch"));
    spec.stop_in_evaluation = 0;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.result.epochs, 2);
    train_compare(folder, "straight", "run");
}
END_TEST

/* The end of an epoch is logged before it is saved: it is logged once all the same. */
START_TEST(killed_after_logging)
{
    unsigned char *log;
    size_t size = 0;

    run_straight();
    spec.stop_in_evaluation = (size_t)_i + 1;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    log = mae_test_read(fixture_path(folder, "straight/log.txt"), &size);
    mae_test_write(fixture_path(folder, "run/log.txt"), log, size);
    free(log);
    spec.stop_in_evaluation = 0;
    train_expect(&run, &spec, MAE_OK);
    train_compare(folder, "straight", "run");
}
END_TEST

/* Empty the files of a set, or bring them back. */
static void spoil(const char *set)
{
    char command[3000];

    (void)snprintf(command, sizeof command,
                   "cd '%s' && cp -R %s was && for f in %s/*/*; do : > $f; done", folder,
                   set, set);
    ck_assert_int_eq(system(command), 0);
}

static void mend(const char *set)
{
    char command[3000];

    (void)snprintf(command, sizeof command, "cd '%s' && cp -R was/. %s", folder, set);
    ck_assert_int_eq(system(command), 0);
}

static void spoil_at_eight(void *ctx, size_t update)
{
    if (update == 8)
        spoil(ctx);
}

/* Nothing learnt is lost, and the run goes on once the images are good. */
START_TEST(images_turn_bad)
{
    char *set = (char[2][8]){"val", "train"}[_i];

    (void)strncat(overrides, " data.cache=off", sizeof overrides - 64);
    run_straight();
    spec.at_update = spoil_at_eight;
    spec.ctx = set;
    train_expect(&run, &spec, MAE_ERR_FORMAT);
    ck_assert_uint_ge(run.result.steps, 8);
    ck_assert_ptr_nonnull(strstr(run.log, "saved up to step"));
    mend(set);
    spec.at_update = NULL;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_le(run.updates, 4);
    train_compare(folder, "straight", "run");
}
END_TEST

static void lose_log(void *ctx, size_t update)
{
    (void)ctx;
    if (update == 3)
        ck_assert_int_eq(unlink(fixture_path(folder, "run/log.txt")), 0);
}

/* Somebody removes the log under the run: checkpoints matter more. */
START_TEST(log_vanishes)
{
    spec.at_update = lose_log;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "saving without the log"));
    ck_assert(train_exists(folder, "run/last.h5"));
}
END_TEST

static void move_log(const char *from, const char *to)
{
    char old[4096];

    (void)snprintf(old, sizeof old, "%s", fixture_path(folder, from));
    ck_assert_int_eq(rename(old, fixture_path(folder, to)), 0);
}

static void hide_log(void *ctx, size_t update)
{
    (void)ctx;
    if (update == 8)
        move_log("run/log.txt", "hidden");
}

/* A state saved while the log cannot be read takes nothing from it, nor adds to it. */
START_TEST(log_is_hidden)
{
    run_straight();
    spec.at_update = hide_log;
    spec.stop_at = 9;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    mae_test_has(run.log, "saving without the log");
    move_log("hidden", "run/log.txt");
    spec.at_update = NULL;
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_OK);
    train_compare(folder, "straight", "run");
}
END_TEST

static void sleep_a_while(void *ctx, size_t epoch)
{
    const struct timespec pause = {.tv_nsec = 400000000};

    (void)ctx;
    (void)epoch;
    (void)nanosleep(&pause, NULL);
}

static double field(const char *key, size_t line)
{
    size_t size;
    char *text = (char *)mae_test_read(fixture_path(folder, "run/log.txt"), &size);
    char *at = strtok(text, "\n");
    MaeJson *record = NULL;
    MaeError err = {0};
    double value;

    while (line-- > 0)
        at = strtok(NULL, "\n");
    ck_assert_ok(mae_json_parse(&record, at, strlen(at), "log.txt", &err));
    ck_assert(mae_json_get_real(record, key, &value));
    mae_json_free(record);
    free(text);
    return value;
}

/* A slow evaluation shows in the time that is left, not in the speed. */
START_TEST(evaluation_is_not_training)
{
    spec.at_evaluation = sleep_a_while;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_double_ge(run.result.seconds, 0.8);
    ck_assert_double_le(48.0 / run.result.images_per_second, run.result.seconds - 0.8);
    for (size_t epoch = 0; epoch < 2; epoch++)
        ck_assert_double_le(24.0 / field("images_per_second", epoch),
                            field("seconds", epoch) - 0.4);
    ck_assert_double_ge(run.seconds_left, 0.4); /* no update, one evaluation */
    ck_assert_double_le(run.seconds_left, run.result.seconds);
}
END_TEST

/* The rate of the last update of an epoch; half a cosine over 2 x 6 updates. */
START_TEST(logged_learning_rate)
{
    (void)strncat(overrides, " optim.warmup_epochs=0 optim.min_lr=0", 64);
    train_expect(&run, &spec, MAE_OK);
    for (size_t epoch = 0; epoch < 2; epoch++) {
        const double t = (double)(6 * epoch + 5) / 12.0;

        ck_assert_double_eq_tol(field("train_lr", epoch),
                                0.5e-3 * (1.0 + cos(3.141592653589793 * t)), 1e-12);
    }
}
END_TEST

/* Statistics that a run has measured are its own, whatever the configuration says. */
START_TEST(statistics_stay)
{
    const size_t used = strlen(overrides);

    spec.stop_at = 2;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    spec.stop_at = 0;
    (void)snprintf(overrides + used, sizeof overrides - used,
                   " data.mean=imagenet data.std=imagenet");
    train_expect(&run, &spec, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "data.mean: run has"));
    overrides[used] = '\0';
    train_expect(&run, &spec, MAE_OK);
}
END_TEST

/* A finished run that is started again looks at nothing. */
START_TEST(nothing_left_to_do)
{
    train_expect(&run, &spec, MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "yardsticks on"));
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 0);
    ck_assert_ptr_null(strstr(run.log, "yardsticks on"));
    ck_assert_ptr_null(strstr(run.log, "speed:"));
}
END_TEST

/* One class, one image a batch, one patch in the picture. */
START_TEST(smallest_of_everything)
{
    char root[1024];

    (void)snprintf(root, sizeof root, "%s", fixture_folder(folder, "one"));
    fixture_classes(root, 1, 3, 8, 8);
    choose_tool(_i);
    (void)snprintf(overrides, sizeof overrides,
                   "data.train=%s data.val=%s data.mean=imagenet data.std=imagenet "
                   "data.augment=none train.batch_size=1 model.mlp_ratio=0.07 "
                   "%s",
                   root, root,
                   _i != 0 ? "finetune.init=random model.patch_size=8"
                           : "model.patch_size=1 mask.ratio=0.98");
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.result.steps, 6);
    ck_assert(isfinite(run.result.train_loss));
    if (_i != 0)
        ck_assert(run.result.score == 1.0 && run.result.train_loss == 0.0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train ends");
    TCase *tc = tcase_create("ends");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, stopped_in_an_evaluation, 0, 4);
    tcase_add_loop_test(tc, killed_after_logging, 0, 2);
    tcase_add_loop_test(tc, images_turn_bad, 0, 2);
    tcase_add_test(tc, log_vanishes);
    tcase_add_test(tc, log_is_hidden);
    tcase_add_test(tc, evaluation_is_not_training);
    tcase_add_test(tc, logged_learning_rate);
    tcase_add_test(tc, statistics_stay);
    tcase_add_test(tc, nothing_left_to_do);
    tcase_add_loop_test(tc, smallest_of_everything, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
