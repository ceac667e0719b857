#include "store/h5in.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/trial.h"
#include "store/file.h"
#include "store/h5set.h"
#include "store/vfd.h"

#define TRIAL_SECONDS 20

struct MaeH5In {
    MaeVfdTarget target;
    bool starved; /* opening failed for want of memory */
    MaeH5Source source;
    char *path;
};

static hid_t open_hdf5(MaeH5In *in)
{
    const hid_t access = mae_vfd_access(&in->target);
    const hid_t file = access < 0 ? -1 : H5Fopen(in->path, H5F_ACC_RDONLY, access);

    if (access >= 0)
        (void)H5Pclose(access);
    return file;
}

/* In a child: all that this file's readers will ask, but for the data. */
static void rehearse(void *ctx)
{
    MaeH5In *in = ctx;

    in->source.file = open_hdf5(in);
    if (in->source.file >= 0)
        mae_h5in_try(in);
}

typedef struct Rehearsal {
    MaeH5In *in;
    bool passed;
} Rehearsal;

static herr_t rehearse_in_child(hid_t list, const char *property, void *ctx)
{
    Rehearsal *rehearsal = ctx;

    (void)list;
    (void)property;
    rehearsal->passed = mae_trial_passes(rehearse, rehearsal->in, TRIAL_SECONDS);
    return 1;
}

/*
 * libhdf5 calls back with its lock held. So no other thread is amid it when the child is
 * made, and the child, a copy of this thread, may go on calling it.
 */
static bool is_survived(MaeH5In *in)
{
    Rehearsal rehearsal = {in, true};

    (void)H5Piterate(H5P_FILE_ACCESS, NULL, rehearse_in_child, &rehearsal);
    return rehearsal.passed;
}

MaeStatus mae_h5in_open_fd(MaeH5In **in, int fd, const char *path, MaeError *err)
{
    MaeH5In *made = calloc(1, sizeof *made);
    char *copy = strdup(path);
    struct stat st;
    MaeStatus status;

    if (made == NULL || copy == NULL || fstat(fd, &st) != 0) {
        free(made);
        free(copy);
        (void)close(fd);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    }
    made->path = copy;
    made->target = (MaeVfdTarget){.fd = fd, .starved = &made->starved};
    made->source =
        (MaeH5Source){.file = -1, .fd = fd, .size = (uint64_t)st.st_size, .path = copy};
    status = mae_vfd_begin(copy, 0, err);
    if (status != MAE_OK) {
        mae_h5in_close(made);
        return status;
    }
    if (!is_survived(made)) {
        mae_h5in_close(made);
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: damaged: libhdf5 crashes on it, or takes too much time or memory",
                 path);
    }
    made->source.file = open_hdf5(made);
    if (made->source.file < 0) {
        const bool starved = made->starved;

        mae_h5in_close(made);
        if (starved)
            MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: not an HDF5 file, or damaged", path);
    }
    *in = made;
    return MAE_OK;
}

MaeStatus mae_h5in_open(MaeH5In **in, const char *path, MaeError *err)
{
    int fd;

    MAE_TRY(mae_file_open(path, &fd, NULL, err));
    return mae_h5in_open_fd(in, fd, path, err);
}

void mae_h5in_close(MaeH5In *in)
{
    if (in == NULL)
        return;
    if (in->source.file >= 0)
        (void)H5Fclose(in->source.file);
    mae_vfd_release(&in->target);
    (void)close(in->target.fd);
    free(in->path);
    free(in);
}

const char *mae_h5in_path(const MaeH5In *in)
{
    return in->path;
}

const MaeH5Source *mae_h5in_source(const MaeH5In *in)
{
    return &in->source;
}

bool mae_h5in_has(const MaeH5In *in, const char *name)
{
    mae_vfd_quiet();
    return mae_h5_follow(&in->source, name, NULL) == MAE_OK;
}

MaeStatus mae_h5in_info(const MaeH5In *in, const char *name, MaeTensorInfo *info,
                        MaeError *err)
{
    MaeH5Set set;

    MAE_TRY(mae_vfd_begin(in->path, 0, err));
    MAE_TRY(mae_h5set_open(&set, &in->source, name, H5P_DEFAULT, err));
    *info = set.info;
    mae_h5set_close(&set);
    return MAE_OK;
}

static MaeStatus check_chunks(const MaeH5In *in, const MaeH5Set *set, MaeError *err)
{
    for (size_t at = 0; set->chunk_bytes > 0 && at < set->info.shape[0];
         at += set->chunk[0])
        MAE_TRY(mae_h5set_check_chunks(set, &in->source, at, err));
    return MAE_OK;
}

/** Open, compare the shape, read converted to @p memory_type. */
static MaeStatus read_set(const MaeH5In *in, const char *name, hid_t memory_type,
                          void *dst, const size_t *shape, size_t ndim, MaeError *err)
{
    MaeH5Set set;
    MaeStatus status;

    MAE_TRY(mae_vfd_begin(in->path, 0, err));
    MAE_TRY(mae_h5set_open(&set, &in->source, name, H5P_DEFAULT, err));
    status = mae_tensor_expect(in->path, &set.info, shape, ndim, err);
    if (status == MAE_OK && set.type.is_float && memory_type == H5T_NATIVE_INT64)
        status = mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                               "%s: %s: expected integers, found floats", in->path, name);
    if (status == MAE_OK)
        status = check_chunks(in, &set, err);
    if (status == MAE_OK && set.count > 0 &&
        H5Dread(set.id, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, dst) < 0)
        status =
            mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                          "%s: %s: cannot be read, the data are damaged", in->path, name);
    mae_h5set_close(&set);
    return status;
}

MaeStatus mae_h5in_floats(const MaeH5In *in, const char *name, float *dst,
                          const size_t *shape, size_t ndim, MaeError *err)
{
    return read_set(in, name, H5T_NATIVE_FLOAT, dst, shape, ndim, err);
}

MaeStatus mae_h5in_ints(const MaeH5In *in, const char *name, int64_t *dst,
                        const size_t *shape, size_t ndim, MaeError *err)
{
    return read_set(in, name, H5T_NATIVE_INT64, dst, shape, ndim, err);
}

/** A root attribute whose type and size were looked at. */
typedef struct Attr {
    hid_t id, type;
    size_t ndim;  /* 0 or 1 */
    size_t count; /* elements */
    size_t size;  /* bytes per element */
} Attr;

bool mae_h5in_has_attr(const MaeH5In *in, const char *name)
{
    mae_vfd_quiet();
    return H5Aexists(in->source.file, name) > 0;
}

static void close_attr(Attr *attr)
{
    if (attr->type >= 0)
        (void)H5Tclose(attr->type);
    if (attr->id >= 0)
        (void)H5Aclose(attr->id);
}

/** Scalar or vector that fits into the file; false otherwise. */
static bool measure_attr(Attr *attr, uint64_t file_size)
{
    const hid_t space = H5Aget_space(attr->id);
    const int ndim = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    const H5S_class_t class = space < 0 ? H5S_NO_CLASS : H5Sget_simple_extent_type(space);
    hsize_t dims[1] = {1};
    const bool ok = (class == H5S_SCALAR || class == H5S_SIMPLE) && ndim >= 0 &&
                    ndim <= 1 && H5Sget_simple_extent_dims(space, dims, NULL) >= 0;

    if (space >= 0)
        (void)H5Sclose(space);
    attr->ndim = ok ? (size_t)ndim : 0;
    attr->size = H5Tget_size(attr->type);
    if (!ok || attr->size == 0 || dims[0] > file_size / attr->size)
        return false;
    attr->count = (size_t)dims[0];
    return true;
}

/** @param ndim 0: a scalar is wanted, 1: a vector. */
static MaeStatus open_attr(const MaeH5In *in, const char *name, size_t ndim, Attr *attr,
                           MaeError *err)
{
    *attr = (Attr){.id = -1, .type = -1};
    MAE_TRY(mae_vfd_begin(in->path, 0, err));
    if (H5Aexists(in->source.file, name) <= 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: attribute %s is missing", in->path, name);
    attr->id = H5Aopen(in->source.file, name, H5P_DEFAULT);
    if (attr->id >= 0)
        attr->type = H5Aget_type(attr->id);
    if (attr->type < 0 || !measure_attr(attr, in->source.size)) {
        close_attr(attr);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: attribute %s is damaged or too large",
                 in->path, name);
    }
    if (attr->ndim != ndim) {
        close_attr(attr);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: attribute %s: expected %s, found %s", in->path,
                 name, ndim == 0 ? "one value" : "a list",
                 ndim == 0 ? "a list" : "one value");
    }
    return MAE_OK;
}

static MaeStatus read_number(const MaeH5In *in, const char *name, bool floats_too,
                             hid_t memory_type, void *value, MaeError *err)
{
    MaeH5Number number;
    Attr attr;
    bool ok;

    MAE_TRY(open_attr(in, name, 0, &attr, err));
    ok = mae_h5_number(attr.type, &number) && (floats_too || !number.is_float) &&
         H5Aread(attr.id, memory_type, value) >= 0;
    close_attr(&attr);
    if (!ok)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: attribute %s: expected %s", in->path, name,
                 floats_too ? "a number" : "an integer");
    return MAE_OK;
}

MaeStatus mae_h5in_int(const MaeH5In *in, const char *name, int64_t *value, MaeError *err)
{
    return read_number(in, name, false, H5T_NATIVE_INT64, value, err);
}

MaeStatus mae_h5in_real(const MaeH5In *in, const char *name, double *value, MaeError *err)
{
    return read_number(in, name, true, H5T_NATIVE_DOUBLE, value, err);
}

MaeStatus mae_h5in_reals(const MaeH5In *in, const char *name, double **values, size_t *n,
                         MaeError *err)
{
    MaeH5Number number;
    double *read;
    Attr attr;
    bool ok;

    MAE_TRY(open_attr(in, name, 1, &attr, err));
    read = malloc((attr.count > 0 ? attr.count : 1) * sizeof *read);
    if (read == NULL) {
        close_attr(&attr);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", in->path);
    }
    ok = mae_h5_number(attr.type, &number) &&
         (attr.count == 0 || H5Aread(attr.id, H5T_NATIVE_DOUBLE, read) >= 0);
    *n = ok ? attr.count : *n;
    close_attr(&attr);
    if (!ok) {
        free(read);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: attribute %s: expected numbers", in->path,
                 name);
    }
    *values = read;
    return MAE_OK;
}

/* Fixed-length texts as they are stored, plus a final NUL; malloc'ed. Closes @p attr. */
static MaeStatus read_rows(const MaeH5In *in, const char *name, Attr *attr, char **rows,
                           MaeError *err)
{
    const bool fixed =
        H5Tget_class(attr->type) == H5T_STRING && H5Tis_variable_str(attr->type) == 0;
    char *read = fixed ? malloc(attr->count * attr->size + 1) : NULL;
    const bool ok =
        read != NULL && (attr->count == 0 || H5Aread(attr->id, attr->type, read) >= 0);

    close_attr(attr);
    if (fixed && read == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", in->path);
    if (!ok) {
        free(read);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: attribute %s: expected a fixed-length text",
                 in->path, name);
    }
    read[attr->count * attr->size] = '\0';
    *rows = read;
    return MAE_OK;
}

MaeStatus mae_h5in_text(const MaeH5In *in, const char *name, char **text, MaeError *err)
{
    Attr attr;

    MAE_TRY(open_attr(in, name, 0, &attr, err));
    return read_rows(in, name, &attr, text, err);
}

MaeStatus mae_h5in_texts(const MaeH5In *in, const char *name, char ***texts, size_t *n,
                         MaeError *err)
{
    char **made, *rows = NULL, *at;
    Attr attr;

    MAE_TRY(open_attr(in, name, 1, &attr, err));
    MAE_TRY(read_rows(in, name, &attr, &rows, err));
    made = malloc(attr.count * (sizeof *made + attr.size + 1) + 1);
    if (made == NULL) {
        free(rows);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", in->path);
    }
    at = (char *)(made + attr.count);
    for (size_t i = 0; i < attr.count; i++, at += attr.size + 1) {
        memcpy(at, rows + i * attr.size, attr.size);
        at[attr.size] = '\0';
        made[i] = at;
    }
    free(rows);
    *texts = made;
    *n = attr.count;
    return MAE_OK;
}
