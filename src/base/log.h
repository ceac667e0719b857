/**
 * @file log.h
 * Log callback: the library never prints; whoever drives it decides where lines go.
 *
 * Memory   MaeLog is plain data; the callback's context belongs to the caller.
 * Threads  The callback may be called from any thread, one call at a time per MaeLog is
 *          not guaranteed: a callback that writes must be thread-safe.
 */
#ifndef MAE_BASE_LOG_H
#define MAE_BASE_LOG_H

#include "base/status.h"

typedef enum MaeLogLevel {
    MAE_LOG_ERROR = 0,
    MAE_LOG_WARN,
    MAE_LOG_INFO,
    MAE_LOG_DEBUG,
    MAE_LOG_TRACE,
} MaeLogLevel;

/** @param line one line without a newline; valid during the call only. */
typedef void (*MaeLogFn)(void *ctx, MaeLogLevel level, const char *line);

typedef struct MaeLog {
    MaeLogFn fn;       /* NULL: silent */
    void *ctx;         /* passed to fn */
    MaeLogLevel level; /* lines above it are dropped */
} MaeLog;

/** Format and hand on one line of at most 1023 bytes; @p log may be NULL. */
void mae_log(const MaeLog *log, MaeLogLevel level, const char *fmt, ...) MAE_PRINTF(3, 4);

#endif /* MAE_BASE_LOG_H */
