/**
 * @file npy.h
 * NumPy's file format, version 1.0: one array of float32, row-major.
 *
 * Source   numpy.lib.format (NEP 1).
 * Errors   As store/output.h; the file appears complete or not at all.
 */
#ifndef MAE_STORE_NPY_H
#define MAE_STORE_NPY_H

#include <stddef.h>

#include "base/status.h"

/** Write @p data [shape[0],...] of 1 to 4 dimensions. */
MaeStatus mae_npy_write(const char *path, const float *data, const size_t *shape,
                        size_t ndim, MaeError *err);

#endif /* MAE_STORE_NPY_H */
