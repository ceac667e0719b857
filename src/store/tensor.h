/**
 * @file tensor.h
 * What a file says about a tensor, and the comparison of such a list with a model.
 * Threads  Reentrant.
 */
#ifndef MAE_STORE_TENSOR_H
#define MAE_STORE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/param.h"
#include "base/status.h"

#define MAE_TENSOR_DIMS 8

/** Name and shape of a tensor in a file; 0 dimensions: a single number. */
typedef struct MaeTensorInfo {
    const char *name;
    size_t shape[MAE_TENSOR_DIMS];
    size_t ndim; /* 0 .. MAE_TENSOR_DIMS */
} MaeTensorInfo;

/** Product of the shape; false if it exceeds @p max. */
bool mae_tensor_count(size_t *count, const size_t *shape, size_t ndim, size_t max);

/** SHAPE error "<where>: <name>: expected [2304,768], got [768,768]" if they differ. */
MaeStatus mae_tensor_expect(const char *where, const MaeTensorInfo *found,
                            const size_t *shape, size_t ndim, MaeError *err);

/**
 * Every tensor of the table must be there with its shape, and nothing else.
 * @param where file or group, begins the message.
 * @param found [count], any order.
 * Errors SHAPE, one line: how many are missing, unexpected, mismatched, and the first
 * names.
 */
MaeStatus mae_tensor_match(const char *where, const MaeParamTable *table,
                           const MaeTensorInfo *found, size_t count, MaeError *err);

#endif /* MAE_STORE_TENSOR_H */
