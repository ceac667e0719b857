/**
 * @file log.h
 * Log callback: the library never prints; whoever drives it decides where lines go.
 *
 * Memory   MaeLog is plain data; the callback's context belongs to the caller.
 * Threads  The callback may be called from any thread, several at a time: one that writes
 *          must be thread-safe.
 */
#ifndef MAE_LOG_H
#define MAE_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif /* MAE_LOG_H */
