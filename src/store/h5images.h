/**
 * @file h5images.h
 * Image stacks in HDF5, read row by row.
 *
 * `images` [N,H,W] or [N,H,W,C], C up to MAE_CONFIG_CHANNELS, of uint8, uint16 or
 * float32 (any byte order); optional `labels` [N] of any integer type, 0 or more, and
 * with them a root attribute `class_names`, an array of fixed-length texts. Chunked and
 * compressed storage is fine; one chunk is decompressed per read, so chunks of one image
 * are fastest in random order.
 * The file's checks are those of h5in.h.
 *
 * Errors   FORMAT when the file is not like that, with what was found.
 * Memory   open keeps the labels (4 bytes per image), the names and a chunk cache of at
 *          most 64 MiB, or one chunk if that is larger; read allocates a packed chunk
 *          when it meets one for the first time, to see what it unpacks to.
 * Threads  One thread at a time per object; any number may read if mae_h5images_parallel.
 */
#ifndef MAE_STORE_H5IMAGES_H
#define MAE_STORE_H5IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define MAE_H5IMAGES_MAX ((size_t)1 << 27) /* images per file */

/** Pixel types as reported by mae_h5images_shape. */
enum { MAE_H5IMAGES_U8 = 0, MAE_H5IMAGES_U16 = 1, MAE_H5IMAGES_F32 = 2 };

typedef struct MaeH5Images MaeH5Images;

MaeStatus mae_h5images_open(MaeH5Images **h, const char *path, MaeError *err);

/** NULL is fine. */
void mae_h5images_close(MaeH5Images *h);

/** @param[out] pixel 0 u8, 1 u16, 2 f32. A stack without channel axis has 1 channel. */
void mae_h5images_shape(const MaeH5Images *h, size_t *count, size_t *height,
                        size_t *width, size_t *channels, int *pixel);

bool mae_h5images_has_labels(const MaeH5Images *h);

/** Number of names if there are, else largest label + 1; 0 without labels. */
size_t mae_h5images_classes(const MaeH5Images *h);

/** Name of class @p label < classes; NULL if the file has no names. */
const char *mae_h5images_class(const MaeH5Images *h, size_t label);

/** Label of image @p index (asserted to exist); -1 without labels. */
int64_t mae_h5images_label(const MaeH5Images *h, size_t index);

/**
 * True if the images lie uncompressed in one piece, as this processor stores numbers:
 * they are then read past libhdf5, by as many threads as like to.
 */
bool mae_h5images_parallel(const MaeH5Images *h);

/**
 * Read one image.
 * @param index 0 .. N-1 (asserted).
 * @param[out] out [H,W,C] in the pixel type, native byte order.
 */
MaeStatus mae_h5images_read(MaeH5Images *h, size_t index, void *out, MaeError *err);

#endif /* MAE_STORE_H5IMAGES_H */
