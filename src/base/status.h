/**
 * @file status.h
 * Status codes and the caller-owned error object that every fallible function fills.
 *
 * Errors   MAE_FAIL records where and why and returns; MAE_TRY forwards untouched. The
 *          lowest level that detects a fault writes the message, callers never overwrite
 *          it.
 * Memory   MaeError is plain data owned by the caller; no global state, nothing to free.
 * Threads  Reentrant; an error object belongs to one thread at a time.
 */
#ifndef MAE_BASE_STATUS_H
#define MAE_BASE_STATUS_H

/** Outcome of a fallible call. */
typedef enum MaeStatus {
    MAE_OK = 0,
    MAE_ERR_ARG,         /**< wrong usage or configuration */
    MAE_ERR_SHAPE,       /**< sizes that do not fit together */
    MAE_ERR_IO,          /**< the operating system refused */
    MAE_ERR_FORMAT,      /**< a file's content is damaged or not what it should be */
    MAE_ERR_NOMEM,       /**< out of memory */
    MAE_ERR_COMM,        /**< communication between processes failed */
    MAE_ERR_NUMERIC,     /**< NaN or infinity where a number was needed */
    MAE_ERR_INTERRUPTED, /**< asked to stop; everything is saved */
} MaeStatus;

/** What went wrong; zero-initialise before use. Only written on failure. */
typedef struct MaeError {
    MaeStatus status;
    const char *file; /* source file of the detector */
    int line;
    char msg[512]; /* one line: where, expected, found */
} MaeError;

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

/** Short name of a status, e.g. "io"; never NULL. */
const char *mae_status_name(MaeStatus status);

#define MAE_FAIL(err, code, ...)                                                         \
    return mae_error_set((err), (code), __FILE__, __LINE__, __VA_ARGS__)

#define MAE_TRY(call)                                                                    \
    do {                                                                                 \
        const MaeStatus mae_try_status_ = (call);                                        \
        if (mae_try_status_ != MAE_OK)                                                   \
            return mae_try_status_;                                                      \
    } while (0)

#endif /* MAE_BASE_STATUS_H */
