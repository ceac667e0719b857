/* Damage to one checkpoint costs no run; damage to all of them is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/checkpoint.h"
#include "store/ckptblock.h"
#include "train/fixture.h"
#include "train/generations.h"

#define UPDATES 12 /* of two epochs */

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

/* A session in "run", left in update @p stop_at of it (0: not at all). */
static void session(const char *overrides, size_t stop_at, MaeStatus status)
{
    train_expect(
        &run,
        &(TrainSpec){
            .folder = folder, .name = "run", .overrides = overrides, .stop_at = stop_at},
        status);
}

static int64_t step_of(const char *name)
{
    MaeCkptReader *reader = NULL;
    MaeError err = {0};
    int64_t step;

    ck_assert_ok(mae_ckpt_open(&reader, fixture_path(folder, name), &err));
    ck_assert_ok(mae_ckpt_get_int(reader, "step", &step, &err));
    mae_ckpt_close(reader);
    return step;
}

/* What a run that was not disturbed would be is in "straight"; "run" was saved twice. */
static void saved_twice(size_t first, size_t second)
{
    train_expect(&run, &(TrainSpec){.folder = folder, .name = "straight"}, MAE_OK);
    session(NULL, first, MAE_ERR_INTERRUPTED);
    ck_assert(!train_exists(folder, "run/previous.h5"));
    session(NULL, second - first, MAE_ERR_INTERRUPTED);
    ck_assert_int_eq(step_of("run/previous.h5"), (int64_t)first);
    ck_assert_int_eq(step_of("run/last.h5"), (int64_t)second);
}

/* The save of an update comes after this; the end of an epoch may save once more. */
static void expect_two(void *ctx, size_t update)
{
    struct stat last, previous;

    (void)ctx;
    if (update < 3)
        return;
    ck_assert_int_eq(step_of("run/last.h5"), (int64_t)update - 1);
    ck_assert_int_ge(step_of("run/previous.h5"), (int64_t)update - 2);
    ck_assert_int_eq(stat(fixture_path(folder, "run/last.h5"), &last), 0);
    ck_assert_int_eq(stat(fixture_path(folder, "run/previous.h5"), &previous), 0);
    ck_assert_uint_ne(last.st_ino, previous.st_ino);
}

START_TEST(two_generations_from_the_second_save_on)
{
    train_expect(&run,
                 &(TrainSpec){.folder = folder,
                              .name = "run",
                              .overrides = "train.save_minutes=1e-9",
                              .at_update = expect_two},
                 MAE_OK);
    ck_assert_uint_eq(run.updates, UPDATES);
    ck_assert_int_ge(step_of("run/previous.h5"), UPDATES - 1);
}
END_TEST

/* last.h5 is flipped, cut, empty, gone. */
START_TEST(the_state_before_is_taken)
{
    saved_twice(4, 9);
    if (_i == 0)
        train_flip(folder, "run/last.h5");
    else if (_i < 3)
        train_truncate(folder, "run/last.h5", _i == 1 ? 5000 : 0);
    else
        ck_assert_int_eq(unlink(fixture_path(folder, "run/last.h5")), 0);
    session(NULL, 1, MAE_ERR_INTERRUPTED);
    if (_i < 3) {
        mae_test_has(run.log, "last.h5: ");
        mae_test_has(run.log, "; trying an older checkpoint");
    }
    mae_test_has(run.log, "going on from ");
    mae_test_has(run.log, "previous.h5: 0 epochs and 4 steps");
    ck_assert_int_eq(step_of("run/previous.h5"), 4); /* not what was damaged */
    ck_assert_int_eq(step_of("run/last.h5"), 5);
    session(NULL, 0, MAE_OK);
    ck_assert_uint_eq(run.updates, UPDATES - 5);
    train_compare(folder, "straight", "run");
    ck_assert_int_eq(step_of("run/previous.h5"), 5);
}
END_TEST

START_TEST(all_damaged)
{
    saved_twice(2, 8);
    train_flip(folder, "run/last.h5");
    train_flip(folder, "run/previous.h5");
    session(NULL, 0, MAE_ERR_FORMAT);
    mae_test_has(run.log, "last.h5: ");
    mae_test_has(run.log, "previous.h5: ");
    mae_test_has(run.err.msg, "no checkpoint can be read");
    mae_test_has(run.err.msg, "train.overwrite=true starts anew");
    session("train.overwrite=true", 0, MAE_OK);
    train_compare(folder, "straight", "run");
    ck_assert(!train_exists(folder, "run/previous.h5"));
}
END_TEST

/* The only file of a run that can be taken up again is previous.h5. */
START_TEST(previous_alone_is_a_run)
{
    saved_twice(2, 8);
    ck_assert_int_eq(unlink(fixture_path(folder, "run/last.h5")), 0);
    ck_assert_int_eq(unlink(fixture_path(folder, "run/steps.jsonl")), 0);
    session("train.resume=none", 0, MAE_ERR_ARG);
    mae_test_has(run.err.msg, "holds a run");
    session(NULL, 0, MAE_OK);
    ck_assert_uint_eq(run.updates, UPDATES - 2);
    train_compare_states(folder, "straight", "run");
}
END_TEST

START_TEST(numbered_ones_follow)
{
    const char *overrides = "train.checkpoint_every=1 train.epochs=3";

    session(overrides, 0, MAE_OK);
    train_copy(folder, "run", "straight");
    train_flip(folder, "run/last.h5");
    train_flip(folder, "run/previous.h5");
    train_flip(folder, "run/checkpoint-3.h5");
    session(overrides, 0, MAE_OK);
    mae_test_has(run.log, "checkpoint-2.h5: 2 epochs");
    ck_assert_uint_eq(mae_test_count(run.log, "; trying an older checkpoint"), 3);
    ck_assert_uint_eq(run.updates, 6);
    train_compare(folder, "straight", "run");
    train_flip(folder, "run/last.h5"); /* previous.h5 is damaged already */
    train_flip(folder, "run/checkpoint-3.h5");
    train_flip(folder, "run/checkpoint-2.h5");
    session(overrides, 0, MAE_ERR_FORMAT);
    mae_test_has(run.err.msg, "no checkpoint can be read");
}
END_TEST

/* What a finished run names as its result can be read, whatever became of it since. */
START_TEST(finished_runs_have_a_result)
{
    const char *overrides = "train.checkpoint_every=1 train.epochs=2";

    session(overrides, 0, MAE_OK);
    train_copy(folder, "run", "straight");
    if (_i == 0)
        train_flip(folder, "run/last.h5");
    else
        ck_assert_int_eq(unlink(fixture_path(folder, "run/last.h5")), 0);
    session(overrides, 0, MAE_OK);
    ck_assert_uint_eq(run.updates, 0);
    mae_test_has(run.log, "last.h5 is written again from ");
    train_compare(folder, "straight", "run");
    ck_assert_int_eq(step_of("run/previous.h5"), UPDATES / 2);
    session(overrides, 0, MAE_OK);
    ck_assert_uint_eq(mae_test_count(run.log, "written again"), 0);
}
END_TEST

/* The same with the name of a checkpoint: only a last.h5 that is damaged or missing is
 * written, another run's is not. */
START_TEST(a_named_result_is_no_reason_to_write)
{
    char overrides[2000];
    unsigned char *before, *after;
    size_t size[2];

    (void)snprintf(overrides, sizeof overrides,
                   "train.epochs=2 train.resume=%s/straight/last.h5", folder);
    session("train.epochs=2", 0, MAE_OK);
    train_copy(folder, "run", "straight");
    ck_assert_int_eq(unlink(fixture_path(folder, "run/last.h5")), 0);
    session(overrides, 0, MAE_OK);
    mae_test_has(run.log, "last.h5 is written again from ");
    train_compare_states(folder, "straight", "run");
    session("train.epochs=1 train.overwrite=true", 0, MAE_OK); /* another run */
    before = mae_test_read(fixture_path(folder, "run/last.h5"), &size[0]);
    session(overrides, 0, MAE_OK);
    ck_assert_uint_eq(run.updates, 0);
    ck_assert_uint_eq(mae_test_count(run.log, "written again"), 0);
    after = mae_test_read(fixture_path(folder, "run/last.h5"), &size[1]);
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_int_eq(memcmp(before, after, size[0]), 0);
    free(before);
    free(after);
}
END_TEST

/* Where there is something that cannot be read, nothing begins anew over it. */
START_TEST(unreadable_is_not_missing)
{
    saved_twice(3, 6);
    ck_assert_int_eq(unlink(fixture_path(folder, "run/previous.h5")), 0);
    ck_assert_int_eq(unlink(fixture_path(folder, "run/last.h5")), 0);
    ck_assert_int_eq(symlink("last.h5", fixture_path(folder, "run/last.h5")), 0);
    session(NULL, 0, MAE_ERR_FORMAT);
    mae_test_has(run.err.msg, "no checkpoint can be read");
    ck_assert(train_exists(folder, "run/log.txt"));
}
END_TEST

/* Of a run's own file, by the way of all tools: not one bit may change unnoticed. */
START_TEST(flipped_bits_are_refused)
{
    unsigned char *bytes;
    MaeCkptReader *reader = NULL;
    MaeSnapshot snapshot = {0};
    MaeError err = {0};
    char path[1200];
    size_t size;
    FILE *file;

    session(NULL, 3, MAE_ERR_INTERRUPTED);
    (void)snprintf(path, sizeof path, "%s", fixture_path(folder, "run/last.h5"));
    bytes = mae_test_read(path, &size);
    file = fopen(path, "r+b");
    ck_assert(bytes != NULL && file != NULL);
    for (size_t i = 0; i < 10000; i++) {
        const size_t bit = i < 8 * MAE_CKPT_BLOCK ? i : i * 7919 % (8 * size);
        const unsigned char was = bytes[bit / 8],
                            is = (unsigned char)(was ^ 1u << bit % 8);

        ck_assert_int_eq(pwrite(fileno(file), &is, 1, (off_t)(bit / 8)), 1);
        ck_assert_msg(mae_snapshot_open(&reader, &snapshot, path, &err) == MAE_ERR_FORMAT,
                      "bit %zu went unnoticed", bit);
        ck_assert_int_eq(pwrite(fileno(file), &was, 1, (off_t)(bit / 8)), 1);
    }
    (void)fclose(file);
    ck_assert_ok(mae_snapshot_open(&reader, &snapshot, path, &err));
    mae_ckpt_close(reader);
    mae_snapshot_done(&snapshot);
    free(bytes);
}
END_TEST

/* The newest one cut at 64 sizes, 0 included: the one before is chosen each time. */
START_TEST(truncated_ones_are_passed_over)
{
    MaeConfig *cfg = mae_test_alloc(sizeof *cfg);
    MaeError err = {0};
    struct stat whole;

    saved_twice(4, 9);
    (void)snprintf(cfg->train.output_dir, sizeof cfg->train.output_dir, "%s/run", folder);
    (void)snprintf(cfg->train.resume, sizeof cfg->train.resume, "auto");
    ck_assert_int_eq(stat(fixture_path(folder, "run/last.h5"), &whole), 0);
    for (size_t i = 64; i-- > 0;) {
        MaeRunFolder opened;

        train_truncate(folder, "run/last.h5", (size_t)whole.st_size * i / 64);
        ck_assert_ok(mae_run_folder_open(&opened, cfg, NULL, &err));
        ck_assert_str_eq(opened.resume, fixture_path(folder, "run/previous.h5"));
        mae_run_folder_close(&opened);
    }
    free(cfg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train generations");
    TCase *tc = tcase_create("generations");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, two_generations_from_the_second_save_on);
    tcase_add_loop_test(tc, the_state_before_is_taken, 0, 4);
    tcase_add_test(tc, all_damaged);
    tcase_add_test(tc, previous_alone_is_a_run);
    tcase_add_test(tc, numbered_ones_follow);
    tcase_add_loop_test(tc, finished_runs_have_a_result, 0, 2);
    tcase_add_test(tc, a_named_result_is_no_reason_to_write);
    tcase_add_test(tc, unreadable_is_not_missing);
    tcase_add_test(tc, flipped_bits_are_refused);
    tcase_add_test(tc, truncated_ones_are_passed_over);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
