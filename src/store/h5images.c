#include "store/h5images.h"

#include <assert.h>
#include <hdf5.h>
#include <stdlib.h>

#include "conf/config.h"
#include "store/file.h"
#include "store/h5in.h"
#include "store/h5set.h"
#include "store/vfd.h"

#define SIDE_MAX ((size_t)1 << 20)  /* height, width */
#define IMAGE_MAX ((size_t)1 << 30) /* bytes of one image */
#define CACHE_MAX ((size_t)64 << 20)
#define LABEL_MAX (1 << 24)

struct MaeH5Images {
    MaeH5In *in;
    MaeH5Set set;
    hid_t space, memory; /* selections of one image */
    hid_t type;          /* native pixel type; not owned */
    int pixel;
    bool plain;             /* images lie one behind the other in the file: */
    uint64_t start;         /* the first one here */
    size_t bytes;           /* of an image */
    unsigned char *checked; /* bit per chunk along the first dimension: it is sound */
    size_t count, height, width, channels;
    int32_t *labels; /* [N] or NULL */
    size_t classes;
    char **names; /* [classes] or NULL; one block */
};

/**
 * The chunk cache holds 8 chunks up to CACHE_MAX bytes, and at least one chunk; nothing
 * if there are no filters, see mae_vfd_access.
 */
static MaeStatus open_set(MaeH5Images *h, MaeError *err)
{
    const MaeH5Source *source = mae_h5in_source(h->in);
    hid_t access;
    MaeStatus status;
    size_t bytes;

    MAE_TRY(mae_h5set_open(&h->set, source, "images", H5P_DEFAULT, err));
    if (h->set.chunk_bytes == 0)
        return MAE_OK;
    h->checked = calloc(h->set.info.shape[0] / h->set.chunk[0] / 8 + 1, 1);
    bytes = 8 * h->set.chunk_bytes < CACHE_MAX ? 8 * h->set.chunk_bytes : CACHE_MAX;
    bytes = h->set.filters == 0          ? 0
            : bytes < h->set.chunk_bytes ? h->set.chunk_bytes
                                         : bytes;
    access = H5Pcreate(H5P_DATASET_ACCESS);
    mae_h5set_close(&h->set); /* an open data set keeps its cache size */
    if (h->checked == NULL || access < 0 ||
        H5Pset_chunk_cache(access, 521, bytes, 1.0) < 0)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", source->path);
    status = mae_h5set_open(&h->set, source, "images", access, err);
    (void)H5Pclose(access);
    return status;
}

static MaeStatus check_pixels(MaeH5Images *h, MaeError *err)
{
    const MaeH5Number *type = &h->set.type;

    if (!type->is_float && !type->is_signed && type->size == 1) {
        h->pixel = MAE_H5IMAGES_U8;
        h->type = H5T_NATIVE_UINT8;
    } else if (!type->is_float && !type->is_signed && type->size == 2) {
        h->pixel = MAE_H5IMAGES_U16;
        h->type = H5T_NATIVE_UINT16;
    } else if (type->is_float && type->size == 4) {
        h->pixel = MAE_H5IMAGES_F32;
        h->type = H5T_NATIVE_FLOAT;
    } else {
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: images: expected uint8, uint16 or float32, found %s%s%zu",
                 mae_h5in_path(h->in), !type->is_float && !type->is_signed ? "u" : "",
                 type->is_float ? "float" : "int", 8 * type->size);
    }
    return MAE_OK;
}

static MaeStatus check_shape(MaeH5Images *h, MaeError *err)
{
    const char *path = mae_h5in_path(h->in);
    const MaeTensorInfo *info = &h->set.info;
    char text[128];
    size_t values;

    mae_param_shape_text(text, sizeof text, info->shape, info->ndim);
    if (info->ndim != 3 && info->ndim != 4)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: images: expected [N,H,W] or [N,H,W,C], found %s", path, text);
    h->count = info->shape[0];
    h->height = info->shape[1];
    h->width = info->shape[2];
    h->channels = info->ndim == 4 ? info->shape[3] : 1;
    if (h->height == 0 || h->width == 0 || h->channels == 0 || h->height > SIDE_MAX ||
        h->width > SIDE_MAX || h->channels > MAE_CONFIG_CHANNELS ||
        !mae_tensor_count(&values, info->shape + 1, info->ndim - 1,
                          IMAGE_MAX / h->set.type.size))
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: images: %s is empty or too large", path, text);
    if (h->count == 0 || h->count > MAE_H5IMAGES_MAX)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: images: %zu images, 1 to %zu are accepted",
                 path, h->count, MAE_H5IMAGES_MAX);
    return MAE_OK;
}

static MaeStatus make_selections(MaeH5Images *h, MaeError *err)
{
    hsize_t dims[4] = {1, h->height, h->width, h->channels};

    h->space = H5Dget_space(h->set.id);
    h->memory = H5Screate_simple((int)h->set.info.ndim, dims, NULL);
    if (h->space < 0 || h->memory < 0)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", mae_h5in_path(h->in));
    return MAE_OK;
}

/**
 * Find images that need no libhdf5. Its offset counts from the beginning of the file, a
 * user block included.
 */
static void find_plain(MaeH5Images *h)
{
    const MaeH5Source *source = mae_h5in_source(h->in);
    const haddr_t start = H5Dget_offset(h->set.id); /* undefined unless contiguous */
    const hid_t type = H5Dget_type(h->set.id);

    h->bytes = h->height * h->width * h->channels * h->set.type.size;
    h->plain = start != HADDR_UNDEF && type >= 0 && H5Tequal(type, h->type) > 0 &&
               start <= source->size && h->count <= (source->size - start) / h->bytes;
    h->start = start;
    if (type >= 0)
        (void)H5Tclose(type);
}

/** Range check and narrowing; keeps the largest. */
static MaeStatus check_labels(MaeH5Images *h, const int64_t *wide, MaeError *err)
{
    for (size_t i = 0; i < h->count; i++) {
        if (wide[i] < 0 || wide[i] >= LABEL_MAX)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: labels[%zu]: expected 0 to %d, found %lld",
                     mae_h5in_path(h->in), i, LABEL_MAX - 1, (long long)wide[i]);
        h->labels[i] = (int32_t)wide[i];
        if ((size_t)wide[i] >= h->classes)
            h->classes = (size_t)wide[i] + 1;
    }
    return MAE_OK;
}

static MaeStatus read_names(MaeH5Images *h, MaeError *err)
{
    size_t count;

    if (h->labels == NULL || !mae_h5in_has_attr(h->in, "class_names"))
        return MAE_OK;
    MAE_TRY(mae_h5in_texts(h->in, "class_names", &h->names, &count, err));
    if (count < h->classes)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: class_names: %zu names, but labels up to %zu",
                 mae_h5in_path(h->in), count, h->classes - 1);
    h->classes = count;
    return MAE_OK;
}

static MaeStatus read_labels(MaeH5Images *h, MaeError *err)
{
    MaeTensorInfo info;
    int64_t *wide;
    MaeStatus status;

    if (!mae_h5in_has(h->in, "labels"))
        return MAE_OK;
    MAE_TRY(mae_h5in_info(h->in, "labels", &info, err));
    MAE_TRY(mae_tensor_expect(mae_h5in_path(h->in), &info, &h->count, 1, err));
    wide = malloc(h->count * sizeof *wide);
    h->labels = malloc(h->count * sizeof *h->labels);
    if (wide == NULL || h->labels == NULL) {
        free(wide);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: labels: out of memory", mae_h5in_path(h->in));
    }
    status = mae_h5in_ints(h->in, "labels", wide, &h->count, 1, err);
    if (status == MAE_OK)
        status = check_labels(h, wide, err);
    free(wide);
    return status;
}

static MaeStatus open_all(MaeH5Images *h, const char *path, MaeError *err)
{
    MAE_TRY(mae_h5in_open(&h->in, path, err));
    MAE_TRY(open_set(h, err));
    MAE_TRY(check_pixels(h, err));
    MAE_TRY(check_shape(h, err));
    MAE_TRY(make_selections(h, err));
    find_plain(h);
    MAE_TRY(read_labels(h, err));
    return read_names(h, err);
}

MaeStatus mae_h5images_open(MaeH5Images **h, const char *path, MaeError *err)
{
    MaeH5Images *made = calloc(1, sizeof *made);
    MaeStatus status;

    if (made == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    made->space = made->memory = -1;
    status = open_all(made, path, err);
    if (status != MAE_OK)
        mae_h5images_close(made);
    else
        *h = made;
    return status;
}

void mae_h5images_close(MaeH5Images *h)
{
    if (h == NULL)
        return;
    if (h->memory >= 0)
        (void)H5Sclose(h->memory);
    if (h->space >= 0)
        (void)H5Sclose(h->space);
    mae_h5set_close(&h->set);
    mae_h5in_close(h->in);
    free(h->names);
    free(h->labels);
    free(h->checked);
    free(h);
}

void mae_h5images_shape(const MaeH5Images *h, size_t *count, size_t *height,
                        size_t *width, size_t *channels, int *pixel)
{
    *count = h->count;
    *height = h->height;
    *width = h->width;
    *channels = h->channels;
    *pixel = h->pixel;
}

bool mae_h5images_has_labels(const MaeH5Images *h)
{
    return h->labels != NULL;
}

size_t mae_h5images_classes(const MaeH5Images *h)
{
    return h->classes;
}

const char *mae_h5images_class(const MaeH5Images *h, size_t label)
{
    assert(label < h->classes);
    return h->names == NULL ? NULL : h->names[label];
}

int64_t mae_h5images_label(const MaeH5Images *h, size_t index)
{
    assert(index < h->count);
    return h->labels == NULL ? -1 : h->labels[index];
}

bool mae_h5images_parallel(const MaeH5Images *h)
{
    return h->plain;
}

/** The chunks that hold an image, when they are met for the first time. */
static MaeStatus check_chunks(MaeH5Images *h, size_t index, MaeError *err)
{
    const size_t row = h->set.chunk_bytes > 0 ? index / h->set.chunk[0] : 0;
    const unsigned char bit = (unsigned char)(1u << row % 8);

    if (h->set.chunk_bytes == 0 || (h->checked[row / 8] & bit) != 0)
        return MAE_OK;
    MAE_TRY(mae_h5set_check_chunks(&h->set, mae_h5in_source(h->in), row * h->set.chunk[0],
                                   err));
    h->checked[row / 8] |= bit;
    return MAE_OK;
}

MaeStatus mae_h5images_read(MaeH5Images *h, size_t index, void *out, MaeError *err)
{
    const hsize_t start[4] = {index}, count[4] = {1, h->height, h->width, h->channels};

    assert(index < h->count);
    if (h->plain)
        return mae_file_read_at(mae_h5in_source(h->in)->fd, mae_h5in_path(h->in), out,
                                h->bytes, h->start + (uint64_t)index * h->bytes, err);
    MAE_TRY(mae_vfd_begin(mae_h5in_path(h->in), 2 * h->set.chunk_bytes, err));
    MAE_TRY(check_chunks(h, index, err));
    if (H5Sselect_hyperslab(h->space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(h->set.id, h->type, h->memory, h->space, H5P_DEFAULT, out) < 0)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: images[%zu]: cannot be read, the data are damaged",
                 mae_h5in_path(h->in), index);
    return MAE_OK;
}
