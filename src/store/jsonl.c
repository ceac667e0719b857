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
    status = mae_file_write(log->fd, log->path, text, length + 1, err);
    free(text);
    return status;
}

/** True if a resumed run keeps the line (its newline included in @p size). */
static bool keep(const char *line, size_t size, const char *key, int64_t last)
{
    MaeJson *record;
    int64_t value;
    bool kept;

    if (line[size - 1] != '\n' ||
        mae_json_parse(&record, line, size - 1, key, NULL) != MAE_OK)
        return false;
    kept = !mae_json_get_int(record, key, &value) || value <= last;
    mae_json_free(record);
    return kept;
}

/** Copy the lines to keep. @param[out] dropped lines left out. */
static MaeStatus filter(MaeOutput *out, FILE *in, const char *key, int64_t last,
                        size_t *dropped, MaeError *err)
{
    char *line = malloc(MAE_JSONL_LINE + 1);
    MaeStatus status = MAE_OK;

    *dropped = 0;
    if (line == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", out->path);
    while (fgets(line, (int)MAE_JSONL_LINE + 1, in) != NULL) {
        const size_t size = strlen(line);

        if (size == MAE_JSONL_LINE && line[size - 1] != '\n') {
            status =
                mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                              "%s: a line exceeds %zu bytes", out->path, MAE_JSONL_LINE);
            break;
        }
        if (size > 0 && keep(line, size, key, last))
            mae_output_append(out, line, size);
        else
            ++*dropped;
    }
    if (status == MAE_OK && ferror(in))
        status = mae_file_fail(err, out->path, "cannot read", errno);
    free(line);
    return status;
}

MaeStatus mae_jsonl_cut(const char *path, const char *key, int64_t last, MaeError *err)
{
    MaeOutput out;
    MaeStatus status;
    size_t dropped;
    FILE *in;
    int fd;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return MAE_OK;
    MAE_TRY(mae_file_open(path, &fd, NULL, err));
    in = fdopen(fd, "r");
    if (in == NULL) {
        (void)close(fd);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    }
    status = mae_output_open(&out, path, NULL, err);
    if (status == MAE_OK) {
        status = filter(&out, in, key, last, &dropped, err);
        if (status == MAE_OK && dropped > 0)
            status = mae_output_commit(&out, err);
        else
            mae_output_abort(&out);
    }
    (void)fclose(in);
    return status;
}
