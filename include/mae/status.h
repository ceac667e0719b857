/**
 * @file status.h
 * Status codes and the caller-owned error object that every fallible function fills.
 *
 * Memory   MaeError is plain data owned by the caller; no global state, nothing to free.
 * Threads  Reentrant; an error object belongs to one thread at a time.
 */
#ifndef MAE_STATUS_H
#define MAE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

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

/** Short name of a status, e.g. "io"; never NULL. */
const char *mae_status_name(MaeStatus status);

#ifdef __cplusplus
}
#endif

#endif /* MAE_STATUS_H */
