#include <stdlib.h>
#include <unistd.h>

#include "store/csv.h"
#include "store/file.h"

enum { BLOCK = 65536, END = -1 };

MaeStatus mae_csv_open(MaeCsvReader *csv, const char *path, MaeError *err)
{
    MaeStatus status;

    *csv = (MaeCsvReader){.path = path};
    MAE_TRY(mae_file_open(path, &csv->fd, &csv->size, err));
    csv->open = true;
    csv->block = malloc(BLOCK);
    csv->record = malloc(MAE_CSV_RECORD);
    if (csv->block != NULL && csv->record != NULL)
        return MAE_OK;
    status =
        mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__, "%s: out of memory", path);
    mae_csv_close(csv);
    return status;
}

void mae_csv_close(MaeCsvReader *csv)
{
    if (csv->open)
        (void)close(csv->fd);
    free(csv->block);
    free(csv->record);
    *csv = (MaeCsvReader){.open = false};
}

static MaeStatus fill(MaeCsvReader *csv, MaeError *err)
{
    const uint64_t left = csv->size - csv->offset;

    csv->filled = left < BLOCK ? (size_t)left : BLOCK;
    csv->at = 0;
    MAE_TRY(
        mae_file_read_at(csv->fd, csv->path, csv->block, csv->filled, csv->offset, err));
    csv->offset += csv->filled;
    return MAE_OK;
}

/* @param[out] c the next byte, not consumed; END at the end of the file. */
static MaeStatus look(MaeCsvReader *csv, int *c, MaeError *err)
{
    if (csv->at == csv->filled && csv->offset < csv->size)
        MAE_TRY(fill(csv, err));
    *c = csv->at < csv->filled ? csv->block[csv->at] : END;
    if (*c == '\0')
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s:%zu: expected text, found a NUL byte",
                 csv->path, csv->lines + 1);
    return MAE_OK;
}

/* Consume what look() has shown. */
static MaeStatus take(MaeCsvReader *csv, int c, size_t *used, MaeError *err)
{
    csv->at++;
    csv->lines += c == '\n';
    if (used == NULL)
        return MAE_OK;
    if (*used + 2 > MAE_CSV_RECORD) /* the field's NUL has to fit, too */
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s:%zu: expected records of at most %zu bytes, found a longer one",
                 csv->path, csv->line, MAE_CSV_RECORD);
    csv->record[(*used)++] = (char)c;
    return MAE_OK;
}

/* The text of a field up to its closing quote. */
static MaeStatus read_quoted(MaeCsvReader *csv, size_t *used, MaeError *err)
{
    int c;

    for (;;) {
        MAE_TRY(look(csv, &c, err));
        if (c == END)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s:%zu: expected a closing quote, found the end of the file",
                     csv->path, csv->line);
        if (c == '"') {
            MAE_TRY(take(csv, c, NULL, err));
            MAE_TRY(look(csv, &c, err));
            if (c != '"')
                return MAE_OK;
        }
        MAE_TRY(take(csv, c, used, err));
    }
}

static MaeStatus read_plain(MaeCsvReader *csv, size_t *used, MaeError *err)
{
    int c;

    for (;;) {
        MAE_TRY(look(csv, &c, err));
        if (c == END || c == '\n' || (c == ',' && !csv->comment))
            return MAE_OK;
        if (c == '"' && !csv->comment)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s:%zu: found a quote within a field",
                     csv->path, csv->lines + 1);
        MAE_TRY(take(csv, c, used, err));
    }
}

/* One field and what ends it. @param[out] more another one follows. */
static MaeStatus read_field(MaeCsvReader *csv, size_t *used, bool *more, MaeError *err)
{
    const size_t begin = *used;
    bool quoted;
    int c;

    if (csv->count == MAE_CSV_FIELDS)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s:%zu: expected at most %d fields, found more",
                 csv->path, csv->line, MAE_CSV_FIELDS);
    MAE_TRY(look(csv, &c, err));
    csv->comment = c == '#' && csv->count == 0;
    quoted = c == '"';
    if (quoted) {
        MAE_TRY(take(csv, c, NULL, err));
        MAE_TRY(read_quoted(csv, used, err));
        MAE_TRY(look(csv, &c, err));
        if (c == '\r')
            MAE_TRY(take(csv, c, NULL, err));
    } else {
        MAE_TRY(read_plain(csv, used, err));
    }
    MAE_TRY(look(csv, &c, err));
    if (c != END && c != '\n' && c != ',')
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s:%zu: expected a comma behind a quote",
                 csv->path, csv->lines + 1);
    if (!quoted && c != ',' && *used > begin && csv->record[*used - 1] == '\r')
        (*used)--;
    *more = c == ',';
    if (c != END)
        MAE_TRY(take(csv, c, NULL, err));
    csv->record[(*used)++] = '\0';
    csv->fields[csv->count++] = csv->record + begin;
    return MAE_OK;
}

MaeStatus mae_csv_next(MaeCsvReader *csv, MaeError *err)
{
    size_t used = 0;
    bool more = true;
    int c;

    csv->count = 0;
    csv->line = csv->lines + 1;
    csv->comment = false;
    MAE_TRY(look(csv, &c, err));
    if (c == END)
        return MAE_OK;
    while (more) {
        if (used == MAE_CSV_RECORD)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s:%zu: expected records of at most %zu bytes, found a longer one",
                     csv->path, csv->line, MAE_CSV_RECORD);
        MAE_TRY(read_field(csv, &used, &more, err));
    }
    return MAE_OK;
}
