#include "common/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/signals.h"
#include "support/test.h"

static const MaeToolOperand OPERANDS[] = {{"IN", "input", false, false}, {.name = NULL}};
static const MaeCommand COMMAND = {.name = "mae-test",
                                   .summary = "Tests the frame.",
                                   .operands = OPERANDS,
                                   .interruptible = true,
                                   .example = "mae-test x"};

/** What a tool left behind. */
typedef struct Outcome {
    int code;
    char out[4096], err[4096];
} Outcome;

static void redirect(int to, const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || dup2(fd, to) < 0)
        _exit(99);
}

static void slurp(char *text, size_t size, const char *path)
{
    FILE *file = fopen(path, "r");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

/* A main as in tool.h around a body that prints and ends with @p status. */
static int tool_main(const char *word, MaeStatus status)
{
    char *argv[] = {(char *)(uintptr_t) "mae-test", (char *)(uintptr_t)word, NULL};
    MaeError err = {0};
    MaeTool tool;

    if (!mae_tool_open(&tool, &COMMAND, NULL, word != NULL ? 2 : 1, argv))
        return tool.exit_code;
    (void)printf("result\n");
    mae_log(&tool.log, MAE_LOG_INFO, "message");
    if (status != MAE_OK)
        (void)mae_error_set(&err, status, __FILE__, __LINE__, "it\nfailed");
    return mae_tool_close(&tool, status, &err);
}

/* Run it in a process of its own; @p out NULL: a file that is read afterwards. */
static Outcome run(const char *word, MaeStatus status, const char *out)
{
    char *folder = mae_test_folder(), path[2][1100];
    Outcome outcome = {0};
    int state;
    pid_t child;

    (void)snprintf(path[0], sizeof path[0], "%s/out", folder);
    (void)snprintf(path[1], sizeof path[1], "%s/err", folder);
    (void)fflush(NULL);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int code;

        redirect(STDOUT_FILENO, out != NULL ? out : path[0]);
        redirect(STDERR_FILENO, path[1]);
        free(folder); /* this process's copy, or valgrind reports a leak */
        code = tool_main(word, status);
        (void)fflush(stderr);
        _exit(code);
    }
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state));
    outcome.code = WEXITSTATUS(state);
    if (out == NULL)
        slurp(outcome.out, sizeof outcome.out, path[0]);
    slurp(outcome.err, sizeof outcome.err, path[1]);
    mae_test_folder_remove(folder);
    return outcome;
}

START_TEST(success)
{
    const Outcome o = run("x", MAE_OK, NULL);

    ck_assert_int_eq(o.code, 0);
    ck_assert_str_eq(o.out, "result\n");
    ck_assert_str_eq(o.err, "mae-test: message\n");
}
END_TEST

START_TEST(failure_is_one_line)
{
    const Outcome o = run("x", MAE_ERR_FORMAT, NULL);

    ck_assert_int_eq(o.code, 3);
    ck_assert_str_eq(o.err, "mae-test: message\nmae-test: it?failed\n");
}
END_TEST

START_TEST(wrong_usage)
{
    const Outcome o = run("--verbos", MAE_OK, NULL);

    ck_assert_int_eq(o.code, 2);
    ck_assert_str_eq(o.out, "");
    ck_assert_str_eq(o.err,
                     "mae-test: unknown option --verbos; did you mean --verbose?\n");
    ck_assert_int_eq(run(NULL, MAE_OK, NULL).code, 2);
}
END_TEST

START_TEST(help_and_version)
{
    const Outcome help = run("--help", MAE_OK, NULL);
    const Outcome version = run("--version", MAE_OK, NULL);

    ck_assert_int_eq(help.code, 0);
    ck_assert_ptr_nonnull(strstr(help.out, "Usage: mae-test [options] IN\n"));
    ck_assert_int_eq(version.code, 0);
    ck_assert_int_eq(strncmp(version.out, "mae-test ", 9), 0);
    ck_assert_str_eq(version.err, "");
}
END_TEST

START_TEST(results_that_cannot_be_written)
{
    Outcome o;

    if (access("/dev/full", W_OK) != 0)
        return;
    o = run("x", MAE_OK, "/dev/full");
    ck_assert_int_eq(o.code, 1);
    ck_assert_ptr_nonnull(strstr(o.err, "mae-test: standard output: cannot write: No"));
    ck_assert_int_eq(run("--help", MAE_OK, "/dev/full").code, 1);
}
END_TEST

START_TEST(exit_codes)
{
    ck_assert_int_eq(mae_exit_code(MAE_OK), 0);
    ck_assert_int_eq(mae_exit_code(MAE_ERR_IO), 1);
    ck_assert_int_eq(mae_exit_code(MAE_ERR_NOMEM), 1);
    ck_assert_int_eq(mae_exit_code(MAE_ERR_COMM), 1);
    ck_assert_int_eq(mae_exit_code(MAE_ERR_ARG), 2);
    ck_assert_int_eq(mae_exit_code(MAE_ERR_SHAPE), 2);
    ck_assert_int_eq(mae_exit_code(MAE_ERR_FORMAT), 3);
    ck_assert_int_eq(mae_exit_code(MAE_ERR_NUMERIC), 4);
    ck_assert_int_eq(mae_exit_code(MAE_ERR_INTERRUPTED), 75);
}
END_TEST

START_TEST(errors_without_a_message)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    mae_tool_print_error(out, "mae-test", MAE_ERR_NOMEM, NULL);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(strncmp(text, "mae-test: ", 10), 0);
    ck_assert_ptr_nonnull(strstr(text, mae_status_name(MAE_ERR_NOMEM)));
    free(text);
}
END_TEST

/* Raise signals in a process of its own. @return wait status. */
static int after_signals(int first, int second)
{
    const pid_t child = fork();
    int state;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (mae_signals_install(false, NULL) != MAE_OK || *mae_signals_stop() != 0)
            _exit(99);
        (void)raise(first);
        if (second != 0)
            (void)raise(second);
        _exit(*mae_signals_stop() == first ? 0 : 98);
    }
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state));
    return WEXITSTATUS(state);
}

START_TEST(signals_set_the_flag)
{
    ck_assert_int_eq(after_signals(SIGINT, 0), 0);
    ck_assert_int_eq(after_signals(SIGTERM, SIGTERM), 0);
    ck_assert_int_eq(after_signals(SIGUSR1, SIGINT), 0);
    ck_assert_int_eq(after_signals(SIGINT, SIGTERM), 0);
}
END_TEST

START_TEST(second_interrupt_ends_at_once)
{
    ck_assert_int_eq(after_signals(SIGINT, SIGINT), 130);
}
END_TEST

/* A tool without the flag ends with the signal and leaves no half-written file. */
START_TEST(what_is_half_written_is_removed)
{
    static const int NUMBERS[] = {SIGINT, SIGTERM, SIGHUP};
    char *folder = mae_test_folder(), path[512];
    pid_t child;
    int state;

    (void)snprintf(path, sizeof path, "%s/half", folder);
    mae_test_write(path, "half", 4);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)signal(NUMBERS[_i], SIG_DFL); /* the suite may run under nohup */
        if (mae_signals_remove(path, NULL) != MAE_OK)
            _exit(99);
        (void)raise(NUMBERS[_i]);
        _exit(98);
    }
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFSIGNALED(state));
    ck_assert_int_eq(WTERMSIG(state), NUMBERS[_i]);
    ck_assert_int_ne(access(path, F_OK), 0);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(hangup_stays_ignored_under_nohup)
{
    const pid_t child = fork();
    int state;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)signal(SIGHUP, SIG_IGN);
        if (mae_signals_install(false, NULL) != MAE_OK)
            _exit(99);
        (void)raise(SIGHUP);
        _exit(*mae_signals_stop());
    }
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state) && WEXITSTATUS(state) == 0);
}
END_TEST

START_TEST(signal_names)
{
    ck_assert_str_eq(mae_signals_name(SIGTERM), "SIGTERM");
    ck_assert_str_eq(mae_signals_name(SIGINT), "SIGINT");
    ck_assert_str_eq(mae_signals_name(SIGUSR1), "SIGUSR1");
    ck_assert_str_eq(mae_signals_name(0), "a signal");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools frame");
    TCase *tc = tcase_create("tool");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, success);
    tcase_add_test(tc, failure_is_one_line);
    tcase_add_test(tc, wrong_usage);
    tcase_add_test(tc, help_and_version);
    tcase_add_test(tc, results_that_cannot_be_written);
    tcase_add_test(tc, exit_codes);
    tcase_add_test(tc, errors_without_a_message);
    tcase_add_test(tc, signals_set_the_flag);
    tcase_add_test(tc, second_interrupt_ends_at_once);
    tcase_add_loop_test(tc, what_is_half_written_is_removed, 0, 3);
    tcase_add_test(tc, hangup_stays_ignored_under_nohup);
    tcase_add_test(tc, signal_names);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
