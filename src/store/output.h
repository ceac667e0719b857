/**
 * @file output.h
 * A file that appears complete under its name, or not at all.
 *
 * Bytes go to "<path>.mae-tmp" in the same folder. commit: fsync, close, rename, fsync of
 * the folder. Until then an older file of that name is untouched; any failure, and abort,
 * removes the temporary file. It is locked while it is written: a process that finds it
 * locked fails, one that finds it without a lock takes it for what a crash has left.
 *
 * The first failure is sticky: later writes do nothing, and commit reports it. So a
 * sequence of writes needs one check, and a writer above (libhdf5) that cannot live with
 * failing writes may be told that all is well.
 *
 * Faults   Tests hand in MaeFaults, which makes the n-th operation fail or come up short.
 * Memory   mae_output_open allocates; commit and abort release everything.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_STORE_OUTPUT_H
#define MAE_STORE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Fault plan of a test; counts write, truncate, sync and rename calls. */
typedef struct MaeFaults {
    size_t fail_at; /* 1-based operation that is disturbed; 0 never */
    int error; /* errno it fails with; 0: a write is only cut short, which is legal */
    size_t written; /* bytes that a disturbed write still writes */
    size_t seen;    /* operations so far */
} MaeFaults;

typedef struct MaeOutput {
    char *path, *temp; /* owned */
    int fd;            /* of temp, read and write; -1 when closed */
    int lock;          /* of temp: keeps its lock until it has its name; -1 when closed */
    int error;         /* first errno, 0 while all is well */
    const char *what;  /* what failed first, e.g. "cannot write" */
    uint64_t end;      /* where the next append goes */
    MaeFaults *faults; /* NULL outside tests; not owned */
} MaeOutput;

/** What the temporary file has behind the name of the file. */
#define MAE_OUTPUT_TEMP ".mae-tmp"

/** The temporary file of @p path: free() it; NULL if memory ran out. */
char *mae_output_temp(const char *path);

/**
 * Create the temporary file; an old one left by a crash is replaced. ARG if @p path is
 * there and no regular file, IO if another process is writing it.
 */
MaeStatus mae_output_open(MaeOutput *out, const char *path, MaeFaults *faults,
                          MaeError *err);

/** Write at @p offset; a failure is sticky. */
void mae_output_write(MaeOutput *out, const void *bytes, size_t size, uint64_t offset);

/** Write behind what has been appended so far. */
void mae_output_append(MaeOutput *out, const void *bytes, size_t size);

/** Cut or extend to @p size bytes. */
void mae_output_truncate(MaeOutput *out, uint64_t size);

/** The sticky failure as an error; MAE_OK if there is none. */
MaeStatus mae_output_check(const MaeOutput *out, MaeError *err);

/** Make it durable and visible, or remove it; releases @p out either way. */
MaeStatus mae_output_commit(MaeOutput *out, MaeError *err);

/** Remove the temporary file and release @p out; accepts a zeroed or finished object. */
void mae_output_abort(MaeOutput *out);

#endif /* MAE_STORE_OUTPUT_H */
