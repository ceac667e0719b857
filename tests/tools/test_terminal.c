#define _XOPEN_SOURCE 700 /* posix_openpt */
#include "common/terminal.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test.h"

static const MaeProgress HALF = {.label = "epoch 3/8",
                                 .done = 120,
                                 .total = 240,
                                 .images_per_second = 1834.2,
                                 .loss = 0.45121,
                                 .seconds_left = 200.0};

START_TEST(full_line)
{
    char line[200];
    const size_t size = mae_terminal_format(line, sizeof line, &HALF, 199, true);

    ck_assert_str_eq(line, "epoch 3/8 [====================>                   ]  50 %  "
                           "120/240  ETA 3 min 20 s  1834 images/s  loss 0.4512");
    ck_assert_uint_eq(size, strlen(line));
}
END_TEST

START_TEST(line_without_bar)
{
    char line[200];

    (void)mae_terminal_format(line, sizeof line, &HALF, 199, false);
    ck_assert_str_eq(line, "epoch 3/8  50 %  120/240  ETA 3 min 20 s  1834 images/s  "
                           "loss 0.4512");
}
END_TEST

START_TEST(never_wider_than_the_terminal)
{
    char line[200];

    for (size_t columns = 0; columns < 150; columns++) {
        const size_t size = mae_terminal_format(line, sizeof line, &HALF, columns, true);

        ck_assert_uint_eq(size, strlen(line));
        ck_assert_uint_le(size, columns);
    }
    ck_assert_uint_eq(mae_terminal_format(line, 8, &HALF, 100, true), 7);
    ck_assert_str_eq(line, "epoch 3");
}
END_TEST

START_TEST(unknown_parts_are_left_out)
{
    const MaeProgress p = {.label = "reading",
                           .done = 17,
                           .loss = (double)NAN,
                           .images_per_second = (double)NAN,
                           .seconds_left = (double)NAN};
    char line[200];

    (void)mae_terminal_format(line, sizeof line, &p, 79, true);
    ck_assert_str_eq(line, "reading  17");
}
END_TEST

START_TEST(extreme_values_are_safe)
{
    char label[300], line[400];
    MaeProgress p = HALF;

    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    label[3] = '\n';
    p.label = label;
    p.done = p.total = (size_t)-1;
    p.images_per_second = 1e300;
    p.loss = -1e300;
    p.seconds_left = 1e300;
    ck_assert_uint_lt(mae_terminal_format(line, sizeof line, &p, 399, true), 399);
    ck_assert_ptr_null(strchr(line, '\n'));
    p.total = 3; /* more done than there was to do */
    p.done = 5;
    (void)mae_terminal_format(line, sizeof line, &p, 399, true);
    ck_assert_ptr_nonnull(strstr(line, "[========================================]"));
}
END_TEST

/* What was written to the file behind @p fd so far. */
static void content(int fd, char *text, size_t size)
{
    const ssize_t n = pread(fd, text, size - 1, 0);

    ck_assert_int_ge(n, 0);
    text[n] = '\0';
}

static int scratch_file(void)
{
    FILE *file = tmpfile();
    int fd;

    ck_assert_ptr_nonnull(file);
    fd = dup(fileno(file));
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fclose(file), 0);
    return fd;
}

START_TEST(plain_lines_in_a_file)
{
    const int fd = scratch_file();
    MaeTerminal t;
    MaeLog log;
    char text[1000];

    mae_terminal_open(&t, "mae-test", fd, 0);
    log = mae_terminal_log(&t);
    mae_terminal_progress(&t, &HALF); /* too early for a line */
    mae_log(&log, MAE_LOG_WARN, "%s", "bad\033[2J name");
    mae_log(&log, MAE_LOG_DEBUG, "not shown");
    mae_terminal_mark(&t, &HALF);
    mae_log(&log, MAE_LOG_INFO, "done");
    mae_terminal_close(&t);
    content(fd, text, sizeof text);
    ck_assert_str_eq(text, "mae-test: warning: bad?[2J name\n"
                           "mae-test: epoch 3/8  50 %  120/240  ETA 3 min 20 s  "
                           "1834 images/s  loss 0.4512\n"
                           "mae-test: done\n");
    (void)close(fd);
}
END_TEST

START_TEST(verbosity_selects)
{
    static const char *const EXPECTED[] = {"eee", "eeewww", "eeewwwiii", "eeewwwiiiddd",
                                           "eeewwwiiidddttt"};
    static const int VERBOSITY[] = {-7, -1, 0, 1, 9};
    const int fd = scratch_file();
    MaeTerminal t;
    MaeLog log;
    char text[1000], seen[64] = "";

    mae_terminal_open(&t, "T", fd, VERBOSITY[_i]);
    log = mae_terminal_log(&t);
    mae_log(&log, MAE_LOG_ERROR, "@eee");
    mae_log(&log, MAE_LOG_WARN, "@www");
    mae_log(&log, MAE_LOG_INFO, "@iii");
    mae_log(&log, MAE_LOG_DEBUG, "@ddd");
    mae_log(&log, MAE_LOG_TRACE, "@ttt");
    if (VERBOSITY[_i] < 0)
        mae_terminal_mark(&t, &HALF);
    mae_terminal_close(&t);
    content(fd, text, sizeof text);
    for (const char *at = strchr(text, '@'); at != NULL; at = strchr(at + 1, '@'))
        (void)strncat(seen, at + 1, 3);
    ck_assert_str_eq(seen, EXPECTED[_i]);
    ck_assert_ptr_null(strstr(text, "epoch"));
    (void)close(fd);
}
END_TEST

/* A pseudo terminal; what is written to the slave can be read from the master. */
static int open_pty(int *master)
{
    int slave;

    *master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(*master, 0);
    ck_assert_int_eq(grantpt(*master), 0);
    ck_assert_int_eq(unlockpt(*master), 0);
    slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(slave, 0);
    return slave;
}

/* One log line below a progress line that is redrawn; what a terminal gets. */
static void run_live(char *text, size_t size, bool *live)
{
    int master;
    const int slave = open_pty(&master);
    MaeTerminal t;
    MaeLog log;
    size_t used = 0;
    ssize_t n;

    mae_terminal_open(&t, "mae-test", slave, 0);
    *live = t.live;
    log = mae_terminal_log(&t);
    for (int i = 0; i < 1000; i++) /* drawn once, or twice on a slow machine */
        mae_terminal_progress(&t, &HALF);
    mae_log(&log, MAE_LOG_WARN, "careful");
    mae_terminal_close(&t);
    (void)close(slave); /* the master reads what is left, then fails */
    while (used < size - 1 && (n = read(master, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    (void)close(master);
}

START_TEST(live_line_on_a_terminal)
{
    char text[4000];
    bool live;

    ck_assert_int_eq(setenv("TERM", "xterm", 1), 0);
    ck_assert_int_eq(unsetenv("NO_COLOR"), 0);
    run_live(text, sizeof text, &live);
    ck_assert(live);
    ck_assert_ptr_nonnull(strstr(text, "\r\033[Kepoch 3/8"));
    ck_assert_ptr_nonnull(strstr(text, "\r\033[Kmae-test: \033[1;33mwarning:\033[0m"));
    ck_assert_ptr_nonnull(strstr(text, "careful\r\n\r\033[Kepoch 3/8"));
    ck_assert_uint_lt(strlen(text), 1000); /* not once per call */
    ck_assert_str_eq(text + strlen(text) - 4, "\r\033[K");
}
END_TEST

START_TEST(no_color_keeps_the_line)
{
    char text[4000];
    bool live;

    ck_assert_int_eq(setenv("TERM", "xterm", 1), 0);
    ck_assert_int_eq(setenv("NO_COLOR", "1", 1), 0);
    run_live(text, sizeof text, &live);
    ck_assert(live);
    ck_assert_ptr_nonnull(strstr(text, "mae-test: warning: careful"));
}
END_TEST

START_TEST(dumb_terminals_get_plain_text)
{
    char text[4000];
    bool live;

    ck_assert_int_eq(setenv("TERM", "dumb", 1), 0);
    run_live(text, sizeof text, &live);
    ck_assert(!live);
    ck_assert_str_eq(text, "mae-test: warning: careful\r\n");
}
END_TEST

static void *chatter(void *arg)
{
    const MaeLog log = mae_terminal_log(arg);

    for (int i = 0; i < 200; i++) {
        mae_log(&log, MAE_LOG_INFO, "0123456789");
        mae_terminal_progress(arg, &HALF);
    }
    return NULL;
}

START_TEST(threads_do_not_mix_lines)
{
    const int fd = scratch_file();
    pthread_t threads[4];
    char text[100000];
    size_t lines = 0;
    MaeTerminal t;

    mae_terminal_open(&t, "T", fd, 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, chatter, &t), 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    mae_terminal_close(&t);
    content(fd, text, sizeof text);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1, lines++)
        ck_assert_int_eq(strncmp(line, "T: 0123456789\n", 14), 0);
    ck_assert_uint_eq(lines, 800);
    (void)close(fd);
}
END_TEST

START_TEST(close_accepts_null)
{
    mae_terminal_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools terminal");
    TCase *tc = tcase_create("terminal");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, full_line);
    tcase_add_test(tc, line_without_bar);
    tcase_add_test(tc, never_wider_than_the_terminal);
    tcase_add_test(tc, unknown_parts_are_left_out);
    tcase_add_test(tc, extreme_values_are_safe);
    tcase_add_test(tc, plain_lines_in_a_file);
    tcase_add_loop_test(tc, verbosity_selects, 0, 5);
    tcase_add_test(tc, live_line_on_a_terminal);
    tcase_add_test(tc, no_color_keeps_the_line);
    tcase_add_test(tc, dumb_terminals_get_plain_text);
    tcase_add_test(tc, threads_do_not_mix_lines);
    tcase_add_test(tc, close_accepts_null);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
