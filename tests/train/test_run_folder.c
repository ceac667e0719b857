/* What may be in a run folder, what is kept, what is refused. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/checkpoint.h"
#include "train/fixture.h"
#include "train/run_folder.h"

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

/* A session in "run"; @p overrides may be NULL. */
static void expect(const char *overrides, MaeStatus status, const char *message)
{
    train_expect(&run,
                 &(TrainSpec){.folder = folder, .name = "run", .overrides = overrides},
                 status);
    ck_assert_msg(strstr(run.err.msg, message) != NULL, "\"%s\" lacks \"%s\"",
                  run.err.msg, message);
}

static void expect_log(const char *text)
{
    ck_assert_msg(strstr(run.log, text) != NULL, "log lacks \"%s\":\n%s", text, run.log);
}

static void write_text(const char *name, const char *text)
{
    mae_test_write(fixture_path(folder, name), text, strlen(text));
}

static void expect_text(const char *name, const char *text)
{
    size_t size;
    char *found = (char *)mae_test_read(fixture_path(folder, name), &size);

    ck_assert_msg(found != NULL, "%s is gone", name);
    ck_assert_str_eq(found, text);
    free(found);
}

static double epochs_in(const char *name)
{
    MaeCkptReader *reader = NULL;
    MaeError err = {0};
    int64_t epoch;

    ck_assert_ok(mae_ckpt_open(&reader, fixture_path(folder, name), &err));
    ck_assert_ok(mae_ckpt_get_int(reader, "epoch", &epoch, &err));
    mae_ckpt_close(reader);
    return (double)epoch;
}

START_TEST(a_run_leaves_these_files)
{
    expect("train.checkpoint_every=1 train.epochs=4 train.preview_every=2", MAE_OK, "");
    ck_assert(train_exists(folder, "run/config.yaml"));
    ck_assert(train_exists(folder, "run/log.txt"));
    ck_assert(train_exists(folder, "run/steps.jsonl"));
    ck_assert(train_exists(folder, "run/last.h5"));
    ck_assert(!train_exists(folder, "run/checkpoint-2.h5")); /* keep is 2 */
    ck_assert(train_exists(folder, "run/checkpoint-3.h5"));
    ck_assert(train_exists(folder, "run/checkpoint-4.h5"));
    ck_assert(!train_exists(folder, "run/best.h5")); /* no data.val */
    ck_assert_uint_eq(train_entries(folder, "run/reconstructions", true), 2);
    ck_assert_uint_eq(train_entries(folder, "run", true), 9);
    ck_assert_double_eq(epochs_in("run/previous.h5"), 3.0);
}
END_TEST

START_TEST(foreign_folders_are_refused)
{
    (void)fixture_folder(folder, "run");
    write_text("run/config.yaml", "mine: 1\n");
    expect(NULL, MAE_ERR_ARG, "is not empty and holds no run");
    expect_text("run/config.yaml", "mine: 1\n");
    ck_assert_uint_eq(train_entries(folder, "run", true), 1);
    expect("train.resume=none", MAE_ERR_ARG, "holds no run");
}
END_TEST

START_TEST(an_existing_run_is_refused)
{
    expect("train.epochs=1", MAE_OK, "");
    expect("train.epochs=1 train.resume=none", MAE_ERR_ARG, "holds a run");
    ck_assert_double_eq(epochs_in("run/last.h5"), 1.0);
}
END_TEST

START_TEST(overwriting_removes_run_files_only)
{
    static const char *const MINE[] = {"run/notes.txt", "run/epoch-1.txt",
                                       "run/checkpoint-05.h5",
                                       "run/reconstructions/other.png", "run/mine.tmp"};

    expect("train.checkpoint_every=1 train.preview_every=1 train.epochs=3", MAE_OK, "");
    for (size_t i = 0; i < sizeof MINE / sizeof *MINE; i++)
        write_text(MINE[i], MINE[i]);
    write_text("run/nonfinite-17.json", "{}");
    expect("train.checkpoint_every=none train.preview_every=none train.epochs=1 "
           "train.overwrite=true",
           MAE_OK, "");
    ck_assert_uint_eq(run.updates, 6);
    for (size_t i = 0; i < sizeof MINE / sizeof *MINE; i++)
        expect_text(MINE[i], MINE[i]);
    ck_assert(!train_exists(folder, "run/checkpoint-3.h5"));
    ck_assert(!train_exists(folder, "run/previous.h5"));
    ck_assert(!train_exists(folder, "run/nonfinite-17.json"));
    ck_assert(!train_exists(folder, "run/reconstructions/epoch-0001.png"));
    ck_assert_double_eq(epochs_in("run/last.h5"), 1.0);
}
END_TEST

START_TEST(other_settings_are_refused_with_a_diff)
{
    expect(NULL, MAE_OK, "");
    expect("model.depth=3", MAE_ERR_ARG, "model.depth: run has 2, config says 3");
    expect("optim.lr=0.5 data.augment=flip", MAE_ERR_ARG, "optim.lr: run has 0.001");
    ck_assert_ptr_nonnull(strstr(run.err.msg, "data.augment: run has crop_flip"));
    ck_assert_ptr_nonnull(strstr(run.err.msg, "belongs to another configuration"));
    expect("train.threads=2 data.workers=2 train.keep=7", MAE_OK, "");
}
END_TEST

START_TEST(another_kind_of_run_is_refused)
{
    TrainSpec spec = {.folder = folder,
                      .name = "run",
                      .finetune = true,
                      .overrides = "finetune.init=random"};

    expect(NULL, MAE_OK, "");
    train_expect(&run, &spec, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "expected a checkpoint of a classifier"));
}
END_TEST

/* One process trains, another tries to. */
START_TEST(one_run_at_a_time)
{
    MaeRunFolder first;
    MaeConfig *cfg = mae_test_alloc(sizeof *cfg);
    MaeError err = {0};
    int state;
    pid_t child;
    int ready[2];
    char pid[64], byte = 0;

    ck_assert_int_eq(pipe(ready), 0);
    (void)snprintf(cfg->train.output_dir, sizeof cfg->train.output_dir, "%s/run", folder);
    (void)snprintf(cfg->train.resume, sizeof cfg->train.resume, "auto");
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        const bool ok = mae_run_folder_open(&first, cfg, NULL, NULL) == MAE_OK;

        if (!ok || write(ready[1], &byte, 1) != 1)
            _exit(1);
        (void)pause(); /* killed: leaves .lock behind */
        _exit(2);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    (void)snprintf(pid, sizeof pid, "another run (process %ld on ", (long)child);
    expect(NULL, MAE_ERR_ARG, pid);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(train_exists(folder, "run/.lock"));
    expect("train.epochs=1", MAE_OK, "");
    ck_assert(!train_exists(folder, "run/.lock"));
    ck_assert_ok(mae_run_folder_open(&first, cfg, NULL, &err));
    mae_run_folder_close(&first);
    free(cfg);
}
END_TEST

/* A value that was found out, but cannot be said: nothing is replaced. */
START_TEST(what_could_not_go_on_does_not_begin)
{
    MaeConfig *cfg = mae_test_alloc(sizeof *cfg);
    const char *overrides[] = {"data.train=x", "train.output_dir=x",
                               "train.overwrite=true"};
    const MaeSnapshot anew = {0};
    MaeRunFolder opened;
    MaeError err = {0};

    expect("train.epochs=1", MAE_OK, "");
    ck_assert_ok(mae_config_load(cfg, MAE_CONF_PRETRAIN, NULL, overrides, 3, &err));
    (void)snprintf(cfg->train.output_dir, sizeof cfg->train.output_dir, "%s/run", folder);
    ck_assert_ok(mae_run_folder_open(&opened, cfg, NULL, &err));
    cfg->model.in_chans = MAE_CONFIG_CHANNELS + 1;
    ck_assert_fails(mae_run_folder_begin(&opened, cfg, &anew, &err), MAE_ERR_ARG,
                    "model.in_chans: out of range");
    mae_run_folder_close(&opened);
    ck_assert_double_eq(epochs_in("run/last.h5"), 1.0);
    ck_assert(train_exists(folder, "run/log.txt"));
    free(cfg);
}
END_TEST

START_TEST(files_of_crashed_saves_are_removed)
{
    static const char *const STALE[] = {
        "run/last.h5.mae-tmp", "run/checkpoint-7.h5.mae-tmp", "run/config.yaml.mae-tmp",
        "run/reconstructions/epoch-0001.png.mae-tmp"};

    expect("train.epochs=1 train.preview_every=1", MAE_OK, "");
    for (size_t i = 0; i < sizeof STALE / sizeof *STALE; i++)
        write_text(STALE[i], "half");
    expect("train.epochs=1 train.preview_every=1", MAE_OK, "");
    for (size_t i = 0; i < sizeof STALE / sizeof *STALE; i++)
        ck_assert_msg(!train_exists(folder, STALE[i]), "%s is still there", STALE[i]);
}
END_TEST

/* Where a run has logs but no checkpoint any more, it begins anew and loses nothing. */
START_TEST(what_is_left_is_set_aside)
{
    const char *overrides =
        "train.preview_every=1 train.epochs=1 train.checkpoint_every=none";
    size_t size;
    char *log;

    expect(overrides, MAE_OK, "");
    log = (char *)mae_test_read(fixture_path(folder, "run/log.txt"), &size);
    write_text("run/before-1", "mine");
    write_text("run/best.h5", "the only one");
    write_text("run/notes.txt", "mine");
    ck_assert_int_eq(unlink(fixture_path(folder, "run/last.h5")), 0);
    expect(overrides, MAE_OK, "");
    ck_assert_uint_eq(run.updates, 6);
    ck_assert_uint_eq(mae_test_count(run.log, "no checkpoint in "), 1);
    expect_log("the run begins anew; what was there is now in ");
    expect_text("run/before-2/log.txt", log);
    expect_text("run/before-2/best.h5", "the only one");
    expect_text("run/before-1", "mine");
    expect_text("run/notes.txt", "mine");
    ck_assert(train_exists(folder, "run/before-2/config.yaml"));
    ck_assert(train_exists(folder, "run/before-2/steps.jsonl"));
    ck_assert(train_exists(folder, "run/before-2/reconstructions/epoch-0001.png"));
    ck_assert(train_exists(folder, "run/reconstructions/epoch-0001.png"));
    ck_assert(!train_exists(folder, "run/best.h5"));
    ck_assert(train_exists(folder, "run/last.h5"));
    expect(overrides, MAE_OK, ""); /* goes on */
    ck_assert_uint_eq(run.updates, 0);
    ck_assert(!train_exists(folder, "run/before-3"));
    free(log);
}
END_TEST

/* Of a run that came to nothing there is nothing to keep. */
START_TEST(nothing_is_left)
{
    (void)fixture_folder(folder, "run");
    (void)fixture_folder(folder, "run/before-1");
    write_text("run/steps.jsonl", "");
    expect("train.epochs=1", MAE_OK, "");
    expect_log("no checkpoint in ");
    ck_assert(!train_exists(folder, "run/before-2"));
    ck_assert_uint_eq(train_entries(folder, "run/before-1", true), 0);
}
END_TEST

/* A kill between the moves: what had not been moved then is moved now. */
START_TEST(moves_go_on)
{
    (void)fixture_folder(folder, "run");
    (void)fixture_folder(folder, "run/before-1");
    (void)fixture_folder(folder, "run/reconstructions");
    write_text("run/before-1/config.yaml", "moved");
    write_text("run/report.html", "not yet");
    write_text("run/reconstructions/epoch-0001.png", "not yet");
    write_text("run/log.txt", "not yet");
    write_text("run/steps.jsonl", "");
    write_text("run/last.h5" MAE_OUTPUT_TEMP, "half a save");
    expect("train.epochs=1 train.report=false", MAE_OK, "");
    expect_text("run/before-1/config.yaml", "moved");
    expect_text("run/before-2/report.html", "not yet");
    expect_text("run/before-2/reconstructions/epoch-0001.png", "not yet");
    expect_text("run/before-2/log.txt", "not yet");
    ck_assert(!train_exists(folder, "run/last.h5" MAE_OUTPUT_TEMP));
    ck_assert(!train_exists(folder, "run/report.html"));
}
END_TEST

/* A kill after the moves leaves what can be begun anew. */
START_TEST(all_is_set_aside)
{
    (void)fixture_folder(folder, "run");
    (void)fixture_folder(folder, "run/before-1");
    expect("train.epochs=1", MAE_OK, "");
    ck_assert_uint_eq(mae_test_count(run.log, "no checkpoint in "), 0);
    ck_assert(train_exists(folder, "run/before-1"));
}
END_TEST

/* best.h5 is the state of the best epoch, whatever came later. */
START_TEST(best_is_the_best)
{
    char overrides[2000];
    int64_t epoch = 0;
    double least = 1e30;
    size_t size;
    char *log;

    (void)snprintf(overrides, sizeof overrides,
                   "data.val=%s/val train.epochs=6 optim.lr=0.03 optim.warmup_epochs=0",
                   folder);
    expect(overrides, MAE_OK, "");
    log = (char *)mae_test_read(fixture_path(folder, "run/log.txt"), &size);
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        MaeJson *record = NULL;
        MaeError err = {0};
        double loss;

        ck_assert_ok(mae_json_parse(&record, line, strlen(line), "log.txt", &err));
        ck_assert(mae_json_get_real(record, "val_loss", &loss));
        if (loss < least) {
            least = loss;
            ck_assert(mae_json_get_int(record, "epoch", &epoch));
        }
        mae_json_free(record);
    }
    free(log);
    ck_assert_double_eq(epochs_in("run/best.h5"), (double)epoch);
    ck_assert_double_eq(-run.result.score, least);
    ck_assert_double_eq(epochs_in("run/last.h5"), 6.0);
}
END_TEST

START_TEST(folders_that_cannot_be_made)
{
    TrainSpec spec = {.folder = folder, .name = "file/run"};

    write_text("file", "x");
    train_expect(&run, &spec, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "file"));
    spec.name = "file";
    train_expect(&run, &spec, MAE_ERR_ARG);
    expect_text("file", "x");
}
END_TEST

/* A refused run leaves no folder behind, or one as empty as it was. */
START_TEST(refused_runs_leave_nothing)
{
    expect("data.train=nowhere", MAE_ERR_ARG, "nowhere");
    ck_assert(!train_exists(folder, "run"));
    expect("train.batch_size=28", MAE_ERR_ARG, "data.train has 27");
    ck_assert(!train_exists(folder, "run"));
    expect("train.resume=nothing.h5", MAE_ERR_ARG, "nothing.h5 does not exist");
    ck_assert(!train_exists(folder, "run"));
    (void)fixture_folder(folder, "run");
    expect("train.batch_size=14 train.accum_iter=2", MAE_ERR_ARG, "takes 28 images");
    ck_assert_uint_eq(train_entries(folder, "run", true), 0);
    expect("train.checkpoint_every=1 train.keep=1000000 train.epochs=1000000 "
           "model.embed_dim=512",
           MAE_ERR_IO, "the disk has");
    ck_assert_uint_eq(train_entries(folder, "run", true), 0);
    expect("train.keep=1000000", MAE_OK, ""); /* writes few all the same */
}
END_TEST

/* Going back to an older checkpoint of the folder; newer ones do not crowd out new. */
START_TEST(an_older_checkpoint)
{
    const char *overrides = "train.checkpoint_every=1 train.epochs=5 train.keep=3";
    char again[2000];

    expect(overrides, MAE_OK, "");
    train_copy(folder, "run", "straight");
    (void)snprintf(again, sizeof again,
                   "%s train.resume=%s/run/checkpoint-3.h5 "
                   "train.stop_after=1e-9",
                   overrides, folder);
    expect(again, MAE_ERR_INTERRUPTED, "again with train.resume=auto");
    ck_assert_double_eq(epochs_in("run/last.h5"), 3.0);
    expect(overrides, MAE_OK, "");
    ck_assert_uint_eq(run.updates, 11);
    train_compare(folder, "straight", "run");
    ck_assert(train_exists(folder, "run/checkpoint-3.h5"));
}
END_TEST

/* Folder or log vanish under a run. */
static void remove_folder(void *ctx, size_t update)
{
    char away[1200];

    (void)ctx;
    (void)snprintf(away, sizeof away, "%s/away", folder);
    if (update == 2)
        ck_assert_int_eq(rename(fixture_path(folder, "run"), away), 0);
}

START_TEST(a_save_that_fails_is_told)
{
    TrainSpec spec = {.folder = folder,
                      .name = "run",
                      .overrides = "train.epochs=1 train.preview_every=none",
                      .at_update = remove_folder};

    train_expect(&run, &spec, MAE_ERR_IO); /* the last save of all */
    ck_assert_ptr_nonnull(strstr(run.err.msg, "the state is not saved"));
    ck_assert_uint_eq(run.epochs, 1);
    (void)rename(fixture_path(folder, "away"), fixture_path(folder, "gone"));
    spec.overrides = "train.save_minutes=1e-9 train.preview_every=none";
    train_expect(&run, &spec, MAE_ERR_IO);
    expect_log("training goes on");
    ck_assert_ptr_nonnull(strstr(run.err.msg, "3 times in a row"));
    ck_assert_uint_eq(run.updates, 4);
    (void)rename(fixture_path(folder, "away"), fixture_path(folder, "gone-too"));
    spec.overrides = NULL;
    spec.stop_at = 3;
    train_expect(&run, &spec, MAE_ERR_IO);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "the state is not saved"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train run folder");
    TCase *tc = tcase_create("run folder");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_run_leaves_these_files);
    tcase_add_test(tc, foreign_folders_are_refused);
    tcase_add_test(tc, an_existing_run_is_refused);
    tcase_add_test(tc, overwriting_removes_run_files_only);
    tcase_add_test(tc, other_settings_are_refused_with_a_diff);
    tcase_add_test(tc, another_kind_of_run_is_refused);
    tcase_add_test(tc, one_run_at_a_time);
    tcase_add_test(tc, what_could_not_go_on_does_not_begin);
    tcase_add_test(tc, files_of_crashed_saves_are_removed);
    tcase_add_test(tc, what_is_left_is_set_aside);
    tcase_add_test(tc, nothing_is_left);
    tcase_add_test(tc, moves_go_on);
    tcase_add_test(tc, all_is_set_aside);
    tcase_add_test(tc, best_is_the_best);
    tcase_add_test(tc, folders_that_cannot_be_made);
    tcase_add_test(tc, refused_runs_leave_nothing);
    tcase_add_test(tc, an_older_checkpoint);
    tcase_add_test(tc, a_save_that_fails_is_told);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
