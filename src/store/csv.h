/**
 * @file csv.h
 * Tables as text (RFC 4180): quoting of fields, and reading of whole files.
 *
 * Fields are separated by commas and may stand in quotes, which are doubled within; there
 * commas and line ends are text. Records end in LF or CRLF. Reading, a record that begins
 * with an unquoted '#' is a comment.
 *
 * Memory   Reading holds one record, at most MAE_CSV_RECORD bytes, and a block.
 * Errors   Writing: those of the output, which are sticky. Reading: IO; FORMAT with path
 *          and line for quotes that do not fit, NUL bytes, too long a record or too many
 *          fields.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_STORE_CSV_H
#define MAE_STORE_CSV_H

#include "store/output.h"

#define MAE_CSV_RECORD ((size_t)1 << 16) /* longest record that is read, bytes */
#define MAE_CSV_FIELDS 64                /* most fields of one */

/** Append @p text as one field. */
void mae_csv_text(MaeOutput *out, const char *text);

/** A file being read; zero-initialised is closed. */
typedef struct MaeCsvReader {
    const char *path; /* borrowed */
    int fd;
    bool open;
    uint64_t size, offset; /* of the file; of what has been read into block */
    unsigned char *block;  /* a piece of the file */
    size_t filled, at;     /* bytes in it, next one */
    size_t line;           /* where the record began, from 1 */
    size_t lines;          /* read so far */
    char *record;          /* fields, each with its NUL */
    char *fields[MAE_CSV_FIELDS];
    size_t count; /* fields; 0 at the end of the file */
    bool comment; /* it is one: one field, the line */
} MaeCsvReader;

/** Open a regular file. @param path borrowed. */
MaeStatus mae_csv_open(MaeCsvReader *csv, const char *path, MaeError *err);

/** Read the next record: fields, count, comment, line. An empty line has one field. */
MaeStatus mae_csv_next(MaeCsvReader *csv, MaeError *err);

/** Accepts a zeroed or closed reader. */
void mae_csv_close(MaeCsvReader *csv);

#endif /* MAE_STORE_CSV_H */
