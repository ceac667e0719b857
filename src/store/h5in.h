/**
 * @file h5in.h
 * Reads tensors and root attributes of an HDF5 file from anywhere.
 *
 * Refused by name: soft and external links, external and virtual storage, filters other
 * than shuffle, deflate behind it and fletcher32, types that are no plain numbers, more
 * than 8 dimensions, chunks above 256 MiB, sizes that a file of this length cannot hold
 * even compressed, and chunks that unpack to another size than a chunk has.
 *
 * libhdf5 1.10 is not proof against hostile metadata. Opening therefore begins in a child
 * process that asks for all objects and attributes; a file that makes it crash, or takes
 * it 20 s or 256 MiB, is refused.
 *
 * Errors   FORMAT for all of these, SHAPE when a tensor is fine but not as expected, IO.
 *          Messages begin with the path of the file.
 * Memory   Nothing is allocated from a size in the file before that size was checked.
 * Threads  One thread at a time per object; libhdf5 serialises all callers anyway.
 */
#ifndef MAE_STORE_H5IN_H
#define MAE_STORE_H5IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/tensor.h"

typedef struct MaeH5In MaeH5In;

MaeStatus mae_h5in_open(MaeH5In **in, const char *path, MaeError *err);

/** The same from an open descriptor, which is taken over, also on failure. */
MaeStatus mae_h5in_open_fd(MaeH5In **in, int fd, const char *path, MaeError *err);

/** NULL is fine. */
void mae_h5in_close(MaeH5In *in);

/** Path given to open. */
const char *mae_h5in_path(const MaeH5In *in);

/** True if hard links lead to an object called @p name, e.g. "norm_pix_1/pred". */
bool mae_h5in_has(const MaeH5In *in, const char *name);

/** Shape of a data set of numbers. @param[out] info name points to @p name. */
MaeStatus mae_h5in_info(const MaeH5In *in, const char *name, MaeTensorInfo *info,
                        MaeError *err);

/**
 * Read a tensor of any integer or float type, converted.
 * @param[out] dst product of @p shape elements.
 * @param shape expected; anything else is a SHAPE error, a missing tensor a FORMAT error.
 */
MaeStatus mae_h5in_floats(const MaeH5In *in, const char *name, float *dst,
                          const size_t *shape, size_t ndim, MaeError *err);
MaeStatus mae_h5in_ints(const MaeH5In *in, const char *name, int64_t *dst,
                        const size_t *shape, size_t ndim, MaeError *err);

/**
 * Root attributes. Texts are malloc'ed, at most 256 MiB, freed by the caller; reals and
 * texts are one malloc'ed block each (free the array, not its elements).
 */
bool mae_h5in_has_attr(const MaeH5In *in, const char *name);
MaeStatus mae_h5in_text(const MaeH5In *in, const char *name, char **text, MaeError *err);
MaeStatus mae_h5in_int(const MaeH5In *in, const char *name, int64_t *value,
                       MaeError *err);
MaeStatus mae_h5in_real(const MaeH5In *in, const char *name, double *value,
                        MaeError *err);
MaeStatus mae_h5in_reals(const MaeH5In *in, const char *name, double **values, size_t *n,
                         MaeError *err);
MaeStatus mae_h5in_texts(const MaeH5In *in, const char *name, char ***texts, size_t *n,
                         MaeError *err);

/** What mae_h5in_list accepts: numbers of any kind, or float32 alone. */
typedef enum MaeH5Kind { MAE_H5_NUMBERS, MAE_H5_F32 } MaeH5Kind;

/**
 * Every tensor of the file by full path, sorted by byte order; any object that is not
 * acceptable, more than 65,536 of them or more than 8 levels of groups fail the call.
 * @param[out] list malloc'ed together with the names; the caller frees the one block.
 */
MaeStatus mae_h5in_list(const MaeH5In *in, MaeH5Kind kind, MaeTensorInfo **list,
                        size_t *count, MaeError *err);

#endif /* MAE_STORE_H5IN_H */
