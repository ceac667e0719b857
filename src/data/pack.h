/**
 * @file pack.h
 * Puts a dataset into one file, in the order of its samples, with labels and class names.
 *
 *   OUT.tar        WebDataset naming, see tar_index.h. JPEG and PNG files keep their
 *                  bytes; images stored otherwise (IDX, HDF5) become PNG. Keys are
 *                  numbers, "00000000.jpg" with "00000000.cls" behind it, and
 *                  "__classes__" is the first member.
 *   OUT.h5, .hdf5  decoded: `images` [N,H,W,C] in their pixel type, contiguous, so that
 *                  an image is one piece of the file; `labels` [N]; the attribute
 *                  `class_names`. Images have one size, or are scaled to it like augment
 *                  "none": until they just cover it, the centre is kept.
 *
 * Errors   ARG: another ending, a size for a tar, class names with line breaks in one,
 *          pixels that PNG does not hold. SHAPE: images of different sizes or pixel
 *          types. FORMAT: a bad image (named). Nothing is left of OUT then: it appears
 *          complete or not at all, see store/output.h.
 * Memory   One file of the set, or up to 64 MiB of decoded images.
 * Threads  Images are decoded on the pool; the file does not depend on it.
 */
#ifndef MAE_DATA_PACK_H
#define MAE_DATA_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "base/status.h"
#include "data/dataset.h"
#include "data/survey.h"

typedef struct MaePackOptions {
    size_t size;   /* HDF5: height and width to scale to; 0: as they are */
    bool skip_bad; /* leave bad images out: all are read once more to find them */
    MaePool *pool;
    MaeWatch watch;
} MaePackOptions;

typedef struct MaePackResult {
    size_t images;   /* written */
    size_t left_out; /* bad ones */
} MaePackResult;

/** @param[out] result untouched on failure. */
MaeStatus mae_pack(const MaeDataset *ds, const char *path, const MaePackOptions *opt,
                   MaePackResult *result, MaeError *err);

#endif /* MAE_DATA_PACK_H */
