/**
 * @file file.h
 * Reading files that may be anything, and folders.
 *
 * Errors   IO with "<path>: <what>: <reason>"; a path that is no regular file (a FIFO, a
 *          device, a folder) is refused without blocking, as FORMAT.
 * Threads  Reentrant.
 */
#ifndef MAE_STORE_FILE_H
#define MAE_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/**
 * Record "<path>: <what>: <text of errno value>" and return it: IO, or NOMEM where memory
 * or descriptors ran out, which is no fault of the file.
 */
MaeStatus mae_file_fail(MaeError *err, const char *path, const char *what, int number);

/**
 * Open a regular file for reading.
 * @param[out] fd   close-on-exec descriptor, closed by the caller.
 * @param[out] size bytes; may be NULL.
 */
MaeStatus mae_file_open(const char *path, int *fd, uint64_t *size, MaeError *err);

/** Read exactly @p size bytes at @p offset; a shorter file is a FORMAT error. */
MaeStatus mae_file_read_at(int fd, const char *path, void *bytes, size_t size,
                           uint64_t offset, MaeError *err);

/**
 * Read a whole file of at most @p max_bytes (larger: FORMAT error, nothing allocated).
 * @param[out] bytes malloc'ed, a NUL byte follows the content; the caller frees.
 * @param[out] size  bytes without that NUL.
 */
MaeStatus mae_file_read_all(const char *path, size_t max_bytes, unsigned char **bytes,
                            size_t *size, MaeError *err);

/** Write all of it at the descriptor's position. @param path for the message. */
MaeStatus mae_file_write(int fd, const char *path, const void *bytes, size_t size,
                         MaeError *err);

/**
 * Write at the end of a file opened with O_APPEND, all of it or nothing: what a failure
 * has written is cut off again, so that a later record does not run into half of it.
 */
MaeStatus mae_file_append(int fd, const char *path, const void *bytes, size_t size,
                          MaeError *err);

/** ftruncate and fsync that go on after interrupts. @return 0, or the errno */
int mae_file_resize(int fd, uint64_t size);
int mae_file_sync(int fd);

/** Replace or create @p path with this content: complete and on disk, or not at all. */
MaeStatus mae_file_write_atomic(const char *path, const void *bytes, size_t size,
                                MaeError *err);

/** Flush the entry of @p path, a file, in its folder to the disk. */
MaeStatus mae_file_sync_folder(const char *path, MaeError *err);

/** True if the file behind @p fd is the one called @p path. */
bool mae_file_is(int fd, const char *path);

/**
 * ARG if @p output, whether it is there or not, lies in @p folder or below it (links
 * followed): there it could replace a file of a data set or become a part of it. Anything
 * but a folder holds nothing.
 */
MaeStatus mae_file_check_outside(const char *output, const char *folder, MaeError *err);

/**
 * Create a folder and its parents; one that exists is fine. ARG where another kind of
 * file is in the way.
 */
MaeStatus mae_file_make_folders(const char *path, MaeError *err);

#endif /* MAE_STORE_FILE_H */
