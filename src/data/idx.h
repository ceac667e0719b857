/**
 * @file idx.h
 * IDX files of bytes, gzipped or not; internal to data/.
 *
 *   0 0 8 ndim | ndim sizes, 32 bits, big-endian | the bytes
 *
 * Source   yann.lecun.com/exdb/mnist, "The IDX file format".
 * Errors   FORMAT: magic, sizes of 0, a length other than the header asks for (too short
 *          and too long alike), damaged gzip data, more than MAE_IDX_MEMORY bytes to
 *          unpack; IO; NOMEM. Messages begin with the path. Nothing is allocated from a
 *          size in a header that the file's length cannot hold even compressed.
 * Threads  One thread at a time; mae_idx_fetch from any number.
 */
#ifndef MAE_DATA_IDX_H
#define MAE_DATA_IDX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define MAE_IDX_MEMORY ((size_t)1 << 32)

typedef struct MaeIdx {
    size_t ndim;
    size_t dims[3];        /* unused ones are 1 */
    size_t item;           /* bytes of dims[1] * dims[2] */
    bool is_open;          /* the descriptor is valid */
    int fd;                /* of a raw file; its bytes are read when asked for */
    unsigned char *memory; /* content of a gzipped file, else NULL */
} MaeIdx;

/** Open and check a file of @p ndim (1 or 3) dimensions. Close it also on failure. */
MaeStatus mae_idx_open(MaeIdx *idx, const char *path, size_t ndim, MaeError *err);

/** Accepts a zeroed object. */
void mae_idx_close(MaeIdx *idx);

/** Copy @p count items from number @p first on (asserted to exist) to @p out. */
MaeStatus mae_idx_fetch(const MaeIdx *idx, size_t first, size_t count, void *out,
                        MaeError *err);

#endif /* MAE_DATA_IDX_H */
