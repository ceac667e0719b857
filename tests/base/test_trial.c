#include "base/trial.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

static void count(void *ctx)
{
    ++*(int *)ctx;
}

static void crash(void *ctx)
{
    (void)ctx;
    (void)raise(SIGSEGV);
}

static void give_up(void *ctx)
{
    (void)ctx;
    abort();
}

static void leave(void *ctx)
{
    (void)ctx;
    _exit(0);
}

static void spin(void *ctx)
{
    for (volatile unsigned *at = ctx;;)
        ++*at;
}

static void wait_for_nothing(void *ctx)
{
    (void)ctx;
    for (;;)
        (void)pause();
}

static void eat(void *ctx)
{
    const size_t size = MAE_TRIAL_MEMORY / 4;

    for (int i = 0; i < 9; i++) {
        char *bytes = malloc(size);

        if (bytes == NULL)
            abort();
        *(char *volatile *)ctx = bytes;
    }
}

/* Gives all back and returns. */
static void gorge(void *ctx)
{
    const size_t size = MAE_TRIAL_MEMORY + MAE_TRIAL_MEMORY / 4;
    char *bytes = malloc(size);

    (void)ctx;
    for (size_t i = 0; bytes != NULL && i < size; i += 1024)
        ((volatile char *)bytes)[i] = 1;
    free(bytes);
}

static void on_signal(int number)
{
    (void)number;
    _exit(0);
}

/* Leaves a process that holds all of its files. */
static void crash_with_heir(void *ctx)
{
    if (fork() == 0) {
        (void)sleep(8);
        _exit(0);
    }
    crash(ctx);
}

START_TEST(what_returns_passes_and_leaves_nothing)
{
    int calls = 0;

    ck_assert(mae_trial_passes(count, &calls, 10));
    ck_assert_int_eq(calls, 0);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}
END_TEST

START_TEST(what_crashes_does_not)
{
    char *at = NULL;

    ck_assert(!mae_trial_passes(crash, NULL, 10));
    ck_assert(!mae_trial_passes(give_up, NULL, 10));
    ck_assert(!mae_trial_passes(leave, NULL, 10));
    ck_assert(!mae_trial_passes(eat, &at, 10));
    ck_assert(!mae_trial_passes(gorge, &at, 10));
    ck_assert(!mae_trial_passes(crash_with_heir, NULL, 10));
}
END_TEST

START_TEST(what_does_not_end_is_stopped)
{
    unsigned at = 0;

    ck_assert(!mae_trial_passes(spin, &at, 1));
}
END_TEST

/* It may be for a lock of this process: that says nothing about a file. */
START_TEST(what_only_waits_is_not_judged)
{
    ck_assert(mae_trial_passes(wait_for_nothing, NULL, 1));
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

/* As in a program under nohup, or one that reaps its children elsewhere. */
START_TEST(signals_of_the_program_do_not_matter)
{
    int calls = 0;

    (void)signal(SIGCHLD, SIG_IGN);
    (void)signal(SIGABRT, on_signal);
    ck_assert(mae_trial_passes(count, &calls, 10));
    ck_assert(!mae_trial_passes(give_up, NULL, 10));
}
END_TEST

/* As in a daemon, where any file may get the number of standard output. */
START_TEST(standard_files_may_be_closed)
{
    bool passed, failed;
    int calls = 0, kept[3];

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD, STDERR_FILENO + 1);
        (void)close(fd);
    }
    passed = mae_trial_passes(count, &calls, 10);
    failed = !mae_trial_passes(crash, NULL, 10);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        (void)dup2(kept[fd], fd);
    ck_assert(passed && failed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trial");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_returns_passes_and_leaves_nothing);
    tcase_add_test(tc, what_crashes_does_not);
    tcase_add_test(tc, what_does_not_end_is_stopped);
    tcase_add_test(tc, what_only_waits_is_not_judged);
    tcase_add_test(tc, signals_of_the_program_do_not_matter);
    tcase_add_test(tc, standard_files_may_be_closed);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
