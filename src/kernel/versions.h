/**
 * @file versions.h
 * Libraries that this layer stands on, for --version.
 * Threads  Reentrant.
 */
#ifndef MAE_KERNEL_VERSIONS_H
#define MAE_KERNEL_VERSIONS_H

#include <stddef.h>

/** Write names and versions as one line, cut at @p size bytes. */
void mae_kernel_versions(char *text, size_t size);

#endif /* MAE_KERNEL_VERSIONS_H */
