/**
 * @file safetensors.h
 * Reads and writes safetensors files.
 *
 *     u64 little-endian N | N bytes of JSON | data
 *     JSON: {"__metadata__": {text: text}, "<name>": {"dtype": "F32", "shape": [..],
 *            "data_offsets": [begin, end]}, ..}
 *
 * Refused: a header of 0 or more than 100 MB bytes, nesting, duplicate keys, bad UTF-8,
 * sizes that overflow, tensors that overlap or leave holes, bytes after the last tensor,
 * more than 65,536 tensors. The header's JSON is scanned before it is parsed, so memory
 * stays in proportion to the header.
 *
 * Source   huggingface/safetensors README ("Format") and src/tensor.rs (ordering,
 *          padding).
 * Errors   FORMAT naming the tensor; IO.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_STORE_SAFETENSORS_H
#define MAE_STORE_SAFETENSORS_H

#include <stddef.h>

#include "base/status.h"
#include "store/tensor.h"

typedef struct MaeSafetensors MaeSafetensors;

MaeStatus mae_safetensors_open(MaeSafetensors **s, const char *path, MaeError *err);

/** NULL is fine. */
void mae_safetensors_close(MaeSafetensors *s);

/** Tensors, sorted by name in byte order; [count], owned by @p s. */
const MaeTensorInfo *mae_safetensors_list(const MaeSafetensors *s, size_t *count);

/** Index of a tensor, or count if there is none. */
size_t mae_safetensors_find(const MaeSafetensors *s, const char *name);

/**
 * Read tensor @p index as float32. F32 is copied, F16 and BF16 are widened exactly; other
 * types are a FORMAT error.
 * @param[out] dst product of its shape.
 */
MaeStatus mae_safetensors_read(const MaeSafetensors *s, size_t index, float *dst,
                               MaeError *err);

/** A tensor to write. */
typedef struct MaeSafetensorsItem {
    MaeTensorInfo info; /* name and shape */
    const float *data;  /* product of the shape */
} MaeSafetensorsItem;

/**
 * Write a file as the safetensors library does for PyTorch: sorted by name, metadata
 * {"format":"pt"}, header padded with spaces to 8 bytes. Complete or not at all.
 * @param items [count], any order; names must differ.
 */
MaeStatus mae_safetensors_write(const char *path, const MaeSafetensorsItem *items,
                                size_t count, MaeError *err);

#endif /* MAE_STORE_SAFETENSORS_H */
