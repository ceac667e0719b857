/**
 * @file tar.h
 * Tar archives: walking over the members of one that is not trusted, and writing one.
 *
 * Read are POSIX ustar and pax, GNU and old (v7) archives; long names of both kinds and
 * sizes in base 256 included. Nothing is ever unpacked to a file. Refused by name:
 * checksums, magics and numbers that are wrong, names that are absolute or climb with
 * "..", sparse and multi-volume members, members that reach beyond the end of the file,
 * and an archive without its end marker (a block of zeros): it was cut off. What follows
 * the marker is not looked at, as tar does.
 *
 * Written is plain ustar: regular files, mode 0644, owner 0, time 0, so the same content
 * gives the same bytes.
 *
 * Source   POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar
 *          manual, "Basic Tar Format".
 * Errors   FORMAT "<path>: ...", IO.
 * Memory   A reader holds one name; names have at most MAE_TAR_NAME bytes, extended
 *          headers at most 64 KiB.
 * Threads  One thread at a time per reader.
 */
#ifndef MAE_STORE_TAR_H
#define MAE_STORE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/output.h"

#define MAE_TAR_NAME 4096 /* longest name, NUL included */
#define MAE_TAR_BLOCK 512

/** A walk over an archive; fields are private but for the member. */
typedef struct MaeTar {
    const char *path; /* borrowed */
    int fd;           /* borrowed */
    uint64_t size;    /* of the file */
    uint64_t at;      /* of the next header */

    /* The member found by the last mae_tar_next. */
    char name[MAE_TAR_NAME];
    uint64_t offset; /* of its content */
    uint64_t length; /* of its content: inside the file */
    bool is_file;    /* false: a folder, link or device */
} MaeTar;

/** Does a file that begins with these bytes, at least a block, look like an archive? */
bool mae_tar_sniff(const unsigned char *block);

/** Begin a walk. @param fd, size of a file that is open; fd and path are borrowed. */
void mae_tar_begin(MaeTar *tar, int fd, uint64_t size, const char *path);

/** Go to the next member. @param[out] found false: the end marker was reached. */
MaeStatus mae_tar_next(MaeTar *tar, bool *found, MaeError *err);

/**
 * Append a member. Failures to write are sticky in @p out, see output.h.
 * @param name at most 100 bytes (asserted).
 */
void mae_tar_put(MaeOutput *out, const char *name, const void *bytes, size_t size);

/** Append the end marker. */
void mae_tar_end(MaeOutput *out);

#endif /* MAE_STORE_TAR_H */
