/**
 * @file versions.h
 * Libraries that this layer stands on, for --version.
 * Threads  Reentrant.
 */
#ifndef MAE_IMAGE_VERSIONS_H
#define MAE_IMAGE_VERSIONS_H

#include <stddef.h>

/** Write names and versions as one line, cut at @p size bytes. */
void mae_image_versions(char *text, size_t size);

#endif /* MAE_IMAGE_VERSIONS_H */
