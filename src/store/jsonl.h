/**
 * @file jsonl.h
 * Log files with one JSON object per line (log.txt, steps.jsonl).
 *
 * Each line is one write, handed to the operating system at once but not fsync'ed: a
 * crash of the machine may tear the last line, which readers and mae_jsonl_cut tolerate.
 *
 * Errors   IO.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_STORE_JSONL_H
#define MAE_STORE_JSONL_H

#include "store/json.h"

#define MAE_JSONL_LINE ((size_t)1 << 20) /* longest line, bytes */

typedef struct MaeJsonl MaeJsonl;

/** Open for appending; a torn last line is first ended with a newline. */
MaeStatus mae_jsonl_open(MaeJsonl **log, const char *path, MaeError *err);

/** NULL is fine. */
void mae_jsonl_close(MaeJsonl *log);

/** Append one object (not consumed). */
MaeStatus mae_jsonl_append(MaeJsonl *log, const MaeJson *record, MaeError *err);

/** What to do with a record; anything but MAE_OK ends the reading and is its status. */
typedef MaeStatus (*MaeJsonlFn)(void *ctx, const MaeJson *record, MaeError *err);

/**
 * Read a log, which may be growing: @p fn gets one object after another. Lines that are
 * none are passed over; a missing file has none. FORMAT if a line is too long.
 */
MaeStatus mae_jsonl_each(const char *path, MaeJsonlFn fn, void *ctx, MaeError *err);

/**
 * Cut a log back for resuming: drop lines whose integer @p key is above @p last, and
 * lines that are no JSON object (torn). Lines without the key stay. The file is replaced
 * atomically, and only if something is dropped; a missing file is fine. Call it before
 * mae_jsonl_open.
 */
MaeStatus mae_jsonl_cut(const char *path, const char *key, int64_t last, MaeError *err);

#endif /* MAE_STORE_JSONL_H */
