#include "store/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file.h"
#include "store/output.h"

struct MaeJsonl {
    int fd;
    char *path;
};

/** A line torn by a crash must not run into the next one. */
static MaeStatus end_last_line(const MaeJsonl *log, MaeError *err)
{
    struct stat st;
    char last;

    if (fstat(log->fd, &st) != 0)
        return mae_file_fail(err, log->path, "cannot stat", errno);
    if (!S_ISREG(st.st_mode))
        MAE_FAIL(err, MAE_ERR_IO, "%s: expected a regular file", log->path);
    if (st.st_size == 0)
        return MAE_OK;
    MAE_TRY(
        mae_file_read_at(log->fd, log->path, &last, 1, (uint64_t)st.st_size - 1, err));
    return last == '\n' ? MAE_OK : mae_file_write(log->fd, log->path, "\n", 1, err);
}

MaeStatus mae_jsonl_open(MaeJsonl **log, const char *path, MaeError *err)
{
    MaeJsonl *made = calloc(1, sizeof *made);
    MaeStatus status;

    if (made != NULL)
        made->path = strdup(path);
    if (made == NULL || made->path == NULL) {
        free(made);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    }
    made->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (made->fd < 0)
        status = mae_file_fail(err, path, "cannot open for writing", errno);
    else
        status = end_last_line(made, err);
    if (status != MAE_OK)
        mae_jsonl_close(made);
    else
        *log = made;
    return status;
}

void mae_jsonl_close(MaeJsonl *log)
{
    if (log == NULL)
        return;
    if (log->fd >= 0)
        (void)close(log->fd);
    free(log->path);
    free(log);
}

MaeStatus mae_jsonl_append(MaeJsonl *log, const MaeJson *record, MaeError *err)
{
    char *text = mae_json_dump(record, 0);
    MaeStatus status;
    size_t length;

    if (text == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", log->path);
    length = strlen(text);
    if (length + 1 > MAE_JSONL_LINE) {
        free(text);
        MAE_FAIL(err, MAE_ERR_ARG, "%s: a record of %zu bytes, at most %zu are accepted",
                 log->path, length, MAE_JSONL_LINE - 1);
    }
    text[length] = '\n'; /* in place of the NUL: one write for the whole line */
    status = mae_file_append(log->fd, log->path, text, length + 1, err);
    free(text);
    return status;
}

/* Gets a line, its newline included if it has one. */
typedef MaeStatus (*LineFn)(void *ctx, const char *line, size_t size, MaeError *err);

static MaeStatus each_line_of(FILE *in, const char *path, char *line, LineFn fn,
                              void *ctx, MaeError *err)
{
    while (fgets(line, (int)MAE_JSONL_LINE + 1, in) != NULL) {
        const size_t size = strlen(line);

        if (size == MAE_JSONL_LINE && line[size - 1] != '\n')
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: a line exceeds %zu bytes", path,
                     MAE_JSONL_LINE);
        MAE_TRY(fn(ctx, line, size, err));
    }
    return ferror(in) ? mae_file_fail(err, path, "cannot read", errno) : MAE_OK;
}

static MaeStatus each_line(const char *path, LineFn fn, void *ctx, MaeError *err)
{
    char *line = malloc(MAE_JSONL_LINE + 1);
    MaeStatus status;
    FILE *in;
    int fd = -1;

    if (line == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    status = mae_file_open(path, &fd, NULL, err);
    in = status == MAE_OK ? fdopen(fd, "r") : NULL;
    if (status == MAE_OK && in == NULL) {
        (void)close(fd);
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "%s: out of memory", path);
    }
    if (in != NULL) {
        status = each_line_of(in, path, line, fn, ctx, err);
        (void)fclose(in);
    }
    free(line);
    return status;
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) != 0 && errno == ENOENT;
}

/* A line as an object; NULL if it is none. */
static MaeJson *parse(const char *line, size_t size)
{
    MaeJson *record;

    if (size == 0 || line[size - 1] != '\n' ||
        mae_json_parse(&record, line, size - 1, "line", NULL) != MAE_OK)
        return NULL;
    return record;
}

typedef struct Reading {
    MaeJsonlFn fn;
    void *ctx;
} Reading;

static MaeStatus read_line(void *ctx, const char *line, size_t size, MaeError *err)
{
    const Reading *reading = ctx;
    MaeJson *record = parse(line, size);
    MaeStatus status = MAE_OK;

    if (record != NULL)
        status = reading->fn(reading->ctx, record, err);
    mae_json_free(record);
    return status;
}

MaeStatus mae_jsonl_each(const char *path, MaeJsonlFn fn, void *ctx, MaeError *err)
{
    Reading reading = {fn, ctx};

    return is_missing(path) ? MAE_OK : each_line(path, read_line, &reading, err);
}

typedef struct Cutting {
    MaeOutput out;
    const char *key;
    int64_t last;
    size_t dropped; /* lines left out */
} Cutting;

/* Copy a line that a resumed run keeps. */
static MaeStatus cut_line(void *ctx, const char *line, size_t size, MaeError *err)
{
    Cutting *cutting = ctx;
    MaeJson *record = parse(line, size);
    int64_t value;

    (void)err; /* a write that fails is reported by the commit */
    if (record != NULL &&
        (!mae_json_get_int(record, cutting->key, &value) || value <= cutting->last))
        mae_output_append(&cutting->out, line, size);
    else
        cutting->dropped++;
    mae_json_free(record);
    return MAE_OK;
}

MaeStatus mae_jsonl_cut(const char *path, const char *key, int64_t last, MaeError *err)
{
    Cutting cutting = {.key = key, .last = last};
    MaeStatus status;

    if (is_missing(path))
        return MAE_OK;
    MAE_TRY(mae_output_open(&cutting.out, path, NULL, err));
    status = each_line(path, cut_line, &cutting, err);
    if (status == MAE_OK && cutting.dropped > 0)
        return mae_output_commit(&cutting.out, err);
    mae_output_abort(&cutting.out);
    return status;
}
