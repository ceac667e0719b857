/**
 * @file status.h
 * Recording and forwarding failures: what code inside the library adds to mae/status.h.
 *
 * Errors   MAE_FAIL records where and why and returns; MAE_TRY forwards untouched. The
 *          lowest level that detects a fault writes the message, callers never overwrite
 *          it.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_STATUS_H
#define MAE_BASE_STATUS_H

#include "mae/status.h"

#if defined(__GNUC__)
#define MAE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MAE_PRINTF(fmt, args)
#endif

/**
 * Record a failure; use through MAE_FAIL. @p err may be NULL. Control characters in the
 * formatted text (file names come from outside) are replaced by '?', so it stays one
 * line.
 * @return @p status
 */
MaeStatus mae_error_set(MaeError *err, MaeStatus status, const char *file, int line,
                        const char *fmt, ...) MAE_PRINTF(5, 6);

#ifdef __clang_analyzer__ /* cannot see that what is returned is @p status, not MAE_OK */
#define mae_error_set(err, status, ...)                                                  \
    ((void)mae_error_set((err), (status), __VA_ARGS__), (status))
#endif

#define MAE_FAIL(err, code, ...)                                                         \
    return mae_error_set((err), (code), __FILE__, __LINE__, __VA_ARGS__)

#define MAE_TRY(call)                                                                    \
    do {                                                                                 \
        const MaeStatus mae_try_status_ = (call);                                        \
        if (mae_try_status_ != MAE_OK)                                                   \
            return mae_try_status_;                                                      \
    } while (0)

#endif /* MAE_BASE_STATUS_H */
