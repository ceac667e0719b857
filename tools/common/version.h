/**
 * @file version.h
 * Answer to --version: libmae and everything it stands on.
 */
#ifndef MAE_TOOLS_COMMON_VERSION_H
#define MAE_TOOLS_COMMON_VERSION_H

#include <stddef.h>
#include <stdio.h>

/**
 * What a layer offers for --version: writes the libraries it uses and their versions as
 * one NUL-terminated line, e.g. "OpenBLAS 0.3.21 (SkylakeX)"; cuts off at @p size bytes.
 */
typedef void (*MaeVersionFn)(char *text, size_t size);

/** Print the tool's name and version, then one line per layer that uses libraries. */
void mae_version_print(FILE *out, const char *name);

#endif /* MAE_TOOLS_COMMON_VERSION_H */
