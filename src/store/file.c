#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/output.h"

MaeStatus mae_file_fail(MaeError *err, const char *path, const char *what, int number)
{
    const bool ran_out = number == ENOMEM || number == EMFILE || number == ENFILE;
    const MaeStatus status = ran_out ? MAE_ERR_NOMEM : MAE_ERR_IO;
    char reason[128];

    if (strerror_r(number, reason, sizeof reason) != 0)
        MAE_FAIL(err, status, "%s: %s: error %d", path, what, number);
    MAE_FAIL(err, status, "%s: %s: %s", path, what, reason);
}

bool mae_file_is(int fd, const char *path)
{
    struct stat mine, there;

    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 &&
           mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

MaeStatus mae_file_open(const char *path, int *fd, uint64_t *size, MaeError *err)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO without a writer would block here, before it can be refused. */
    const int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (opened < 0 && errno == ENXIO)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: expected a regular file, found a socket",
                 path);
    if (opened < 0)
        return mae_file_fail(err, path, "cannot open", errno);
    if (fstat(opened, &st) != 0) {
        const int number = errno;

        (void)close(opened);
        return mae_file_fail(err, path, "cannot stat", number);
    }
    if (!S_ISREG(st.st_mode)) {
        (void)close(opened);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: expected a regular file, found %s", path,
                 S_ISDIR(st.st_mode)    ? "a folder"
                 : S_ISFIFO(st.st_mode) ? "a FIFO"
                                        : "a device");
    }
    *fd = opened;
    if (size != NULL)
        *size = (uint64_t)st.st_size;
    return MAE_OK;
}

MaeStatus mae_file_read_at(int fd, const char *path, void *bytes, size_t size,
                           uint64_t offset, MaeError *err)
{
    unsigned char *p = bytes;

    for (size_t done = 0; done < size;) {
        const ssize_t n = pread(fd, p + done, size - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return mae_file_fail(err, path, "cannot read", errno);
        if (n == 0)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: ends at byte %llu, expected at least %llu",
                     path, (unsigned long long)(offset + done),
                     (unsigned long long)(offset + size));
        done += (size_t)n;
    }
    return MAE_OK;
}

MaeStatus mae_file_read_all(const char *path, size_t max_bytes, unsigned char **bytes,
                            size_t *size, MaeError *err)
{
    unsigned char *content;
    uint64_t length;
    MaeStatus status;
    int fd;

    MAE_TRY(mae_file_open(path, &fd, &length, err));
    if (length > max_bytes || length >= SIZE_MAX) {
        (void)close(fd);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %llu bytes, at most %zu are accepted", path,
                 (unsigned long long)length, max_bytes);
    }
    content = malloc((size_t)length + 1);
    if (content == NULL) {
        (void)close(fd);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory (%llu bytes)", path,
                 (unsigned long long)length);
    }
    status = mae_file_read_at(fd, path, content, (size_t)length, 0, err);
    (void)close(fd);
    if (status != MAE_OK) {
        free(content);
        return status;
    }
    content[length] = '\0';
    *bytes = content;
    *size = (size_t)length;
    return MAE_OK;
}

MaeStatus mae_file_write(int fd, const char *path, const void *bytes, size_t size,
                         MaeError *err)
{
    const unsigned char *p = bytes;

    while (size > 0) {
        const ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return mae_file_fail(err, path, "cannot write", n < 0 ? errno : EIO);
        p += n;
        size -= (size_t)n;
    }
    return MAE_OK;
}

int mae_file_resize(int fd, uint64_t size)
{
    while (ftruncate(fd, (off_t)size) != 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

int mae_file_sync(int fd)
{
    while (fsync(fd) != 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

MaeStatus mae_file_append(int fd, const char *path, const void *bytes, size_t size,
                          MaeError *err)
{
    struct stat before;
    MaeStatus status;

    if (fstat(fd, &before) != 0)
        return mae_file_fail(err, path, "cannot stat", errno);
    status = mae_file_write(fd, path, bytes, size, err);
    if (status != MAE_OK)
        (void)mae_file_resize(fd, (uint64_t)before.st_size);
    return status;
}

MaeStatus mae_file_write_atomic(const char *path, const void *bytes, size_t size,
                                MaeError *err)
{
    MaeOutput out;

    MAE_TRY(mae_output_open(&out, path, NULL, err));
    mae_output_append(&out, bytes, size);
    return mae_output_commit(&out, err);
}

MaeStatus mae_file_sync_folder(const char *path, MaeError *err)
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    char *folder = slash == NULL ? strdup(".") : strndup(path, length);
    int fd, number;

    if (folder == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return mae_file_fail(err, path, "cannot open its folder", errno);
    /* EINVAL: a file system that cannot sync folders has nothing better to offer. */
    number = mae_file_sync(fd);
    (void)close(fd);
    return number == 0 || number == EINVAL
               ? MAE_OK
               : mae_file_fail(err, path, "cannot sync its folder", number);
}

/* What is there is no failure, whoever may not make it. */
static MaeStatus make_folder(const char *path, MaeError *err)
{
    struct stat st;
    const int number = mkdir(path, 0777) == 0 ? 0 : errno;

    if (number != 0 && stat(path, &st) != 0)
        return mae_file_fail(err, path, "cannot create folder", number);
    if (number != 0 && !S_ISDIR(st.st_mode))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: exists and is no folder", path);
    return MAE_OK;
}

MaeStatus mae_file_make_folders(const char *path, MaeError *err)
{
    char *part = strdup(path);
    MaeStatus status = MAE_OK;

    if (part == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    for (char *p = part + (part[0] == '/'); *p != '\0' && status == MAE_OK; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        status = make_folder(part, err);
        *p = '/';
    }
    if (status == MAE_OK)
        status = make_folder(path, err);
    free(part);
    return status;
}

/* Is @p folder, or a folder above it, the one that @p st describes? Closes @p folder. */
static bool descends(int folder, const struct stat *st)
{
    struct stat here, last = {.st_ino = 0};

    while (folder >= 0 && fstat(folder, &here) == 0 &&
           (here.st_dev != last.st_dev || here.st_ino != last.st_ino)) {
        const int up = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void)close(folder);
        folder = up;
        last = here;
        if (here.st_dev == st->st_dev && here.st_ino == st->st_ino)
            break;
    }
    if (folder >= 0)
        (void)close(folder);
    return last.st_dev == st->st_dev && last.st_ino == st->st_ino;
}

static int open_folder(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The folder at @p path, or the nearest one above it that there is; -1 if none is. */
static int open_nearest(const char *path)
{
    char *place = strdup(path), *slash;
    int fd = place != NULL ? open_folder(place) : -1;

    while (place != NULL && fd < 0 && (slash = strrchr(place, '/')) != NULL &&
           slash != place) {
        *slash = '\0';
        fd = open_folder(place);
    }
    if (place != NULL && fd < 0)
        fd = open_folder(*place == '/' ? "/" : ".");
    free(place);
    return fd;
}

MaeStatus mae_file_check_outside(const char *output, const char *folder, MaeError *err)
{
    struct stat st;

    if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
        descends(open_nearest(output), &st))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: lies inside %s, which is read; name another place", output, folder);
    return MAE_OK;
}
