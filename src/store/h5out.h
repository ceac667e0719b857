/**
 * @file h5out.h
 * Writes a new HDF5 file: tensors in groups, scalars and texts as root attributes.
 *
 * The file appears complete under its name or not at all (output.h). Format bounds 1.8,
 * no time stamps, contiguous little-endian data: the same content gives the same bytes.
 * Names are paths ("params/blocks.0.attn.qkv.weight"); groups are made on the way. Texts
 * are fixed-length UTF-8 of any length (h5py shows bytes): variable-length strings of a
 * hostile file overrun libhdf5's buffers, so our readers accept none and our writers make
 * none.
 *
 * Errors   put functions return nothing; the first failure is kept, later calls do
 *          nothing, and commit reports it. A name written twice is an ARG error; libhdf5,
 *          which is told that every write succeeds, fails for lack of memory only: NOMEM.
 * Memory   Data are copied before a call returns.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_STORE_H5OUT_H
#define MAE_STORE_H5OUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/output.h"
#include "store/tensor.h"

typedef struct MaeH5Out MaeH5Out;

/** Begin "<path>.mae-tmp". */
MaeStatus mae_h5out_create(MaeH5Out **out, const char *path, MaeError *err);

/** The same with a user block (0 or a power of two >= 512 bytes) and faults (or NULL). */
MaeStatus mae_h5out_create_with(MaeH5Out **out, const char *path, size_t user_block,
                                MaeFaults *faults, MaeError *err);

/** Root attributes: UTF-8 text, int64, double, double [n], array of texts [n]. */
void mae_h5out_text(MaeH5Out *out, const char *name, const char *text);
void mae_h5out_int(MaeH5Out *out, const char *name, int64_t value);
void mae_h5out_real(MaeH5Out *out, const char *name, double value);
void mae_h5out_reals(MaeH5Out *out, const char *name, const double *values, size_t n);
void mae_h5out_texts(MaeH5Out *out, const char *name, const char *const *texts, size_t n);

/** Data sets: float32 and int64 tensors, a list of texts [n]. */
void mae_h5out_floats(MaeH5Out *out, const char *name, const float *data,
                      const size_t *shape, size_t ndim);
void mae_h5out_ints(MaeH5Out *out, const char *name, const int64_t *data,
                    const size_t *shape, size_t ndim);
void mae_h5out_text_list(MaeH5Out *out, const char *name, const char *const *texts,
                         size_t n);

/** Element of a tensor that is written by rows. */
typedef enum MaeH5Element {
    MAE_H5_ELEMENT_U8,
    MAE_H5_ELEMENT_U16,
    MAE_H5_ELEMENT_F32
} MaeH5Element;

/** Make a tensor whose rows are written later; unwritten rows are zero. */
void mae_h5out_define_as(MaeH5Out *out, const char *name, MaeH5Element element,
                         const size_t *shape, size_t ndim);

/**
 * Write rows [first, first + rows) along the first axis of a defined tensor.
 * @param data uint8_t, uint16_t or float, as @p element says and as it was defined.
 */
void mae_h5out_rows_as(MaeH5Out *out, const char *name, MaeH5Element element,
                       size_t first, size_t rows, const void *data);

/** The same for float32. */
void mae_h5out_define(MaeH5Out *out, const char *name, const size_t *shape, size_t ndim);
void mae_h5out_rows(MaeH5Out *out, const char *name, size_t first, size_t rows,
                    const float *data);

/** The first failure so far; MAE_OK if there is none. */
MaeStatus mae_h5out_check(const MaeH5Out *out, MaeError *err);

/**
 * Close libhdf5's side; the bytes are then final except for the user block, which the
 * caller may write to @p file before commit.
 */
MaeStatus mae_h5out_seal(MaeH5Out *out, MaeOutput **file, MaeError *err);

/** Finish and rename, or remove; releases @p out either way. */
MaeStatus mae_h5out_commit(MaeH5Out *out, MaeError *err);

/** Drop everything; NULL is fine. */
void mae_h5out_abort(MaeH5Out *out);

#endif /* MAE_STORE_H5OUT_H */
