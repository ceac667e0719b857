#define _GNU_SOURCE /* flock */
#include "store/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file.h"

/** Count an operation. @return true if the plan disturbs it. */
static bool disturbed(MaeOutput *out)
{
    return out->faults != NULL && ++out->faults->seen == out->faults->fail_at;
}

/** errno that the plan puts in place of a call that is no write; 0: make the call. */
static int planned(MaeOutput *out)
{
    return disturbed(out) && out->faults->error != EINTR ? out->faults->error : 0;
}

static void fail(MaeOutput *out, const char *what, int number)
{
    if (out->error == 0) {
        out->error = number;
        out->what = what;
    }
}

char *mae_output_temp(const char *path)
{
    const size_t size = strlen(path) + sizeof MAE_OUTPUT_TEMP;
    char *temp = malloc(size);

    if (temp != NULL)
        (void)snprintf(temp, size, "%s%s", path, MAE_OUTPUT_TEMP);
    return temp;
}

/* Renaming over a device, a pipe or a link would destroy it. */
static MaeStatus check_target(const char *path, MaeError *err)
{
    struct stat st;

    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: is no regular file and would be replaced; %s",
                 path,
                 S_ISLNK(st.st_mode) ? "name the file that the link leads to"
                                     : "name a file to write");
    return MAE_OK;
}

/*
 * Create the temporary file and lock it, or take over one that a crash has left: nobody
 * holds its lock. It is emptied only once it is ours.
 */
static MaeStatus create(MaeOutput *out, MaeError *err)
{
    struct stat st;
    int number;

    for (;;) {
        out->fd = open(out->temp, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (out->fd < 0)
            return mae_file_fail(err, out->temp, "cannot create", errno);
        if (fstat(out->fd, &st) != 0 || !S_ISREG(st.st_mode))
            MAE_FAIL(err, MAE_ERR_ARG, "%s: is no regular file", out->temp);
        if (flock(out->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            MAE_FAIL(err, MAE_ERR_IO, "%s: another process is writing it", out->path);
        if (mae_file_is(out->fd, out->temp) && fstat(out->fd, &st) == 0 &&
            st.st_nlink == 1)
            break;
        if (st.st_nlink > 1) /* another name of a file that is to stay */
            (void)unlink(out->temp);
        (void)close(out->fd);
    }
    out->lock = fcntl(out->fd, F_DUPFD_CLOEXEC, 0);
    number = out->lock < 0 ? errno : mae_file_resize(out->fd, 0);
    if (number != 0) {
        (void)unlink(out->temp);
        return mae_file_fail(err, out->temp, "cannot create", number);
    }
    return MAE_OK;
}

MaeStatus mae_output_open(MaeOutput *out, const char *path, MaeFaults *faults,
                          MaeError *err)
{
    MaeOutput made = {.fd = -1, .lock = -1, .faults = faults};
    MaeStatus status;

    *out = made;
    MAE_TRY(check_target(path, err));
    made.path = strdup(path);
    made.temp = mae_output_temp(path);
    if (made.path != NULL && made.temp != NULL)
        status = create(&made, err);
    else
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "%s: out of memory", path);
    if (status == MAE_OK) {
        *out = made;
        return MAE_OK;
    }
    free(made.temp); /* the file, if it is there, is not ours to remove */
    made.temp = NULL;
    mae_output_abort(&made);
    return status;
}

/** pwrite, or what the fault plan makes of it. */
static ssize_t write_some(MaeOutput *out, const void *bytes, size_t size, uint64_t offset)
{
    if (disturbed(out)) {
        if (out->faults->written < size)
            size = out->faults->written;
        if (out->faults->error != 0) {
            if (size > 0)
                (void)!pwrite(out->fd, bytes, size, (off_t)offset);
            errno = out->faults->error;
            return -1;
        }
    }
    return pwrite(out->fd, bytes, size, (off_t)offset);
}

void mae_output_write(MaeOutput *out, const void *bytes, size_t size, uint64_t offset)
{
    const unsigned char *p = bytes;
    unsigned stuck = 0;

    while (size > 0 && out->error == 0) {
        const ssize_t n = write_some(out, p, size, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (n == 0 && ++stuck == 8)) {
            fail(out, "cannot write", n < 0 ? errno : EIO);
            return;
        }
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
}

void mae_output_append(MaeOutput *out, const void *bytes, size_t size)
{
    mae_output_write(out, bytes, size, out->end);
    out->end += size;
}

void mae_output_truncate(MaeOutput *out, uint64_t size)
{
    int number;

    if (out->error != 0)
        return;
    number = planned(out);
    if (number == 0)
        number = mae_file_resize(out->fd, size);
    if (number != 0)
        fail(out, "cannot set the size", number);
}

MaeStatus mae_output_check(const MaeOutput *out, MaeError *err)
{
    return out->error == 0 ? MAE_OK
                           : mae_file_fail(err, out->temp, out->what, out->error);
}

/** fsync and close; an error of either means the bytes may not be on the disk. */
static void sync_and_close(MaeOutput *out)
{
    int number = out->error != 0 ? out->error : planned(out);

    if (number == 0)
        number = mae_file_sync(out->fd);
    if (number != 0)
        fail(out, "cannot sync", number);
    if (close(out->fd) != 0 && errno != EINTR)
        fail(out, "cannot close", errno);
    out->fd = -1;
}

static void rename_into_place(MaeOutput *out)
{
    int number;

    if (out->error != 0)
        return;
    number = planned(out);
    if (number == 0 && rename(out->temp, out->path) != 0)
        number = errno;
    if (number != 0)
        fail(out, "cannot rename", number);
}

MaeStatus mae_output_commit(MaeOutput *out, MaeError *err)
{
    MaeStatus status;

    sync_and_close(out);
    rename_into_place(out);
    status = mae_output_check(out, err);
    if (status == MAE_OK) {
        status = mae_file_sync_folder(out->path, err);
        free(out->temp); /* the name is taken no more: nothing to remove */
        out->temp = NULL;
    }
    mae_output_abort(out);
    return status;
}

void mae_output_abort(MaeOutput *out)
{
    if (out->path != NULL) {
        if (out->fd >= 0)
            (void)close(out->fd);
        if (out->temp != NULL)
            (void)unlink(out->temp);
        if (out->lock >= 0) /* last: until here the name was ours */
            (void)close(out->lock);
    }
    free(out->path);
    free(out->temp);
    *out = (MaeOutput){.fd = -1, .lock = -1};
}
