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

    if (atomic_compare_exchange_strong(&stop_signal, &none, number))
        answer();
    if (number == SIGINT && atomic_fetch_add(&interrupts, 1) > 0)
        _exit(MAE_EXIT_KILLED);
}

static MaeStatus install(int number, void (*handler)(int), MaeError *err)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    (void)sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0)
        MAE_FAIL(err, MAE_ERR_IO, "signal %d: cannot install a handler: %s", number,
                 strerror(errno));
    return MAE_OK;
}

MaeStatus mae_signals_install(MaeError *err)
{
    MAE_TRY(install(SIGINT, on_signal, err));
    MAE_TRY(install(SIGTERM, on_signal, err));
    MAE_TRY(install(SIGHUP, on_signal, err));
    return install(SIGUSR1, on_signal, err);
}

MaeStatus mae_signals_ignore_pipe(MaeError *err)
{
    return install(SIGPIPE, SIG_IGN, err);
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
