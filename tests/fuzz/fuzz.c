#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

FuzzFile fuzz_file(const uint8_t *data, size_t size)
{
    FuzzFile file = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};

    if (file.fd < 0 || write(file.fd, data, size) != (ssize_t)size)
        abort();
    (void)snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

void fuzz_file_done(FuzzFile *file)
{
    (void)close(file->fd);
}
