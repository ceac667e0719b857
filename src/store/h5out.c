#include "store/h5out.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "store/vfd.h"

struct MaeH5Out {
    MaeOutput file;
    MaeVfdTarget target;
    hid_t h5;      /* negative once sealed */
    hid_t new_set; /* creation lists without time stamps */
    hid_t new_group;
    void *room;     /* for closing */
    MaeError first; /* first failure that is not the output's */
};

static bool healthy(const MaeH5Out *out)
{
    return out->first.status == MAE_OK && out->file.error == 0 && out->h5 >= 0;
}

static void fail(MaeH5Out *out, MaeStatus status, const char *name, const char *what)
{
    if (healthy(out))
        (void)mae_error_set(&out->first, status, __FILE__, __LINE__, "%s: %s: %s",
                            out->file.path, name, what);
}

/** Healthy, and with memory for what libhdf5 is about to do for @p name. */
static bool is_ready(MaeH5Out *out, const char *name)
{
    if (healthy(out) && !mae_pages_fit(MAE_VFD_ROOM))
        fail(out, MAE_ERR_NOMEM, name, "out of memory for libhdf5");
    return healthy(out);
}

/** Close the HDF5 file, with the memory that was kept for it. */
static void close_file(MaeH5Out *out)
{
    mae_pages_free(out->room, MAE_VFD_ROOM);
    out->room = NULL;
    if (out->h5 >= 0 && H5Fclose(out->h5) < 0)
        fail(out, MAE_ERR_NOMEM, "HDF5", "out of memory to close the file");
    out->h5 = -1;
}

static void close_lists(MaeH5Out *out)
{
    close_file(out);
    if (out->new_set >= 0)
        (void)H5Pclose(out->new_set);
    if (out->new_group >= 0)
        (void)H5Pclose(out->new_group);
    out->new_set = out->new_group = -1;
    mae_vfd_release(&out->target);
}

static hid_t create_file(MaeH5Out *out, size_t user_block)
{
    const hid_t access = mae_vfd_access(&out->target);
    const hid_t create = H5Pcreate(H5P_FILE_CREATE);
    hid_t file = -1;

    if (access >= 0 && create >= 0 && H5Pset_userblock(create, user_block) >= 0 &&
        H5Pset_obj_track_times(create, false) >= 0)
        file = H5Fcreate(out->file.temp, H5F_ACC_TRUNC, create, access);
    if (create >= 0)
        (void)H5Pclose(create);
    if (access >= 0)
        (void)H5Pclose(access);
    return file;
}

/** The HDF5 file in the output, and what new objects are made with; false: no memory. */
static bool begin_file(MaeH5Out *out, size_t user_block)
{
    out->room = mae_pages_alloc(MAE_VFD_ROOM);
    if (out->room == NULL || !mae_pages_fit(MAE_VFD_ROOM))
        return false;
    mae_vfd_quiet();
    out->h5 = create_file(out, user_block);
    out->new_set = H5Pcreate(H5P_DATASET_CREATE);
    out->new_group = H5Pcreate(H5P_GROUP_CREATE);
    return out->h5 >= 0 && H5Pset_obj_track_times(out->new_set, false) >= 0 &&
           H5Pset_obj_track_times(out->new_group, false) >= 0;
}

MaeStatus mae_h5out_create_with(MaeH5Out **out, const char *path, size_t user_block,
                                MaeFaults *faults, MaeError *err)
{
    MaeH5Out *made = calloc(1, sizeof *made);
    MaeStatus status;

    if (made == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    made->h5 = made->new_set = made->new_group = -1;
    status = mae_output_open(&made->file, path, faults, err);
    if (status != MAE_OK) {
        free(made);
        return status;
    }
    made->target = (MaeVfdTarget){.fd = made->file.fd, .out = &made->file};
    if (!begin_file(made, user_block)) {
        mae_h5out_abort(made);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for an HDF5 file", path);
    }
    *out = made;
    return MAE_OK;
}

MaeStatus mae_h5out_create(MaeH5Out **out, const char *path, MaeError *err)
{
    return mae_h5out_create_with(out, path, 0, NULL, err);
}

/** Write a root attribute; dims NULL: a scalar. */
static void put_attr(MaeH5Out *out, const char *name, hid_t file_type, hid_t memory_type,
                     const hsize_t *dims, const void *value)
{
    hid_t space, attr;

    if (!is_ready(out, name))
        return;
    if (H5Aexists(out->h5, name) > 0) {
        fail(out, MAE_ERR_ARG, name, "written twice");
        return;
    }
    space = dims == NULL ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, dims, NULL);
    attr = H5Acreate2(out->h5, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0 ||
        ((dims == NULL || dims[0] > 0) && H5Awrite(attr, memory_type, value) < 0))
        fail(out, MAE_ERR_NOMEM, name, "out of memory for the attribute");
    if (attr >= 0)
        (void)H5Aclose(attr);
    if (space >= 0)
        (void)H5Sclose(space);
}

/** Fixed-length UTF-8 of @p size bytes, NUL included; negative on failure. */
static hid_t text_type(size_t size)
{
    const hid_t type = H5Tcopy(H5T_C_S1);

    if (type >= 0 &&
        (H5Tset_size(type, size) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        (void)H5Tclose(type);
        return -1;
    }
    return type;
}

void mae_h5out_text(MaeH5Out *out, const char *name, const char *text)
{
    const hid_t type = is_ready(out, name) ? text_type(strlen(text) + 1) : -1;

    if (type < 0)
        fail(out, MAE_ERR_NOMEM, name, "out of memory");
    else
        put_attr(out, name, type, type, NULL, text);
    if (type >= 0)
        (void)H5Tclose(type);
}

void mae_h5out_int(MaeH5Out *out, const char *name, int64_t value)
{
    put_attr(out, name, H5T_STD_I64LE, H5T_NATIVE_INT64, NULL, &value);
}

void mae_h5out_real(MaeH5Out *out, const char *name, double value)
{
    put_attr(out, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, NULL, &value);
}

void mae_h5out_reals(MaeH5Out *out, const char *name, const double *values, size_t n)
{
    const hsize_t dims = n;

    put_attr(out, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &dims, values);
}

/** Texts as rows of equal length. @return malloc'ed, or NULL. */
static char *pack(const char *const *texts, size_t n, size_t *row)
{
    char *rows;

    *row = 1;
    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(texts[i]) + 1;

        *row = length > *row ? length : *row;
    }
    rows = calloc(n > 0 ? n : 1, *row);
    for (size_t i = 0; rows != NULL && i < n; i++)
        memcpy(rows + i * *row, texts[i], strlen(texts[i]));
    return rows;
}

/** Make the groups that lead to @p name; false for a name that is no proper path. */
static bool make_groups(MaeH5Out *out, const char *name)
{
    char step[1024];
    const size_t length = strlen(name);

    if (length == 0 || length >= sizeof step)
        return false;
    for (size_t begin = 0, end = 0; end <= length; end++) {
        const size_t size = end - begin;

        if (end < length && name[end] != '/')
            continue;
        if (size == 0 ||
            (name[begin] == '.' && (size == 1 || (size == 2 && name[begin + 1] == '.'))))
            return false;
        memcpy(step, name, end);
        step[end] = '\0';
        begin = end + 1;
        if (end == length || H5Lexists(out->h5, step, H5P_DEFAULT) > 0)
            continue;
        (void)H5Gclose(
            H5Gcreate2(out->h5, step, H5P_DEFAULT, out->new_group, H5P_DEFAULT));
    }
    return true;
}

/** Create a data set, and fill it unless @p data is NULL. */
static void put_set(MaeH5Out *out, const char *name, hid_t file_type, hid_t memory_type,
                    const void *data, const size_t *shape, size_t ndim)
{
    hsize_t dims[MAE_TENSOR_DIMS];
    hid_t space, set;

    if (!is_ready(out, name))
        return;
    if (ndim > MAE_TENSOR_DIMS || !make_groups(out, name)) {
        fail(out, MAE_ERR_ARG, name, "not a proper name or shape");
        return;
    }
    if (H5Lexists(out->h5, name, H5P_DEFAULT) > 0) {
        fail(out, MAE_ERR_ARG, name, "written twice");
        return;
    }
    for (size_t i = 0; i < ndim; i++)
        dims[i] = shape[i];
    space = ndim == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple((int)ndim, dims, NULL);
    set = H5Dcreate2(out->h5, name, file_type, space, H5P_DEFAULT, out->new_set,
                     H5P_DEFAULT);
    if (set < 0 || (data != NULL &&
                    H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
        fail(out, MAE_ERR_NOMEM, name, "out of memory for the data set");
    if (set >= 0)
        (void)H5Dclose(set);
    if (space >= 0)
        (void)H5Sclose(space);
}

/** An array of texts, as an attribute or as a data set. */
static void put_texts(MaeH5Out *out, const char *name, const char *const *texts, size_t n,
                      bool attribute)
{
    size_t row;
    char *rows = pack(texts, n, &row);
    const hid_t type = rows == NULL || !is_ready(out, name) ? -1 : text_type(row);
    const hsize_t dims = n;

    if (type < 0)
        fail(out, MAE_ERR_NOMEM, name, "out of memory");
    else if (attribute)
        put_attr(out, name, type, type, &dims, rows);
    else
        put_set(out, name, type, type, rows, &n, 1);
    if (type >= 0)
        (void)H5Tclose(type);
    free(rows);
}

void mae_h5out_texts(MaeH5Out *out, const char *name, const char *const *texts, size_t n)
{
    put_texts(out, name, texts, n, true);
}

void mae_h5out_text_list(MaeH5Out *out, const char *name, const char *const *texts,
                         size_t n)
{
    put_texts(out, name, texts, n, false);
}

void mae_h5out_floats(MaeH5Out *out, const char *name, const float *data,
                      const size_t *shape, size_t ndim)
{
    put_set(out, name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, data, shape, ndim);
}

void mae_h5out_ints(MaeH5Out *out, const char *name, const int64_t *data,
                    const size_t *shape, size_t ndim)
{
    put_set(out, name, H5T_STD_I64LE, H5T_NATIVE_INT64, data, shape, ndim);
}

/** Type of an element in memory, or the same in the file. */
static hid_t element_type(MaeH5Element element, bool file)
{
    switch (element) {
    case MAE_H5_ELEMENT_U8:
        return file ? H5T_STD_U8LE : H5T_NATIVE_UINT8;
    case MAE_H5_ELEMENT_U16:
        return file ? H5T_STD_U16LE : H5T_NATIVE_UINT16;
    case MAE_H5_ELEMENT_F32:
        break;
    }
    return file ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT;
}

void mae_h5out_define_as(MaeH5Out *out, const char *name, MaeH5Element element,
                         const size_t *shape, size_t ndim)
{
    put_set(out, name, element_type(element, true), element_type(element, false), NULL,
            shape, ndim);
}

void mae_h5out_define(MaeH5Out *out, const char *name, const size_t *shape, size_t ndim)
{
    mae_h5out_define_as(out, name, MAE_H5_ELEMENT_F32, shape, ndim);
}

/** Select the rows in the file and write them; false on failure. */
static bool write_rows(hid_t set, hid_t space, hid_t type, size_t first, size_t rows,
                       const void *data)
{
    hsize_t start[MAE_TENSOR_DIMS] = {first}, count[MAE_TENSOR_DIMS];
    const int ndim = H5Sget_simple_extent_ndims(space);
    hid_t memory;
    bool ok;

    if (ndim < 1 || ndim > MAE_TENSOR_DIMS ||
        H5Sget_simple_extent_dims(space, count, NULL) < 0 || first > count[0] ||
        rows > count[0] - first)
        return false;
    count[0] = rows;
    memory = H5Screate_simple(ndim, count, NULL);
    ok = memory >= 0 &&
         H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
         H5Dwrite(set, type, memory, space, H5P_DEFAULT, data) >= 0;
    if (memory >= 0)
        (void)H5Sclose(memory);
    return ok;
}

void mae_h5out_rows_as(MaeH5Out *out, const char *name, MaeH5Element element,
                       size_t first, size_t rows, const void *data)
{
    hid_t set, space;

    if (rows == 0 || !is_ready(out, name))
        return;
    set = H5Dopen2(out->h5, name, H5P_DEFAULT);
    space = set < 0 ? -1 : H5Dget_space(set);
    if (space < 0 ||
        !write_rows(set, space, element_type(element, false), first, rows, data))
        fail(out, MAE_ERR_ARG, name, "not defined, or has fewer rows");
    if (space >= 0)
        (void)H5Sclose(space);
    if (set >= 0)
        (void)H5Dclose(set);
}

void mae_h5out_rows(MaeH5Out *out, const char *name, size_t first, size_t rows,
                    const float *data)
{
    mae_h5out_rows_as(out, name, MAE_H5_ELEMENT_F32, first, rows, data);
}

MaeStatus mae_h5out_check(const MaeH5Out *out, MaeError *err)
{
    MAE_TRY(mae_output_check(&out->file, err));
    if (out->first.status != MAE_OK && err != NULL)
        *err = out->first;
    return out->first.status;
}

MaeStatus mae_h5out_seal(MaeH5Out *out, MaeOutput **file, MaeError *err)
{
    close_file(out);
    *file = &out->file;
    return mae_h5out_check(out, err);
}

MaeStatus mae_h5out_commit(MaeH5Out *out, MaeError *err)
{
    MaeOutput *file;
    MaeStatus status = mae_h5out_seal(out, &file, err);

    if (status == MAE_OK)
        status = mae_output_commit(file, err);
    mae_h5out_abort(out);
    return status;
}

void mae_h5out_abort(MaeH5Out *out)
{
    if (out == NULL)
        return;
    close_lists(out);
    mae_output_abort(&out->file);
    free(out);
}
