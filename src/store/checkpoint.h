/**
 * @file checkpoint.h
 * Checkpoints: everything a run needs to go on, in one HDF5 file that is whole or absent.
 *
 * The HDF5 data are preceded by a user block of 512 bytes (little-endian):
 *
 *     0 magic "MAECKPT\n" | 8 format version u32 | 12 zero | 16 payload length u64 |
 *     24 CRC32C of the payload u32 | 28 .. 507 zero | 508 CRC32C of bytes 0 .. 507 u32
 *
 * The payload is all that follows. Scalars and texts are root attributes, tensors float32
 * data sets: `params/<state-dict name>`, `optim/<moment>/<state-dict name>`. Any HDF5
 * library opens the file, e.g. from Python:
 *
 *     f = h5py.File('last.h5')
 *     f['params/blocks.0.attn.qkv.weight'][:]
 *     f.attrs['epoch']                     (texts are bytes: f.attrs['config'].decode())
 *
 * Writing  Temporary file, checksum, header, fsync, rename, fsync of the folder: see
 *          output.h. Whatever fails, the older file stays and no temporary file does;
 *          commit says what and where.
 * Reading  The user block and both checksums are verified before libhdf5 sees a byte;
 *          then the checks of h5in.h, and only plain float32 tensors are accepted.
 * Errors   put functions keep the first failure for commit (h5out.h). A damaged file is
 *          FORMAT, a wrong tensor SHAPE.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_STORE_CHECKPOINT_H
#define MAE_STORE_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/param.h"
#include "base/status.h"
#include "store/output.h"
#include "store/tensor.h"

#define MAE_CKPT_MAGIC "MAECKPT\n"
#define MAE_CKPT_VERSION 1u
#define MAE_CKPT_BLOCK 512

typedef struct MaeH5Out MaeCkptWriter;
typedef struct MaeCkptReader MaeCkptReader;

MaeStatus mae_ckpt_create(MaeCkptWriter **w, const char *path, MaeError *err);

/** The same with a fault plan; for tests. */
MaeStatus mae_ckpt_create_faulty(MaeCkptWriter **w, const char *path, MaeFaults *faults,
                                 MaeError *err);

/** Root attributes; see h5out.h. */
void mae_ckpt_put_text(MaeCkptWriter *w, const char *name, const char *text);
void mae_ckpt_put_int(MaeCkptWriter *w, const char *name, int64_t value);
void mae_ckpt_put_real(MaeCkptWriter *w, const char *name, double value);
void mae_ckpt_put_reals(MaeCkptWriter *w, const char *name, const double *values,
                        size_t n);
void mae_ckpt_put_texts(MaeCkptWriter *w, const char *name, const char *const *texts,
                        size_t n);

/** One tensor, e.g. "params/cls_token". */
void mae_ckpt_put_tensor(MaeCkptWriter *w, const char *name, const float *data,
                         const size_t *shape, size_t ndim);

/** Every tensor of the table from a flat buffer, as "<group>/<name>". */
void mae_ckpt_put_table(MaeCkptWriter *w, const char *group, const MaeParamTable *table,
                        const float *flat);

/** Finish, or leave no trace; releases @p w either way. */
MaeStatus mae_ckpt_commit(MaeCkptWriter *w, MaeError *err);

/** Drop it; NULL is fine. */
void mae_ckpt_abort(MaeCkptWriter *w);

/** Verify header and checksums without opening the content. */
MaeStatus mae_ckpt_verify(const char *path, MaeError *err);

MaeStatus mae_ckpt_open(MaeCkptReader **r, const char *path, MaeError *err);

/** NULL is fine. */
void mae_ckpt_close(MaeCkptReader *r);

const char *mae_ckpt_path(const MaeCkptReader *r);

/** Root attributes; a missing or other one is a FORMAT error. Ownership as in h5in.h. */
bool mae_ckpt_has(const MaeCkptReader *r, const char *name);
MaeStatus mae_ckpt_get_text(const MaeCkptReader *r, const char *name, char **text,
                            MaeError *err);
MaeStatus mae_ckpt_get_int(const MaeCkptReader *r, const char *name, int64_t *value,
                           MaeError *err);
MaeStatus mae_ckpt_get_real(const MaeCkptReader *r, const char *name, double *value,
                            MaeError *err);
MaeStatus mae_ckpt_get_reals(const MaeCkptReader *r, const char *name, double **values,
                             size_t *n, MaeError *err);
MaeStatus mae_ckpt_get_texts(const MaeCkptReader *r, const char *name, char ***texts,
                             size_t *n, MaeError *err);

/** Tensors below a group ("" for all), and one of them by rank in byte order. */
size_t mae_ckpt_tensor_count(const MaeCkptReader *r, const char *group);

/** @param[out] info name is relative to the group and lives as long as the reader. */
void mae_ckpt_tensor(const MaeCkptReader *r, const char *group, size_t index,
                     MaeTensorInfo *info);

/** Read one tensor that must have this shape. @param[out] dst its elements. */
MaeStatus mae_ckpt_get_tensor(const MaeCkptReader *r, const char *name, float *dst,
                              const size_t *shape, size_t ndim, MaeError *err);

/**
 * The group must hold the tensors of the table and nothing else.
 * Errors  SHAPE, one line with the number and the first names of missing, unexpected and
 *         mismatched tensors.
 */
MaeStatus mae_ckpt_match_table(const MaeCkptReader *r, const char *group,
                               const MaeParamTable *table, MaeError *err);

/**
 * Read the tensors of a group by name into a flat buffer; padding is left alone.
 * Errors  As mae_ckpt_match_table, before anything is read.
 */
MaeStatus mae_ckpt_get_table(const MaeCkptReader *r, const char *group,
                             const MaeParamTable *table, float *flat, MaeError *err);

#endif /* MAE_STORE_CHECKPOINT_H */
