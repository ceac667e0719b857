/**
 * @file log.h
 * Formatting a line for the caller's log callback.
 *
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_LOG_H
#define MAE_BASE_LOG_H

#include "base/status.h"
#include "mae/log.h"

/**
 * Format and hand on one line of at most 1023 bytes; @p log may be NULL. Control
 * characters, e.g. of file names, are replaced by '?'.
 */
void mae_log(const MaeLog *log, MaeLogLevel level, const char *fmt, ...) MAE_PRINTF(3, 4);

#endif /* MAE_BASE_LOG_H */
