/**
 * @file h5set.h
 * A data set of an HDF5 file that is not trusted: opened only after its path, storage,
 * type and sizes were checked (the list is in h5in.h). For this folder alone.
 *
 * Errors   FORMAT "<path>: <name>: ...".
 * Threads  One thread at a time per object.
 */
#ifndef MAE_STORE_H5SET_H
#define MAE_STORE_H5SET_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/h5in.h"
#include "store/tensor.h"

#define MAE_H5_CHUNK_MAX ((size_t)256 << 20) /* bytes of one chunk in memory */

/** A number type in the file. */
typedef struct MaeH5Number {
    bool is_float;
    bool is_signed; /* floats: true */
    size_t size;    /* bytes: 1, 2, 4, 8 */
} MaeH5Number;

typedef struct MaeH5Set {
    hid_t id;           /* closed by mae_h5set_close */
    MaeTensorInfo info; /* name is the caller's */
    size_t count;       /* elements */
    MaeH5Number type;
    size_t chunk_bytes;            /* 0: not chunked */
    size_t chunk[MAE_TENSOR_DIMS]; /* shape of a chunk */
    int filters;                   /* number of them */
    int deflate, fletcher32;       /* places in the pipeline of filters; -1: none */
    bool even; /* without filters: all chunks together have the bytes that they should */
} MaeH5Set;

/** The file a data set is in. */
typedef struct MaeH5Source {
    hid_t file;
    int fd;           /* the same, open for reading */
    uint64_t size;    /* bytes on disk, bounds what any data set can hold */
    const char *path; /* for messages */
} MaeH5Source;

/** The file behind a reader (implemented in h5in.c). */
const MaeH5Source *mae_h5in_source(const MaeH5In *in);

/** Ask libhdf5 for every object and root attribute; what it answers does not matter. */
void mae_h5in_try(const MaeH5In *in);

/** True and filled if the type is a plain integer or IEEE float. */
bool mae_h5_number(hid_t type, MaeH5Number *number);

/** Every step of @p name must be a hard link; FORMAT if one is missing or no such. */
MaeStatus mae_h5_follow(const MaeH5Source *source, const char *name, MaeError *err);

/** Open by path from the root. @param access data set access list, or H5P_DEFAULT. */
MaeStatus mae_h5set_open(MaeH5Set *set, const MaeH5Source *source, const char *name,
                         hid_t access, MaeError *err);

/** The same from an object that is open; takes @p id over, also on failure. */
MaeStatus mae_h5set_adopt(MaeH5Set *set, const MaeH5Source *source, const char *name,
                          hid_t id, MaeError *err);

void mae_h5set_close(MaeH5Set *set);

/**
 * Do the chunks that begin at index @p first of the first dimension unpack to the size of
 * a chunk, each of them? libhdf5 believes what they unpack to, be it gigabytes or less
 * than it reads. Chunks that are not stored are fine. Implemented in h5chunks.c.
 *
 * Memory   A packed chunk, for the time of the call.
 * Errors   FORMAT; NOMEM.
 * @param set chunked.  @param first multiple of set->chunk[0], within the shape.
 */
MaeStatus mae_h5set_check_chunks(const MaeH5Set *set, const MaeH5Source *source,
                                 size_t first, MaeError *err);

#endif /* MAE_STORE_H5SET_H */
