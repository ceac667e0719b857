/**
 * @file signals.h
 * Asking a run to stop: the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 sets a flag that the
 * trainer looks at between steps; it then saves, and the tool ends with exit code 75.
 *
 * A second SIGINT ends the process at once with exit code 130. Tools that do not stop in
 * this way end with the first signal, as any program; files that they were writing are
 * removed. SIGPIPE and SIGXFSZ are ignored, so that a reader that went away, or a limit
 * on file sizes, is an error of the write and not a silent death. SIGHUP stays ignored
 * under nohup. The state is of the process: the only kind that a handler can reach.
 *
 * Threads  Signals may arrive in any thread. Interrupted system calls are restarted.
 */
#ifndef MAE_TOOLS_COMMON_SIGNALS_H
#define MAE_TOOLS_COMMON_SIGNALS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"

/**
 * Install the handlers of the four signals, for a tool that looks at the flag; call once
 * at the start of main. MAE_ERR_IO if refused.
 * @param quiet the first one is not answered on stderr: one of several ranks, which
 * mpirun tells to stop when another one has failed, can promise nothing.
 */
MaeStatus mae_signals_install(bool quiet, MaeError *err);

/** Ignore SIGPIPE and SIGXFSZ; for every tool. MAE_ERR_IO if refused. */
MaeStatus mae_signals_ignore_write(MaeError *err);

/**
 * Remove @p path if SIGINT, SIGTERM or SIGHUP ends the process; for tools without the
 * flag. Main thread only. ARG if it is too long, or one of more than 16.
 */
MaeStatus mae_signals_remove(const char *path, MaeError *err);

/** The flag: 0, or the number of the first signal that asked to stop. Never NULL. */
const atomic_int *mae_signals_stop(void);

/** "SIGTERM" and so on for a message; "a signal" for others. */
const char *mae_signals_name(int number);

#endif /* MAE_TOOLS_COMMON_SIGNALS_H */
