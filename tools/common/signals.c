#include "common/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "common/tool.h"

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler needs lock-free atomics");

static atomic_int stop_signal; /* first signal that asked to stop */
static atomic_int interrupts;  /* number of SIGINTs */
static atomic_bool silent;     /* nothing is said when asked to stop */

enum { REMOVALS = 16 };
static char removals[REMOVALS][4096 + 16]; /* files that a signal's end removes */
static atomic_int removal_count;

/* At once, so that nobody presses again for want of an answer. */
static void answer(void)
{
    static const char text[] = "\nstopping after this step, everything will be saved; "
                               "Ctrl-C again leaves at once\n";
    const int error = errno;

    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    errno = error;
}

static void on_signal(int number)
{
    int none = 0;

    if (atomic_compare_exchange_strong(&stop_signal, &none, number) &&
        !atomic_load(&silent))
        answer();
    if (number == SIGINT && atomic_fetch_add(&interrupts, 1) > 0)
        _exit(MAE_EXIT_KILLED);
}

static MaeStatus install(int number, void (*handler)(int), int flags, MaeError *err)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    struct sigaction old;

    (void)sigemptyset(&action.sa_mask);
    if (number == SIGHUP && sigaction(number, NULL, &old) == 0 &&
        old.sa_handler == SIG_IGN)
        return MAE_OK; /* nohup */
    if (sigaction(number, &action, NULL) != 0)
        MAE_FAIL(err, MAE_ERR_IO, "signal %d: cannot install a handler: %s", number,
                 strerror(errno));
    return MAE_OK;
}

MaeStatus mae_signals_install(bool quiet, MaeError *err)
{
    atomic_store(&silent, quiet);
    MAE_TRY(install(SIGINT, on_signal, SA_RESTART, err));
    MAE_TRY(install(SIGTERM, on_signal, SA_RESTART, err));
    MAE_TRY(install(SIGHUP, on_signal, SA_RESTART, err));
    return install(SIGUSR1, on_signal, SA_RESTART, err);
}

MaeStatus mae_signals_ignore_write(MaeError *err)
{
    MAE_TRY(install(SIGPIPE, SIG_IGN, SA_RESTART, err));
    return install(SIGXFSZ, SIG_IGN, SA_RESTART, err);
}

/* Paths are complete before they are counted. */
static void remove_and_die(int number)
{
    for (int i = 0; i < atomic_load(&removal_count); i++)
        (void)unlink(removals[i]);
    (void)raise(number); /* SA_RESETHAND: ends the process once the handler returns */
}

MaeStatus mae_signals_remove(const char *path, MaeError *err)
{
    static const int NUMBERS[] = {SIGINT, SIGTERM, SIGHUP};
    const int count = atomic_load(&removal_count);

    for (int i = 0; i < count; i++) {
        if (strcmp(removals[i], path) == 0)
            return MAE_OK;
    }
    if (count == REMOVALS || strlen(path) >= sizeof removals[0])
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%.80s...: expected at most %d files to write, with "
                 "paths of at most %zu bytes",
                 path, REMOVALS, sizeof removals[0] - 1);
    memcpy(removals[count], path, strlen(path) + 1);
    atomic_store(&removal_count, count + 1);
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        MAE_TRY(install(NUMBERS[i], remove_and_die, SA_RESETHAND, err));
    return MAE_OK;
}

const atomic_int *mae_signals_stop(void)
{
    return &stop_signal;
}

const char *mae_signals_name(int number)
{
    switch (number) {
    case SIGINT:
        return "SIGINT";
    case SIGTERM:
        return "SIGTERM";
    case SIGHUP:
        return "SIGHUP";
    case SIGUSR1:
        return "SIGUSR1";
    default:
        return "a signal";
    }
}
