/**
 * @file versions.h
 * Libraries that this layer stands on, for --version.
 * Threads  Reentrant.
 */
#ifndef MAE_COMM_VERSIONS_H
#define MAE_COMM_VERSIONS_H

#include <stddef.h>

/** Write names and versions as one line, cut at @p size bytes. */
void mae_comm_versions(char *text, size_t size);

#endif /* MAE_COMM_VERSIONS_H */
