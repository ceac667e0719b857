/* kNN and ridge probe during pretraining: only numbers, only where there are labels. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/json.h"
#include "train/fixture.h"

static char *folder, overrides[4000];
static TrainRun run;

static void setup(void)
{
    folder = train_place();
    (void)snprintf(overrides, sizeof overrides, "data.val=%s/val", folder);
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

static void run_as(const char *name, const char *more, size_t stop_in_evaluation)
{
    char all[4200];

    (void)snprintf(all, sizeof all, "%s %s", overrides, more);
    train_expect(&run,
                 &(TrainSpec){.folder = folder,
                              .name = name,
                              .overrides = all,
                              .stop_in_evaluation = stop_in_evaluation},
                 stop_in_evaluation > 0 ? MAE_ERR_INTERRUPTED : MAE_OK);
}

/* A number of the last line of log.txt; NaN if it is not there. */
static double logged(const char *name, const char *key)
{
    char path[1000], line[4096] = "", text[4096];
    MaeJson *record = NULL;
    double value = (double)NAN;
    MaeError err = {0};
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s/log.txt", folder, name);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(text, sizeof text, file) != NULL)
        memcpy(line, text, sizeof line);
    (void)fclose(file);
    ck_assert_ok(mae_json_parse(&record, line, strlen(line), path, &err));
    (void)mae_json_get_real(record, key, &value);
    mae_json_free(record);
    return value;
}

START_TEST(scores_are_logged)
{
    run_as("a", "train.epochs=4", 0);
    ck_assert_ptr_nonnull(
        strstr(run.log, "eval.probe: the data have labels: kNN and ridge probe on 27 "
                        "training and 9 held-out images"));
    ck_assert_ptr_nonnull(strstr(run.log, "epoch 4: features: kNN "));
    mae_test_has(run.evaluated, "4 held-out loss 9\n4 features of data.train 27\n"
                                "4 features of data.val 9\n");
    ck_assert_double_ge(logged("a", "probe_knn_acc1"), 0.0);
    ck_assert_double_le(logged("a", "probe_ridge_acc1"), 100.0);
}
END_TEST

/* The weights of a run with a probe are those of one without, also after a stop. */
START_TEST(training_does_not_notice)
{
    const char *kind = train_kind(_i);
    char with[200], without[200];

    if (kind == NULL)
        return;
    (void)snprintf(with, sizeof with, "%s", kind);
    (void)snprintf(without, sizeof without, "%s eval.probe=none", kind);
    run_as("a", with, 0);
    run_as("b", with, 1);
    run_as("b", with, 0);
    train_compare(folder, "a", "b");
    run_as("c", without, 0);
    ck_assert(isnan(logged("c", "probe_knn_acc1")));
    ck_assert(logged("a", "train_loss") == logged("c", "train_loss"));
    ck_assert(logged("a", "val_loss") == logged("c", "val_loss"));
}
END_TEST

START_TEST(a_share_of_each_class)
{
    run_as("a", "eval.probe=12", 0);
    ck_assert_ptr_nonnull(strstr(run.log, "on 12 training and 9 held-out images"));
}
END_TEST

/* Folders that are no classes, or others, are no error. */
START_TEST(no_labels_no_probe)
{
    char command[3000];

    (void)snprintf(command, sizeof command,
                   _i == 0
                       ? "cd '%s' && mkdir flat && for c in val/*; do for f in $c/*; "
                         "do cp $f flat/$(basename $c)-$(basename $f); done; done"
                       : "cd '%s' && cp -R val flat && mv flat/$(ls flat | head -n 1) "
                         "flat/zebra",
                   folder);
    ck_assert_int_eq(system(command), 0);
    (void)snprintf(overrides, sizeof overrides, "data.val=%s/flat", folder);
    run_as("a", "", 0);
    ck_assert_int_eq(strstr(run.log, "probe: none, data.train and data.val") != NULL,
                     _i == 1);
    ck_assert(isnan(logged("a", "probe_knn_acc1")));
    ck_assert(!isnan(logged("a", "val_loss")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train_online_probe");
    TCase *tc = tcase_create("e2e");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, scores_are_logged);
    tcase_add_loop_test(tc, training_does_not_notice, 0, TRAIN_KINDS);
    tcase_add_test(tc, a_share_of_each_class);
    tcase_add_loop_test(tc, no_labels_no_probe, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
