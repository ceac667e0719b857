/* report.html of runs: what is in it, when, and that it never costs a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "train/fixture.h"
#include "train/run_folder.h"

static char *folder, overrides[4000];
static TrainRun run;
static TrainSpec spec;

static void setup(void)
{
    folder = train_place();
    (void)snprintf(overrides, sizeof overrides,
                   "train.report=true train.preview_every=1 data.val=%s/val", folder);
    spec = (TrainSpec){.folder = folder, .name = "run", .overrides = overrides};
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

static void also(const char *override)
{
    (void)snprintf(overrides + strlen(overrides), sizeof overrides - strlen(overrides),
                   " %s", override);
}

/* The report of the run "run"; NULL if there is none. */
static char *report_of(const char *name)
{
    char path[256];
    size_t size;

    (void)snprintf(path, sizeof path, "%s/report.html", name);
    return (char *)mae_test_read(fixture_path(folder, path), &size);
}

START_TEST(pretraining_shows_curves_pictures_and_settings)
{
    char *text;

    also(_i > 0 ? "mask.strategy=block mask.ratio=0.5 model.norm_pix_loss=true" : "");
    train_expect(&run, &spec, MAE_OK);
    text = report_of("run");
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strstr(run.log, "warning") == NULL, "%s", run.log);
    mae_test_has(text, "<h1>Pretraining: ");
    mae_test_has(text, "<dd>finished</dd>");
    mae_test_has(text, "predicting the mean of each patch");
    mae_test_has(text, "training, single updates");
    mae_test_has(text, ">Held-out loss<");
    mae_test_has(text, ">Accuracy of features<");
    mae_test_has(text,
                 _i > 0 ? "50 % hidden, as in training" : "75 % hidden, as in training");
    mae_test_has(text, "10 % hidden");
    mae_test_has(text, _i > 0 ? "Masks are random here" : "the original.</span>");
    mae_test_has(text, "<a href=\"#kernels\">Kernels</a>");
    mae_test_has(text, ">Filters of the patch embedding<");
    mae_test_has(text, ">Attention of block 2, each head<");
    mae_test_has(text, "how much of its attention the class token gives");
    ck_assert_ptr_null(
        strstr(text, "95 % hidden")); /* of four patches, nothing is left */
    mae_test_has(text, "after epoch 1<");
    mae_test_has(text, "after epoch 2<");
    mae_test_has(text, "<td>model.depth</td><td>2</td><td>command line</td>");
    mae_test_has(text, "<td>train.report</td>");
    ck_assert_ptr_null(strstr(text, "Something is missing"));
    free(text);
}
END_TEST

START_TEST(fine_tuning_shows_accuracy)
{
    static const char *const modes[] = {
        "", " finetune.mode=partial finetune.trained_blocks=0.5",
        " finetune.mode=linear"};
    char *text;

    spec.finetune = true;
    also("finetune.init=random");
    also(modes[_i]);
    train_expect(&run, &spec, MAE_OK);
    text = report_of("run");
    ck_assert_ptr_nonnull(text);
    mae_test_has(text, "<h1>Fine-tuning: ");
    mae_test_has(text, ">Top-1 accuracy<");
    mae_test_has(text, "<title>top 1: ");
    mae_test_has(text, "label smoothing");
    mae_test_has(text, ">Attention of block 2, each head<");
    mae_test_has(text, ">Scores of each class<");
    mae_test_has(text, "Confusion matrix");
    mae_test_has(text, ">Filters of the patch embedding<");
    mae_test_has(text, _i < 2 ? "of its attention the patches, averaged over all"
                              : "how much of its attention the class token gives");
    ck_assert_ptr_null(strstr(text, "Something is missing"));
    ck_assert_ptr_null(strstr(text, "predicting the mean"));
    free(text);
}
END_TEST

/* Epochs of both sessions, and all of a long log although the page stays small. */
START_TEST(runs_taken_up_again_show_their_history)
{
    FILE *steps;
    char *text;

    spec.stop_at = 9;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    text = report_of("run");
    mae_test_has(text, "<dd>stopped, can be taken up again</dd>");
    mae_test_has(text, "<dd>1 of 2</dd>");
    mae_test_has(text, "<dt>Updates</dt><dd>9</dd>");
    free(text);
    steps = fopen(fixture_path(folder, "run/steps.jsonl"), "a");
    for (size_t i = 0; i < 100000; i++)
        (void)fprintf(steps, "{\"epoch\": %.6f, \"loss\": %.5f, \"lr\": 1e-3}\n",
                      1.5 + (double)i * 1e-6, 0.5 + (double)(i * 7919 % 1000) * 1e-4);
    (void)fclose(steps);
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_OK);
    text = report_of("run");
    mae_test_has(text, "<dd>finished</dd>");
    ck_assert_uint_eq(mae_test_count(text, "<title>training, mean of the epoch: "), 2);
    ck_assert_uint_gt(mae_test_count(text, ","), 200); /* points */
    ck_assert_uint_lt(strlen(text), 500000);
    free(text);
}
END_TEST

/* In the first epoch, too: of what there is no number, nothing is said. */
START_TEST(runs_stopped_at_once_have_one)
{
    char *text;

    spec.finetune = _i > 0;
    also(_i > 0 ? "finetune.init=random" : "");
    spec.stop_at = 2;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    text = report_of("run");
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strstr(run.log, "warning") == NULL, "%s", run.log);
    mae_test_has(text, "<dd>stopped, can be taken up again</dd>");
    mae_test_has(text, "<dd>0 of 2</dd>");
    mae_test_has(text, ">Filters of the patch embedding<");
    ck_assert_ptr_null(strstr(text, ">nan"));
    ck_assert_ptr_null(strstr(text, ">Training loss<"));
    ck_assert_ptr_null(strstr(text, "Confusion matrix"));
    free(text);
}
END_TEST

START_TEST(none_is_written_if_none_is_wanted)
{
    also("train.report=false");
    train_expect(&run, &spec, MAE_OK);
    ck_assert_ptr_null(report_of("run"));
}
END_TEST

START_TEST(names_are_escaped)
{
    char *text;

    spec.name = "<b>&\"x\"";
    train_expect(&run, &spec, MAE_OK);
    text = report_of(spec.name);
    mae_test_has(text, "/&lt;b&gt;&amp;&quot;x&quot;</h1>");
    ck_assert_ptr_null(strstr(text, "<b>"));
    free(text);
}
END_TEST

/* A folder is in its place: told, and the run ends well. */
START_TEST(a_report_that_cannot_be_written_is_a_warning)
{
    spec.stop_at = 3;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    ck_assert_int_eq(remove(fixture_path(folder, "run/report.html")), 0);
    ck_assert_int_eq(mkdir(fixture_path(folder, "run/report.html"), 0777), 0);
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "warning: report.html: "));
    ck_assert_ptr_nonnull(strstr(run.log, "training goes on"));
}
END_TEST

static void spoil_preview(void *ctx, size_t epoch)
{
    (void)ctx;
    if (epoch == 2)
        mae_test_write(fixture_path(folder, "run/reconstructions/epoch-0001.png"),
                       "hello", 5);
}

/* A preview that is no picture: the rest of the report is there. */
START_TEST(a_picture_that_is_none_is_left_out)
{
    char *text;

    spec.at_evaluation = spoil_preview;
    train_expect(&run, &spec, MAE_OK);
    text = report_of("run");
    mae_test_has(text, "Something is missing here: ");
    mae_test_has(text, "75 % hidden, as in training");
    mae_test_has(text, ">Configuration</h2>");
    free(text);
}
END_TEST

START_TEST(previews_are_chosen_evenly)
{
    MaeRunFolder place = {.lock = -1};
    MaeError err = {0};
    size_t epochs[8];
    char path[MAE_CONFIG_PATH + 64];

    (void)snprintf(place.path, sizeof place.path, "%s/some", folder);
    ck_assert_uint_eq(mae_run_folder_previews(&place, epochs, 8), 0);
    for (size_t epoch = 10; epoch <= 12000; epoch += 10) {
        ck_assert_ok(mae_run_folder_preview(&place, epoch, path, sizeof path, &err));
        mae_test_write(path, "", 0);
        if (epoch == 10 || epoch == 40) {
            ck_assert_uint_eq(mae_run_folder_previews(&place, epochs, 8), epoch / 10);
            ck_assert_uint_eq(epochs[epoch / 10 - 1], epoch);
        }
    }
    mae_test_write(fixture_path(folder, "some/reconstructions/epoch-1.png"), "", 0);
    mae_test_write(fixture_path(folder, "some/reconstructions/epoch-99999.txt"), "", 0);
    ck_assert_uint_eq(mae_run_folder_previews(&place, epochs, 8), 8);
    ck_assert_uint_eq(epochs[0], 10);
    ck_assert_uint_eq(epochs[7], 12000);
    for (size_t i = 1; i < 8; i++) {
        ck_assert_uint_ge(epochs[i] - epochs[i - 1], 1700);
        ck_assert_uint_le(epochs[i] - epochs[i - 1], 1730);
    }
    ck_assert_uint_eq(mae_run_folder_previews(&place, epochs, 1), 1);
    ck_assert_uint_eq(epochs[0], 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train_run_report");
    TCase *tc = tcase_create("e2e");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, pretraining_shows_curves_pictures_and_settings, 0, 2);
    tcase_add_loop_test(tc, fine_tuning_shows_accuracy, 0, 3);
    tcase_add_test(tc, runs_taken_up_again_show_their_history);
    tcase_add_loop_test(tc, runs_stopped_at_once_have_one, 0, 2);
    tcase_add_test(tc, none_is_written_if_none_is_wanted);
    tcase_add_test(tc, names_are_escaped);
    tcase_add_test(tc, a_report_that_cannot_be_written_is_a_warning);
    tcase_add_test(tc, a_picture_that_is_none_is_left_out);
    tcase_add_test(tc, previews_are_chosen_evenly);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
