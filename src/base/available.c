#include "base/available.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What fits of a small file, as text. @return 0 if it cannot be read. */
static int read_text(const char *path, char *text, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;

    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The number that @p text starts with; one that is too large is as good as no limit. */
static bool take_number(unsigned long long *number, const char *text)
{
    char *end = NULL;

    *number = strtoull(text, &end, 10);
    return end != text;
}

/* The smallest limit of the group @p path and those above it. @param path is cut. */
static size_t limit_upwards(const char *mount, const char *subtree, char *path,
                            const char *file)
{
    size_t limit = SIZE_MAX;

    for (;;) {
        char name[1024], text[64];
        unsigned long long bytes;
        char *slash;

        (void)snprintf(name, sizeof name, "%s%s%s/%s", mount, subtree, path, file);
        if (read_text(name, text, sizeof text) && take_number(&bytes, text) &&
            bytes < limit)
            limit = (size_t)bytes;
        slash = strrchr(path, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

size_t mae_available_group_limit(const char *groups, const char *mount)
{
    size_t limit = SIZE_MAX;

    for (const char *line = groups; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        const int length = end != NULL ? (int)(end - line) : (int)strlen(line);
        char text[512], path[512] = "";
        size_t found = SIZE_MAX;

        (void)snprintf(text, sizeof text, "%.*s", length, line);
        if (sscanf(text, "0::%511s", path) == 1)
            found = limit_upwards(mount, "", path, "memory.max");
        else if (sscanf(text, "%*d:memory:%511s", path) == 1)
            found = limit_upwards(mount, "/memory", path, "memory.limit_in_bytes");
        limit = found < limit ? found : limit;
        line = end != NULL ? end + 1 : NULL;
    }
    return limit;
}

size_t mae_available_memory(void)
{
    static const char label[] = "MemAvailable:";
    char text[4096];
    unsigned long long kilobytes;
    const char *line;
    size_t available = SIZE_MAX, limit = SIZE_MAX;

    if (read_text("/proc/meminfo", text, sizeof text)) {
        line = strstr(text, label);
        if (line != NULL && take_number(&kilobytes, line + sizeof label - 1) &&
            kilobytes < SIZE_MAX / 1024)
            available = (size_t)kilobytes * 1024;
    }
    if (read_text("/proc/self/cgroup", text, sizeof text))
        limit = mae_available_group_limit(text, "/sys/fs/cgroup");
    return limit < available ? limit : available;
}
