#include "store/h5set.h"

#include <string.h>

#define NAME_MAX_BYTES 1024
#define FILTERS_MAX 3
#define DEFLATE_RATIO 1032 /* zlib cannot compress better than this */
#define SLACK ((uint64_t)1 << 20)
#define SPARE_CHUNKS 4096 /* that may be claimed and not stored */

/** IEEE half precision, which the library has no name for. */
static hid_t half_type(void)
{
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);

    if (type >= 0 && H5Tset_fields(type, 15, 10, 5, 0, 10) >= 0 &&
        H5Tset_size(type, 2) >= 0)
        (void)H5Tset_ebias(type, 15);
    return type;
}

static bool is_ieee_float(hid_t type)
{
    const hid_t plain = H5Tcopy(type), half = half_type();
    bool same = false;

    /* Byte order aside, it must be one of the three. */
    if (plain >= 0 && half >= 0 && H5Tset_order(plain, H5T_ORDER_LE) >= 0)
        same = H5Tequal(plain, H5T_IEEE_F32LE) > 0 ||
               H5Tequal(plain, H5T_IEEE_F64LE) > 0 || H5Tequal(plain, half) > 0;
    if (half >= 0)
        (void)H5Tclose(half);
    if (plain >= 0)
        (void)H5Tclose(plain);
    return same;
}

bool mae_h5_number(hid_t type, MaeH5Number *number)
{
    const H5T_class_t class = H5Tget_class(type);
    const size_t size = H5Tget_size(type);
    H5T_order_t order;

    if (class != H5T_INTEGER && class != H5T_FLOAT)
        return false;
    order = H5Tget_order(type);
    if ((size != 1 && size != 2 && size != 4 && size != 8) ||
        (order != H5T_ORDER_LE && order != H5T_ORDER_BE) ||
        H5Tget_precision(type) != 8 * size || H5Tget_offset(type) != 0)
        return false;
    if (class == H5T_FLOAT && !is_ieee_float(type))
        return false;
    *number =
        (MaeH5Number){.is_float = class == H5T_FLOAT,
                      .is_signed = class == H5T_FLOAT || H5Tget_sign(type) == H5T_SGN_2,
                      .size = size};
    return true;
}

MaeStatus mae_h5_follow(const MaeH5Source *source, const char *name, MaeError *err)
{
    char step[NAME_MAX_BYTES];
    const size_t length = strlen(name);

    if (length == 0 || length >= sizeof step || name[0] == '/')
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: \"%s\" cannot name an object", source->path,
                 name);
    for (size_t end = 1; end <= length; end++) {
        H5L_info_t info;

        if (end < length && name[end] != '/')
            continue;
        memcpy(step, name, end);
        step[end] = '\0';
        if (H5Lexists(source->file, step, H5P_DEFAULT) <= 0)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: missing", source->path, name);
        if (H5Lget_info(source->file, step, &info, H5P_DEFAULT) < 0 ||
            info.type != H5L_TYPE_HARD)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s: %s: a soft or external link is not followed", source->path,
                     step);
    }
    return MAE_OK;
}

/** Layout, external files and filters. */
static MaeStatus check_storage(MaeH5Set *set, const MaeH5Source *source, hid_t list,
                               MaeError *err)
{
    const char *path = source->path, *name = set->info.name;
    const H5D_layout_t layout = H5Pget_layout(list);
    const int filters = H5Pget_nfilters(list);
    int shuffle = -1;

    if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: virtual storage is refused", path, name);
    if (H5Pget_external_count(list) != 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: data in external files are refused", path,
                 name);
    if (filters < 0 || filters > FILTERS_MAX)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: %d filters, at most %d are accepted", path,
                 name, filters, FILTERS_MAX);
    set->filters = filters;
    set->deflate = set->fletcher32 = -1;
    for (int i = 0; i < filters; i++) {
        size_t none = 0;
        unsigned flags, config;
        const H5Z_filter_t id =
            H5Pget_filter2(list, (unsigned)i, &flags, &none, NULL, 0, NULL, &config);
        int *place = id == H5Z_FILTER_DEFLATE      ? &set->deflate
                     : id == H5Z_FILTER_FLETCHER32 ? &set->fletcher32
                                                   : &shuffle;

        if ((place == &shuffle && (id != H5Z_FILTER_SHUFFLE || set->deflate >= 0)) ||
            *place >= 0)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s: %s: filter %d is refused (accepted: shuffle, deflate behind "
                     "it, and fletcher32, once each)",
                     path, name, (int)id);
        *place = i;
    }
    return MAE_OK;
}

static MaeStatus check_type(MaeH5Set *set, const MaeH5Source *source, MaeError *err)
{
    const hid_t type = H5Dget_type(set->id);
    const bool ok = type >= 0 && mae_h5_number(type, &set->type);

    if (type >= 0)
        (void)H5Tclose(type);
    if (!ok)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: %s: expected integers or IEEE floats, found "
                 "another type",
                 source->path, set->info.name);
    return MAE_OK;
}

static MaeStatus get_shape(MaeH5Set *set, const MaeH5Source *source, hid_t space,
                           MaeError *err)
{
    const char *path = source->path, *name = set->info.name;
    const H5S_class_t class = space < 0 ? H5S_NO_CLASS : H5Sget_simple_extent_type(space);
    const int ndim = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    hsize_t dims[MAE_TENSOR_DIMS];

    if ((class != H5S_SIMPLE && class != H5S_SCALAR) || ndim < 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: has no shape", path, name);
    if (ndim > MAE_TENSOR_DIMS)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: %d dimensions, at most %d are accepted",
                 path, name, ndim, MAE_TENSOR_DIMS);
    if (H5Sget_simple_extent_dims(space, dims, NULL) != ndim)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: damaged shape", path, name);
    set->info.ndim = (size_t)ndim;
    for (int i = 0; i < ndim; i++)
        set->info.shape[i] = (size_t)dims[i];
    return MAE_OK;
}

/** Without filters: do the chunks that are stored make up what they should? */
static bool is_even(const MaeH5Set *set)
{
    const hid_t space = H5Dget_space(set->id);
    hsize_t stored = 0;
    const bool even = H5Dget_num_chunks(set->id, space, &stored) >= 0 &&
                      H5Dget_storage_size(set->id) == stored * set->chunk_bytes;

    if (space >= 0)
        (void)H5Sclose(space);
    return even;
}

/** Shape and number of chunks; each that is stored has an address of 8 bytes. */
static MaeStatus check_chunks(MaeH5Set *set, const MaeH5Source *source, hid_t list,
                              MaeError *err)
{
    const char *path = source->path, *name = set->info.name;
    const uint64_t most = source->size / 8 + SPARE_CHUNKS;
    hsize_t chunk[MAE_TENSOR_DIMS];
    uint64_t chunks = 1;

    if (H5Pget_chunk(list, MAE_TENSOR_DIMS, chunk) != (int)set->info.ndim)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: damaged chunk shape", path, name);
    set->chunk_bytes = set->type.size;
    for (size_t i = 0; i < set->info.ndim; i++) {
        uint64_t across;

        if (chunk[i] == 0 || chunk[i] > MAE_H5_CHUNK_MAX / set->chunk_bytes)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: chunks above %zu MiB are refused",
                     path, name, MAE_H5_CHUNK_MAX >> 20);
        set->chunk[i] = (size_t)chunk[i];
        set->chunk_bytes *= set->chunk[i];
        across = set->info.shape[i] / chunk[i] + (set->info.shape[i] % chunk[i] != 0);
        if (across > 0 && chunks > most / across)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s: %s: claims more chunks than a file of %llu bytes can hold",
                     path, name, (unsigned long long)source->size);
        chunks *= across > 0 ? across : 1;
    }
    set->even = set->filters == 0 && is_even(set);
    return MAE_OK;
}

/** Shape, and that a file of this size can hold it. */
static MaeStatus check_size(MaeH5Set *set, const MaeH5Source *source, hid_t list,
                            MaeError *err)
{
    const bool chunked = H5Pget_layout(list) == H5D_CHUNKED;
    const uint64_t most = chunked && source->size < UINT64_MAX / 2 / DEFLATE_RATIO
                              ? (source->size + SLACK) * DEFLATE_RATIO
                              : source->size;
    const hid_t space = H5Dget_space(set->id);
    const MaeStatus status = get_shape(set, source, space, err);
    const char *path = source->path, *name = set->info.name;

    if (space >= 0)
        (void)H5Sclose(space);
    MAE_TRY(status);
    if (!mae_tensor_count(&set->count, set->info.shape, set->info.ndim,
                          (size_t)(most / set->type.size)))
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: %s: claims more data than a file of %llu bytes can hold", path,
                 name, (unsigned long long)source->size);
    if (!chunked) {
        if (H5Dget_storage_size(set->id) < set->count * set->type.size)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: %llu bytes stored, expected %zu", path,
                     name, (unsigned long long)H5Dget_storage_size(set->id),
                     set->count * set->type.size);
        return MAE_OK;
    }
    return check_chunks(set, source, list, err);
}

MaeStatus mae_h5set_adopt(MaeH5Set *set, const MaeH5Source *source, const char *name,
                          hid_t id, MaeError *err)
{
    MaeH5Set found = {.id = id, .info = {.name = name}};
    hid_t list;
    MaeStatus status;

    if (id < 0 || H5Iget_type(id) != H5I_DATASET) {
        if (id >= 0)
            (void)H5Oclose(id);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: cannot be opened as a data set",
                 source->path, name);
    }
    list = H5Dget_create_plist(id);
    status = list >= 0 ? check_storage(&found, source, list, err)
                       : mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                                       "%s: %s: damaged header", source->path, name);
    if (status == MAE_OK)
        status = check_type(&found, source, err);
    if (status == MAE_OK)
        status = check_size(&found, source, list, err);
    if (list >= 0)
        (void)H5Pclose(list);
    if (status != MAE_OK)
        mae_h5set_close(&found);
    else
        *set = found;
    return status;
}

MaeStatus mae_h5set_open(MaeH5Set *set, const MaeH5Source *source, const char *name,
                         hid_t access, MaeError *err)
{
    MAE_TRY(mae_h5_follow(source, name, err));
    return mae_h5set_adopt(set, source, name, H5Dopen2(source->file, name, access), err);
}

void mae_h5set_close(MaeH5Set *set)
{
    if (set->id > 0)
        (void)H5Dclose(set->id);
    *set = (MaeH5Set){0};
}
