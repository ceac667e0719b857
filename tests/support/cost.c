#include "support/cost.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static TestCost used(void)
{
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return (TestCost){(size_t)usage.ru_maxrss << 10,
                      seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

_Noreturn static void run(int out, void (*fn)(void *ctx), void *ctx)
{
    const TestCost before = used();
    TestCost cost;

    fn(ctx);
    cost = used();
    cost.bytes -= before.bytes;
    cost.seconds -= before.seconds;
    _exit(write(out, &cost, sizeof cost) == (ssize_t)sizeof cost ? 0 : 1);
}

TestCost test_cost(void (*fn)(void *ctx), void *ctx)
{
    TestCost cost = {0};
    int ends[2], state;
    ssize_t got;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        run(ends[1], fn, ctx);
    (void)close(ends[1]);
    got = read(ends[0], &cost, sizeof cost);
    (void)close(ends[0]);
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_msg(WIFEXITED(state) && WEXITSTATUS(state) == 0 &&
                      got == (ssize_t)sizeof cost,
                  "the child ended with status %#x", (unsigned)state);
    return cost;
}

/* Valgrind preloads a library of its own. */
static bool is_instrumented(void)
{
#ifdef __SANITIZE_ADDRESS__
    return true;
#else
    const char *preloaded = getenv("LD_PRELOAD");

    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
#endif
}

void test_costs_less(size_t megabytes, double limit, void (*fn)(void *ctx), void *ctx)
{
    const TestCost cost = test_cost(fn, ctx);

    if (getenv("MAE_TEST_COSTS") != NULL)
        (void)fprintf(stderr, "# %.1f MB, %.3f s\n", (double)cost.bytes / 1048576.0,
                      cost.seconds);
    if (is_instrumented())
        return;
    ck_assert_msg(cost.bytes < megabytes << 20, "%zu KiB, limit %zu MiB",
                  cost.bytes >> 10, megabytes);
    ck_assert_msg(cost.seconds < limit, "%.2f s, limit %.2f s", cost.seconds, limit);
}
