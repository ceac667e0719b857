/**
 * @file signals.h
 * Asking a run to stop: the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 sets a flag that the
 * trainer looks at between steps; it then saves, and the tool ends with exit code 75.
 *
 * A second SIGINT ends the process at once with exit code 130. SIGPIPE is ignored, so
 * that a reader that went away is an error of the write and not a silent death. The state
 * is one atomic of the process: the only kind that a handler can reach.
 *
 * Threads  Signals may arrive in any thread. Interrupted system calls are restarted.
 */
#ifndef MAE_TOOLS_COMMON_SIGNALS_H
#define MAE_TOOLS_COMMON_SIGNALS_H

#include <stdatomic.h>

#include "base/status.h"

/**
 * Install the handlers of the four signals, for a tool that looks at the flag; call once
 * at the start of main. MAE_ERR_IO if refused.
 */
MaeStatus mae_signals_install(MaeError *err);

/** Ignore SIGPIPE; for every tool. MAE_ERR_IO if refused. */
MaeStatus mae_signals_ignore_pipe(MaeError *err);

/** The flag: 0, or the number of the first signal that asked to stop. Never NULL. */
const atomic_int *mae_signals_stop(void);

/** "SIGTERM" and so on for a message; "a signal" for others. */
const char *mae_signals_name(int number);

#endif /* MAE_TOOLS_COMMON_SIGNALS_H */
