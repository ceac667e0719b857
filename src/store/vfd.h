/**
 * @file vfd.h
 * HDF5 virtual file driver: libhdf5 reads from our descriptor and writes to our output.
 *
 * Why. With the stock driver a full disk makes H5Fclose fail and the process crash at
 * exit. This driver hands writes to a MaeOutput, whose first failure is sticky, and tells
 * libhdf5 that they succeeded; the owner asks mae_output_check() after closing. Reading
 * goes through the very descriptor whose checksum was verified, so nobody can swap the
 * file in between. No locking, no file names, no global state: the driver is registered
 * per access list and goes away with it.
 *
 * Errors   A failing read is reported to libhdf5, which fails the call above it.
 * Threads  libhdf5 serialises the driver under its global lock.
 */
#ifndef MAE_STORE_VFD_H
#define MAE_STORE_VFD_H

#include <hdf5.h>
#include <stddef.h>

#include "base/status.h"
#include "store/output.h"

/** Where the driver reads and writes; must outlive the HDF5 file. */
typedef struct MaeVfdTarget {
    int fd;         /* descriptor to read from (never closed here) */
    MaeOutput *out; /* NULL: read-only */
    hid_t driver;   /* set by mae_vfd_access */
    bool *starved;  /* set if the driver ran out of memory: libhdf5 does not say why */
} MaeVfdTarget;

/**
 * File access list with this driver, file format bounds fixed at HDF5 1.8 and a metadata
 * cache large enough that nothing written is read again. Reading, chunks have no cache.
 * @return list for H5Fopen / H5Fcreate, closed by the caller with H5Pclose; negative on
 *         failure, when mae_vfd_release is due all the same.
 */
hid_t mae_vfd_access(MaeVfdTarget *target);

/**
 * Unregister the driver. Only after H5Fclose: libhdf5 1.10 still calls the driver's close
 * after it has dropped its own reference to it. A target without driver (0) is fine.
 */
void mae_vfd_release(MaeVfdTarget *target);

/**
 * Keep libhdf5 from cleaning up when the program ends: what it could not close for want
 * of memory crashes it there. For programs that close what they open; before other use.
 */
void mae_vfd_no_cleanup(void);

/** Stop libhdf5 from printing its error stack in this thread. */
void mae_vfd_quiet(void);

/**
 * More than libhdf5 allocates by itself for an operation, or for closing a file. Version
 * 1.10 does not survive a malloc that fails: look first (mae_pages_fit), or hold it.
 */
#define MAE_VFD_ROOM ((size_t)8 << 20)

/**
 * mae_vfd_quiet, and a look for MAE_VFD_ROOM and @p extra bytes; before reading.
 * Errors   NOMEM "<path>: out of memory for libhdf5".
 */
MaeStatus mae_vfd_begin(const char *path, size_t extra, MaeError *err);

#endif /* MAE_STORE_VFD_H */
