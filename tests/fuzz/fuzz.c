#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILES = 4 }; /* that a target writes into the folder, at most */

static struct {
    char path[256];
    char files[FILES][300];
    size_t count;
} folder;

static void fill(int fd, const uint8_t *data, size_t size)
{
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
}

FuzzFile fuzz_file(const uint8_t *data, size_t size)
{
    FuzzFile file = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};

    fill(file.fd, data, size);
    (void)snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

void fuzz_file_done(FuzzFile *file)
{
    (void)close(file->fd);
}

static void remove_folder(void)
{
    for (size_t i = 0; i < folder.count; i++)
        (void)unlink(folder.files[i]);
    (void)rmdir(folder.path);
}

const char *fuzz_folder(void)
{
    const char *parent = getenv("TMPDIR");

    if (folder.path[0] != '\0')
        return folder.path;
    (void)snprintf(folder.path, sizeof folder.path, "%.200s/mae-fuzz-XXXXXX",
                   parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder.path) == NULL || atexit(remove_folder) != 0)
        abort();
    return folder.path;
}

void fuzz_put(const char *name, const uint8_t *data, size_t size)
{
    char path[sizeof folder.files[0]];
    size_t i = 0;
    int fd;

    (void)snprintf(path, sizeof path, "%s/%.40s", fuzz_folder(), name);
    while (i < folder.count && strcmp(folder.files[i], path) != 0)
        i++;
    if (i == FILES)
        abort();
    memcpy(folder.files[i], path, sizeof path);
    folder.count += i == folder.count;
    (void)unlink(path); /* truncating makes file systems write */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    fill(fd, data, size);
    (void)close(fd);
}

uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    return (char *)fuzz_copy(data, size);
}
