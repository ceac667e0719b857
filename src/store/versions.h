/**
 * @file versions.h
 * Libraries that this layer stands on, for --version.
 * Threads  Reentrant.
 */
#ifndef MAE_STORE_VERSIONS_H
#define MAE_STORE_VERSIONS_H

#include <stddef.h>

/** Write names and versions as one line, cut at @p size bytes. */
void mae_store_versions(char *text, size_t size);

#endif /* MAE_STORE_VERSIONS_H */
