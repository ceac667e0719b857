/*
 * Whichever system call that writes fails in a run that is left, taken up again and
 * finished: nothing is lost, and nothing is said to be saved that is not.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "store/checkpoint.h"
#include "store/events.h"
#include "store/jsonl.h"
#include "store/output.h"
#include "support/syscalls.h"
#include "train/fixture.h"

#define BIT(call) (1u << (call))
#define EVERY (BIT(TEST_CALLS) - 1)
#define WRITES (BIT(TEST_WRITE) | BIT(TEST_PWRITE))

/* POSIX lets no other call be interrupted. */
#define INTERRUPTED (WRITES | BIT(TEST_FTRUNCATE) | BIT(TEST_FSYNC) | BIT(TEST_CLOSE))

static const TestFault ONCE[] = {{ENOSPC, EVERY, false},
                                 {EIO, EVERY, false},
                                 {EINTR, INTERRUPTED, false},
                                 {0, WRITES, false}};

/* One can delete and close on a full disk. */
static const TestFault FULL = {
    ENOSPC, EVERY & ~(BIT(TEST_CLOSE) | BIT(TEST_UNLINK) | BIT(TEST_FTRUNCATE)), true};

enum {
    ONCE_COUNT = sizeof ONCE / sizeof *ONCE,
    LEFT_AT = 2,
    UPDATES = 6,
    MOST_CALLS = 4000
};

/* Every which call of the first kind of fault fails; where that takes long, a stride that
 * meets the same calls in other saves. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { FIRST_STRIDE = 7 };
#else
enum { FIRST_STRIDE = 2 };
#endif

static char *folder;
static char overrides[2000];
static TrainRun run;
static size_t files; /* open before */
static bool full;    /* the long test */

static long long step_of(const char *path)
{
    MaeCkptReader *reader = NULL;
    MaeError err = {0};
    int64_t step;

    ck_assert_ok(mae_ckpt_open(&reader, path, &err));
    ck_assert_ok(mae_ckpt_get_int(reader, "step", &step, &err));
    mae_ckpt_close(reader);
    return step;
}

/* Negative infinity if the file is not there. */
static double best_of(const char *name)
{
    MaeCkptReader *reader = NULL;
    MaeError err = {0};
    double best = (double)-INFINITY;

    if (train_exists(folder, name)) {
        ck_assert_ok(mae_ckpt_open(&reader, fixture_path(folder, name), &err));
        ck_assert_ok(mae_ckpt_get_real(reader, "best", &best, &err));
        mae_ckpt_close(reader);
    }
    return best;
}

static MaeStatus count_record(void *ctx, const MaeJson *record, MaeError *err)
{
    (void)record;
    (void)err;
    ++*(size_t *)ctx;
    return MAE_OK;
}

typedef struct Contents {
    size_t files, lines, event_bytes, temporary;
    long long steps; /* sum over checkpoints */
} Contents;

/* Every checkpoint that is there is whole; a log line or event is, or does not count. */
static void count_file(Contents *contents, const char *path)
{
    MaeError err = {0};
    struct stat st;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    if (mae_text_ends(path, MAE_OUTPUT_TEMP) || mae_text_ends(path, "/.lock")) {
        contents->temporary++;
        return;
    }
    contents->files++;
    if (mae_text_ends(path, ".h5"))
        contents->steps += step_of(path);
    if (mae_text_ends(path, ".jsonl") || mae_text_ends(path, "log.txt"))
        ck_assert_ok(mae_jsonl_each(path, count_record, &contents->lines, &err));
    if (strstr(path, ".tfevents.") != NULL)
        contents->event_bytes += (size_t)st.st_size;
}

static Contents contents_of(const char *name)
{
    static const char *const PLACES[] = {"", "/reconstructions"};
    Contents contents = {0};
    char path[2000], place[1200];

    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        const struct dirent *entry;
        DIR *dir;

        (void)snprintf(place, sizeof place, "%s/%s%s", folder, name, PLACES[i]);
        dir = opendir(place);
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            (void)snprintf(path, sizeof path, "%s/%s", place, entry->d_name);
            count_file(&contents, path);
        }
        if (dir != NULL)
            (void)closedir(dir);
    }
    return contents;
}

/* An error or a warning that says why and where. */
static bool has_reason(const char *text, int error)
{
    return text != NULL && strstr(text, strerror(error)) != NULL &&
           strstr(text, "/run") != NULL;
}

static bool told(const TestFault *fault)
{
    return has_reason(run.err.msg, fault->error) ||
           has_reason(strstr(run.log, "warning: "), fault->error);
}

/* @return true if something was told. */
static bool session(const TestFault *fault, size_t n, bool finetune, size_t stop_at)
{
    const MaeStatus expected = stop_at > 0 ? MAE_ERR_INTERRUPTED : MAE_OK;
    const TrainSpec spec = {.folder = folder,
                            .name = "run",
                            .finetune = finetune,
                            .overrides = overrides,
                            .stop_at = stop_at};
    const char *call;

    train_run(&run, &spec);
    call = test_syscalls_failed();
    ck_assert_msg(run.status == expected || has_reason(run.err.msg, fault->error),
                  "%s, call %zu: %s: %s\n%s", call, n, mae_status_name(run.status),
                  run.err.msg, run.log);
    if (run.status == expected)
        ck_assert_msg(step_of(fixture_path(folder, "run/last.h5")) ==
                          (long long)(stop_at > 0 ? stop_at : UPDATES),
                      "%s, call %zu: what is said to be saved is not\n%s", call, n,
                      run.log);
    ck_assert_msg(mae_test_open_files() == files, "%s, call %zu: %zu files open, not %zu",
                  call, n, mae_test_open_files(), files);
    return told(fault);
}

/* What is left of the events if all that cannot be read is cut off. */
static size_t readable_events(void)
{
    MaeError err = {0};

    ck_assert_ok(mae_events_cut(fixture_path(folder, "run"), INT64_MAX, &err));
    return contents_of("run").event_bytes;
}

static bool same(const Contents *a, const Contents *b)
{
    return a->files == b->files && a->lines == b->lines &&
           a->event_bytes == b->event_bytes && a->steps == b->steps;
}

static void configure(bool finetune, const char *more)
{
    (void)snprintf(overrides, sizeof overrides,
                   "data.val=%s/val train.batch_size=9 train.checkpoint_every=1 "
                   "train.report=true train.preflight=false %s %s",
                   folder, more,
                   finetune ? "finetune.init=random finetune.ema_decay=0.9"
                            : "train.preview_every=1 train.preview_count=1 "
                              "eval.probe=none");
}

static void remove_run(void)
{
    char command[1200];

    (void)snprintf(command, sizeof command, "rm -rf '%s/run'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Left and finished without a fault, as "straight". @return calls of both sessions */
static size_t straight(const TestFault *fault, bool finetune, Contents *contents)
{
    size_t calls;

    files = mae_test_open_files();
    train_run(&run, &(TrainSpec){.folder = folder, /* warms libraries up */
                                 .name = "warm",
                                 .finetune = finetune,
                                 .overrides = overrides});
    files = mae_test_open_files();
    test_syscalls_begin(fault, 0);
    (void)session(fault, 0, finetune, LEFT_AT);
    (void)session(fault, 0, finetune, 0);
    calls = test_syscalls_end();
    *contents = contents_of("run");
    ck_assert_uint_eq(contents->temporary, 0);
    train_copy(folder, "run", "straight");
    return calls;
}

/* The n-th call of a run fails, or all from there on. */
static void try_at(const TestFault *fault, size_t n, bool finetune, const Contents *whole)
{
    Contents contents;
    bool complained, over;

    remove_run();
    test_syscalls_begin(fault, n);
    complained = session(fault, n, finetune, LEFT_AT);
    complained = session(fault, n, finetune, 0) || complained;
    over = run.status == MAE_OK;
    (void)test_syscalls_end();
    contents = contents_of("run"); /* all checkpoints are whole */
    ck_assert_msg(complained || (over && same(&contents, whole)),
                  "%s, call %zu: something is missing and nothing was said\n%s",
                  test_syscalls_failed(), n, run.log);
    ck_assert_msg(contents.temporary == 0 ||
                      strcmp(test_syscalls_failed(), "unlink") == 0,
                  "%s, call %zu: %zu temporary files", test_syscalls_failed(), n,
                  contents.temporary);
    ck_assert_msg(best_of("run/best.h5") >= best_of("run/last.h5"),
                  "%s, call %zu: best.h5 is not the best", test_syscalls_failed(), n);
    ck_assert_msg(!over || (contents.lines + 1 >= whole->lines &&
                            readable_events() + 500 >= whole->event_bytes),
                  "%s, call %zu: more than the records of one step are lost",
                  test_syscalls_failed(), n);
    if (fault->error == EINTR || fault->error == 0)
        ck_assert_msg(over && !complained, "%s, call %zu: %s", test_syscalls_failed(), n,
                      run.err.msg);
    if (!over || contents.temporary > 0)
        (void)session(fault, n, finetune, 0);
    ck_assert_int_eq(run.status, MAE_OK);
    ck_assert_uint_eq(contents_of("run").temporary, 0);
    train_compare_states(folder, "straight", "run");
}

/*
 * Calls to try: all of them with MAE_TEST_FULL. Otherwise some, of writes of bytes, of
 * which there are many alike, few, and more of the first kind of fault.
 */
static size_t choose(size_t chosen[MOST_CALLS], size_t calls, bool first)
{
    size_t count = 0;

    ck_assert_uint_le(calls, MOST_CALLS);
    for (size_t n = 1; n <= calls; n++) {
        const bool bytes = (WRITES & BIT(test_syscalls_call(n))) != 0;

        if (n % (full ? 1 : bytes ? 101 : first ? FIRST_STRIDE : 13) == 0)
            chosen[count++] = n;
    }
    return count;
}

/* Each kind of fault, in pretraining or fine-tuning; in both with MAE_TEST_FULL. */
START_TEST(any_write_may_fail)
{
    const TestFault *fault = &ONCE[_i / 2];
    const bool finetune = _i % 2 == 1, usual = finetune == (_i / 2 % 2 == 1);
    size_t chosen[MOST_CALLS], count;
    Contents whole;

    if (!usual && !full)
        return;
    configure(finetune, "");
    count = choose(chosen, straight(fault, finetune, &whole), _i == 0);
    ck_assert_uint_gt(count, 5);
    for (size_t i = 0; i < count; i++)
        try_at(fault, chosen[i], finetune, &whole);
}
END_TEST

/*
 * The disk is full from the n-th call on: older checkpoints stay, the run ends with the
 * third save in a row that fails or with its last one, and goes on once there is space.
 */
START_TEST(the_disk_may_be_full)
{
    const bool finetune = _i == 1;
    const size_t stride = full ? 1 : 199;
    size_t thrice = 0;
    bool over = false;

    configure(finetune, "train.save_minutes=1e-9");
    (void)straight(&FULL, finetune, &(Contents){0});
    for (size_t n = 1; !over; n += stride) {
        remove_run();
        test_syscalls_begin(&FULL, n);
        (void)session(&FULL, n, finetune, 0);
        over = test_syscalls_end() < n;
        ck_assert_msg(over || told(&FULL), "%s, call %zu: nothing was said: %s\n%s",
                      test_syscalls_failed(), n, mae_status_name(run.status), run.log);
        thrice += strstr(run.err.msg, "saving failed 3 times in a row") != NULL;
        ck_assert_uint_eq(contents_of("run").temporary, 0);
        (void)session(&FULL, n, finetune, 0);
        ck_assert_int_eq(run.status, MAE_OK);
        train_compare_states(folder, "straight", "run");
    }
    ck_assert_uint_gt(thrice, 0);
}
END_TEST

static void setup(void)
{
    full = getenv("MAE_TEST_FULL") != NULL;
    folder = train_place();
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

int main(void)
{
    Suite *suite = suite_create("train faults");
    TCase *tc = tcase_create("faults");

    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, any_write_may_fail, 0, 2 * ONCE_COUNT);
    suite_add_tcase(suite, tc);
    tc = tcase_create("full");
    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, the_disk_may_be_full, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
