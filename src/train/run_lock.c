#define _GNU_SOURCE /* flock */
#include "train/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/file.h"

#define PATH_SIZE 4200

static void lock_path(char path[PATH_SIZE], const char *folder)
{
    (void)snprintf(path, PATH_SIZE, "%s/.lock", folder);
}

/* "process 4711 on host". */
static void read_owner(int fd, char *owner, size_t size)
{
    const ssize_t n = pread(fd, owner, size - 1, 0);

    owner[n > 0 ? (size_t)n : 0] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
}

static MaeStatus write_owner(int fd, const char *path, MaeError *err)
{
    char host[65] = "", owner[128];
    const int number = mae_file_resize(fd, 0);

    if (number != 0)
        return mae_file_fail(err, path, "cannot write", number);
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(owner, sizeof owner, "process %ld on %s\n", (long)getpid(), host);
    return mae_file_write(fd, path, owner, strlen(owner), err);
}

MaeStatus mae_run_lock_take(int *lock, const char *folder, MaeError *err)
{
    char path[PATH_SIZE], owner[128];

    lock_path(path, folder);
    for (;;) {
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

        if (fd < 0)
            return mae_file_fail(err, path, "cannot create", errno);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            read_owner(fd, owner, sizeof owner);
            (void)close(fd);
            MAE_FAIL(err, MAE_ERR_ARG, "%s: another run (%s) is using this folder",
                     folder, owner);
        } /* any other failure: a file system without locks */
        *lock = fd;
        if (mae_file_is(fd, path)) /* its owner removes it */
            return write_owner(fd, path, err);
        (void)close(fd);
        *lock = -1;
    }
}

void mae_run_lock_release(int *lock, const char *folder)
{
    char path[PATH_SIZE];

    if (*lock < 0)
        return;
    lock_path(path, folder);
    (void)unlink(path);
    (void)close(*lock);
    *lock = -1;
}
