#include "store/vfd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pages.h"

#if !H5_VERSION_GE(1, 10, 5) /* numbers and sizes of chunks */
#error "HDF5 1.10.5 or newer is needed"
#endif
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h> /* the driver interface moved there */
#endif

#define MAX_ADDRESS ((haddr_t)1 << 62)
#define CACHE_BYTES ((size_t)32 << 20) /* of metadata; far above what we ever write */

/** An HDF5 file as the driver sees it; the public part comes first. */
typedef struct File {
    H5FD_t pub;
    MaeVfdTarget target;
    haddr_t eoa; /* end of what libhdf5 has allocated */
    haddr_t eof; /* end of what exists, or was written */
} File;

static void note_starved(const MaeVfdTarget *target)
{
    if (target->starved != NULL)
        *target->starved = true;
}

static void *copy_target(const void *info)
{
    MaeVfdTarget *copy = malloc(sizeof *copy);

    if (copy == NULL)
        note_starved(info);
    else
        memcpy(copy, info, sizeof *copy);
    return copy;
}

static herr_t free_target(void *info)
{
    free(info);
    return 0;
}

static void *get_target(H5FD_t *pub)
{
    return copy_target(&((const File *)pub)->target);
}

/* The name is ignored: the descriptor in the access list is the file. */
static H5FD_t *open_file(const char *name, unsigned flags, hid_t access, haddr_t max)
{
    const MaeVfdTarget *target = H5Pget_driver_info(access);
    struct stat st;
    File *file;

    (void)name;
    (void)max;
    if (target == NULL || (target->out == NULL && (flags & H5F_ACC_RDWR) != 0) ||
        fstat(target->fd, &st) != 0)
        return NULL;
    file = calloc(1, sizeof *file);
    if (file == NULL) {
        note_starved(target);
        return NULL;
    }
    file->target = *target;
    file->eof = (haddr_t)st.st_size;
    return &file->pub;
}

static herr_t close_file(H5FD_t *pub)
{
    free(pub); /* the first member: the address of the File */
    return 0;
}

static int compare(const H5FD_t *a, const H5FD_t *b)
{
    const int x = ((const File *)a)->target.fd, y = ((const File *)b)->target.fd;

    return (x > y) - (x < y);
}

/*
 * Reading, libhdf5 1.10 must not gather metadata: an address near the end of the address
 * space makes it copy from a buffer that it does not have.
 */
static herr_t query(const H5FD_t *pub, unsigned long *flags)
{
    const bool reads = pub != NULL && ((const File *)pub)->target.out == NULL;

    *flags = H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    if (!reads)
        *flags |= H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
                  H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t get_eoa(const H5FD_t *pub, H5FD_mem_t type)
{
    (void)type;
    return ((const File *)pub)->eoa;
}

static herr_t set_eoa(H5FD_t *pub, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((File *)pub)->eoa = address;
    return 0;
}

static haddr_t get_eof(const H5FD_t *pub, H5FD_mem_t type)
{
    (void)type;
    return ((const File *)pub)->eof;
}

/* Like the stock driver: what lies behind the end of the file reads as zeros. */
static herr_t read_bytes(H5FD_t *pub, H5FD_mem_t type, hid_t transfer, haddr_t address,
                         size_t size, void *buffer)
{
    const File *file = (const File *)pub;
    unsigned char *p = buffer;

    (void)type;
    (void)transfer;
    if (address > MAX_ADDRESS || size > MAX_ADDRESS)
        return -1;
    while (size > 0) {
        const ssize_t n = pread(file->target.fd, p, size, (off_t)address);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0) {
            memset(p, 0, size);
            return 0;
        }
        p += n;
        size -= (size_t)n;
        address += (haddr_t)n;
    }
    return 0;
}

/* Always a success for libhdf5: the output remembers the first failure. */
static herr_t write_bytes(H5FD_t *pub, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t size, const void *buffer)
{
    File *file = (File *)pub;

    (void)type;
    (void)transfer;
    if (file->target.out == NULL || address > MAX_ADDRESS || size > MAX_ADDRESS)
        return -1;
    mae_output_write(file->target.out, buffer, size, address);
    if (address + size > file->eof)
        file->eof = address + size;
    return 0;
}

static herr_t truncate_file(H5FD_t *pub, hid_t transfer, hbool_t closing)
{
    File *file = (File *)pub;

    (void)transfer;
    (void)closing;
    if (file->target.out != NULL && file->eof != file->eoa) {
        mae_output_truncate(file->target.out, file->eoa);
        file->eof = file->eoa;
    }
    return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = 511, /* of the range for private drivers */
#endif
    .name = "libmae",
    .maxaddr = MAX_ADDRESS,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(MaeVfdTarget),
    .fapl_get = get_target,
    .fapl_copy = copy_target,
    .fapl_free = free_target,
    .open = open_file,
    .close = close_file,
    .cmp = compare,
    .query = query,
    .get_eoa = get_eoa,
    .set_eoa = set_eoa,
    .get_eof = get_eof,
    .read = read_bytes,
    .write = write_bytes,
    .truncate = truncate_file,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/*
 * A fixed, large metadata cache: nothing that was written is evicted and read again, so
 * data lost to a full disk cannot come back as damaged metadata.
 */
static herr_t set_cache(hid_t access)
{
    H5AC_cache_config_t config = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};

    if (H5Pget_mdc_config(access, &config) < 0)
        return -1;
    config.set_initial_size = true;
    config.initial_size = CACHE_BYTES;
    config.min_size = CACHE_BYTES;
    config.max_size = CACHE_BYTES;
    config.incr_mode = H5C_incr__off;
    config.flash_incr_mode = H5C_flash_incr__off;
    config.decr_mode = H5C_decr__off;
    return H5Pset_mdc_config(access, &config);
}

/*
 * A chunk without filters that goes through the cache of libhdf5 1.10 is taken for a
 * whole one, however short the file says that it is. Without a cache it is read from the
 * file as far as it is wanted.
 */
static herr_t read_chunks_directly(hid_t access)
{
    return H5Pset_cache(access, 0, 521, 0, 1.0);
}

hid_t mae_vfd_access(MaeVfdTarget *target)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);

    target->driver = H5FDregister(&driver);
    if (access >= 0 && target->driver > 0 &&
        H5Pset_driver(access, target->driver, target) >= 0 &&
        H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0 &&
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 && set_cache(access) >= 0 &&
        (target->out != NULL || read_chunks_directly(access) >= 0))
        return access;
    if (access >= 0)
        (void)H5Pclose(access);
    return -1;
}

void mae_vfd_release(MaeVfdTarget *target)
{
    if (target->driver > 0)
        (void)H5FDunregister(target->driver);
    target->driver = 0;
}

void mae_vfd_no_cleanup(void)
{
    (void)H5dont_atexit();
}

void mae_vfd_quiet(void)
{
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

MaeStatus mae_vfd_begin(const char *path, size_t extra, MaeError *err)
{
    if (!mae_pages_fit(MAE_VFD_ROOM + extra))
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for libhdf5", path);
    mae_vfd_quiet();
    return MAE_OK;
}
