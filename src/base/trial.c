#define _GNU_SOURCE /* pipe2 */
#include "base/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/machine.h"

#define IDLE_SECONDS 3 /* without processor time: the child waits */

static void limit(int resource, rlim_t most)
{
    struct rlimit now;

    if (getrlimit(resource, &now) == 0 && now.rlim_cur > most) {
        now.rlim_cur = most;
        (void)setrlimit(resource, &now);
    }
}

/* Crashes are silent, and whoever handles them in this process is not asked. */
static void confine(unsigned seconds)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,
                                  SIGABRT, SIGXCPU, SIGTERM, SIGINT};
    const rlim_t used = mae_machine_address_space();
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigset_t all;

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)signal(signals[i], SIG_DFL);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
    (void)dup2(nowhere, STDOUT_FILENO);
    (void)dup2(nowhere, STDERR_FILENO);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, seconds);
    if (used > 0)
        limit(RLIMIT_AS, used + 2 * MAE_TRIAL_MEMORY);
}

/* The most memory that this process has used so far, bytes. */
static size_t peak(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss << 10 : 0;
}

/* In the child: the way to report, out of reach of what becomes of its output. */
static int keep_apart(int fd)
{
    return fd > STDERR_FILENO ? fd : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* In the child. */
static bool is_modest(void (*fn)(void *ctx), void *ctx)
{
    const size_t before = peak();

    fn(ctx);
    return peak() - before <= MAE_TRIAL_MEMORY;
}

/* The child says that it came to the end. */
static void report(int fd)
{
    while (write(fd, "", 1) < 0 && errno == EINTR)
        continue;
}

/* Processor time that a child has used, seconds; negative if the system does not say. */
static double time_of(pid_t child)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return -1.0;
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

/* Also if nobody may ask for it any more. */
static bool is_gone(pid_t child)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == child;
}

/* Did it come to the end, or does it wait for what never happens in it? The pipe does not
 * end with the child while a process that was made at the same time holds it, too. */
static bool has_passed(pid_t child, int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLIN};
    double before = -1.0;
    char byte;
    int idle = 0, ready;
    ssize_t got;

    while ((ready = poll(&end, 1, 1000)) <= 0) {
        const double now = time_of(child);

        if (ready < 0)
            continue; /* a signal of ours */
        if (is_gone(child))
            break;
        idle = now <= before ? idle + 1 : 0;
        before = now;
        if (idle == IDLE_SECONDS) {
            (void)kill(child, SIGKILL);
            return true;
        }
    }
    do
        got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1;
}

bool mae_trial_passes(void (*fn)(void *ctx), void *ctx, unsigned seconds)
{
    int ends[2];
    bool passed;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return true;
    child = fork();
    if (child == 0) {
        const int way = keep_apart(ends[1]);

        confine(seconds);
        if (is_modest(fn, ctx))
            report(way);
        _exit(0);
    }
    (void)close(ends[1]);
    passed = child < 0 || has_passed(child, ends[0]);
    (void)close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return passed;
}
