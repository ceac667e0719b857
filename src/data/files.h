/**
 * @file files.h
 * Finding image files below a folder and reading them; internal to data/.
 *
 * The walk goes depth first, each folder's entries in byte order of their names, so the
 * order of samples depends on names only. Hidden entries are skipped, symbolic links are
 * followed. A folder met twice in one walk (device and inode) is not entered again:
 * loops and diamonds of links end there. Anything but regular files and folders (FIFOs,
 * sockets, devices) is left out and never opened.
 *
 * Memory   Names live in one growing block, 8 + length + 1 bytes per file.
 * Errors   IO for folders that cannot be read, NOMEM.
 * Threads  Built by one thread, read by any number.
 */
#ifndef MAE_DATA_FILES_H
#define MAE_DATA_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "data/dataset.h"

/** Image files below one root folder. */
typedef struct MaeFiles {
    int root;       /* descriptor of the root folder, 0 when closed */
    size_t *offset; /* [count] of each name in text */
    char *text;     /* names relative to the root, NUL-terminated */
    size_t count, capacity;
    size_t text_size, text_capacity;
    size_t ignored;          /* regular files that are no images */
    size_t repeated;         /* folders not entered again */
    char first_ignored[256]; /* name of the first of them, "" if none */
    char first_repeated[256];
} MaeFiles;

/** Sub-folders of a folder, byte order, hidden ones left out. */
typedef struct MaeFolders {
    char **names;
    size_t count;
} MaeFolders;

/** Open @p path as the root of an empty list. */
MaeStatus mae_files_open(MaeFiles *files, const char *path, MaeError *err);

/** Accepts a zeroed or closed list. */
void mae_files_close(MaeFiles *files);

/** Append every image below @p folder ("" for the root itself), in walk order. */
MaeStatus mae_files_walk(MaeFiles *files, const char *folder, MaeError *err);

/** Append one path, relative to the root or absolute, image or not. */
MaeStatus mae_files_add(MaeFiles *files, const char *path, MaeError *err);

/** Name of file @p index relative to the root. */
const char *mae_files_name(const MaeFiles *files, size_t index);

/**
 * Read an image file whole; never blocks on a FIFO.
 * @param[out] size bytes in @p buffer.
 * @return IO, FORMAT (also if it is empty or has more than @p max_size bytes), NOMEM.
 */
MaeStatus mae_files_load(const MaeFiles *files, size_t index, MaeReadBuffer *buffer,
                         size_t *size, size_t max_size, MaeError *err);

/** One line each on what the walk left out, level warn; @p log may be NULL. */
void mae_files_report(const MaeFiles *files, const char *path, const MaeLog *log);

/** List the sub-folders of @p path. @param[out] folders released by mae_folders_done. */
MaeStatus mae_folders_list(MaeFolders *folders, const char *path, MaeError *err);
void mae_folders_done(MaeFolders *folders);

/** What lies directly in @p path, up to the first image; both false if unreadable. */
void mae_folder_scan(const char *path, bool *has_images, bool *has_folders);

#endif /* MAE_DATA_FILES_H */
