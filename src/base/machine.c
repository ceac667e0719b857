#include "base/machine.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * First line of @p path, within its first 4 KB, that begins with @p field: what follows
 * up to the end of the line. False if there is none.
 */
static bool read_field(const char *path, const char *field, char *value, size_t size)
{
    char text[4096];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    const char *line = text;

    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    while (line != NULL && strncmp(line, field, strlen(field)) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return false;
    line += strlen(field);
    line += strspn(line, "\t :");
    (void)snprintf(value, size, "%.*s", (int)strcspn(line, "\n"), line);
    return true;
}

void mae_machine_processor(char *text, size_t size)
{
    if (!read_field("/proc/cpuinfo", "model name", text, size))
        (void)snprintf(text, size, "%s", "");
}

/* The number after a field in bytes; 0 if it is not there. */
static size_t read_bytes(const char *path, const char *field, size_t unit)
{
    char value[64];

    return read_field(path, field, value, sizeof value)
               ? (size_t)strtoull(value, NULL, 10) * unit
               : 0;
}

size_t mae_machine_peak_memory(void)
{
    return read_bytes("/proc/self/status", "VmHWM:", 1024);
}

size_t mae_machine_address_space(void)
{
    return read_bytes("/proc/self/statm", "", (size_t)sysconf(_SC_PAGESIZE));
}

bool mae_machine_has(MaeIsa isa)
{
#if defined __x86_64__ || defined __i386__
    switch (isa) {
    case MAE_ISA_SSE42:
        return __builtin_cpu_supports("sse4.2");
    case MAE_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case MAE_ISA_AVX512:
        return mae_machine_has(MAE_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq");
    case MAE_ISA_AVX512_BF16:
        return mae_machine_has(MAE_ISA_AVX512) && __builtin_cpu_supports("avx512bf16");
    }
#endif
    (void)isa;
    return false;
}
