#include "store/h5in.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/h5set.h"
#include "store/vfd.h"

#define OBJECTS_MAX 65536
#define DEPTH_MAX 8
#define PATH_BYTES 1024

/** State of the walk through all groups. */
typedef struct Walk {
    const MaeH5Source *source;
    MaeH5Kind kind;
    MaeTensorInfo *found; /* names malloc'ed one by one */
    size_t count, capacity;
    size_t objects, depth;
    char path[PATH_BYTES]; /* of the object at hand */
    MaeStatus status;
    MaeError *err;
} Walk;

static MaeStatus add(Walk *walk, const MaeTensorInfo *info)
{
    if (walk->count == walk->capacity) {
        const size_t capacity = walk->capacity > 0 ? 2 * walk->capacity : 256;
        MaeTensorInfo *found = realloc(walk->found, capacity * sizeof *found);

        if (found == NULL)
            MAE_FAIL(walk->err, MAE_ERR_NOMEM, "%s: out of memory", walk->source->path);
        walk->found = found;
        walk->capacity = capacity;
    }
    walk->found[walk->count] = *info;
    walk->found[walk->count].name = strdup(info->name);
    if (walk->found[walk->count].name == NULL)
        MAE_FAIL(walk->err, MAE_ERR_NOMEM, "%s: out of memory", walk->source->path);
    walk->count++;
    return MAE_OK;
}

static MaeStatus add_set(Walk *walk, hid_t id)
{
    MaeH5Set set;
    MaeStatus status;

    MAE_TRY(mae_h5set_adopt(&set, walk->source, walk->path, id, walk->err));
    if (walk->kind == MAE_H5_F32 && (!set.type.is_float || set.type.size != 4))
        status =
            mae_error_set(walk->err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                          "%s: %s: expected float32", walk->source->path, walk->path);
    else
        status = add(walk, &set.info);
    mae_h5set_close(&set);
    return status;
}

static MaeStatus walk_group(Walk *walk, hid_t group);

/** One link: a data set is listed, a group entered, all else refused. */
static MaeStatus visit(Walk *walk, hid_t group, const char *name, H5L_type_t type)
{
    const char *file = walk->source->path;
    hid_t id;

    if (++walk->objects > OBJECTS_MAX)
        MAE_FAIL(walk->err, MAE_ERR_FORMAT, "%s: more than %d objects", file,
                 OBJECTS_MAX);
    if (type != H5L_TYPE_HARD)
        MAE_FAIL(walk->err, MAE_ERR_FORMAT,
                 "%s: %s: a soft or external link is not followed", file, walk->path);
    id = H5Oopen(group, name, H5P_DEFAULT);
    if (id >= 0 && H5Iget_type(id) == H5I_GROUP) {
        const MaeStatus status = walk_group(walk, id);

        (void)H5Oclose(id);
        return status;
    }
    return add_set(walk, id);
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    Walk *walk = ctx;
    const size_t at = strlen(walk->path);
    const int n = snprintf(walk->path + at, sizeof walk->path - at, "%s%s",
                           at > 0 ? "/" : "", name);

    if (n < 0 || (size_t)n >= sizeof walk->path - at)
        walk->status = mae_error_set(walk->err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                                     "%s: an object's path exceeds %d bytes",
                                     walk->source->path, PATH_BYTES);
    else
        walk->status = visit(walk, group, name, info->type);
    walk->path[at] = '\0';
    return walk->status == MAE_OK ? 0 : -1;
}

static MaeStatus walk_group(Walk *walk, hid_t group)
{
    herr_t result;

    if (walk->depth == DEPTH_MAX)
        MAE_FAIL(walk->err, MAE_ERR_FORMAT, "%s: %s: groups nest deeper than %d levels",
                 walk->source->path, walk->path, DEPTH_MAX);
    walk->depth++;
    result = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, on_link, walk);
    walk->depth--;
    if (result < 0 && walk->status == MAE_OK)
        MAE_FAIL(walk->err, MAE_ERR_FORMAT, "%s: group \"%s\" is damaged",
                 walk->source->path, walk->path);
    return walk->status;
}

static int by_name(const void *a, const void *b)
{
    const MaeTensorInfo *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/** Array and names in one block. @return malloc'ed, or NULL. */
static MaeTensorInfo *pack(const Walk *walk)
{
    size_t bytes = walk->count * sizeof *walk->found + 1;
    MaeTensorInfo *list;
    char *name;

    for (size_t i = 0; i < walk->count; i++)
        bytes += strlen(walk->found[i].name) + 1;
    list = malloc(bytes);
    if (list == NULL)
        return NULL;
    name = (char *)(list + walk->count);
    for (size_t i = 0; i < walk->count; i++) {
        const size_t size = strlen(walk->found[i].name) + 1;

        list[i] = walk->found[i];
        list[i].name = memcpy(name, walk->found[i].name, size);
        name += size;
    }
    qsort(list, walk->count, sizeof *list, by_name);
    return list;
}

MaeStatus mae_h5in_list(const MaeH5In *in, MaeH5Kind kind, MaeTensorInfo **list,
                        size_t *count, MaeError *err)
{
    Walk walk = {.source = mae_h5in_source(in), .kind = kind, .err = err};
    MaeTensorInfo *packed = NULL;
    MaeStatus status;

    MAE_TRY(mae_vfd_begin(mae_h5in_path(in), 0, err));
    status = walk_group(&walk, walk.source->file);
    if (status == MAE_OK) {
        packed = pack(&walk);
        if (packed == NULL)
            status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                                   "%s: out of memory", mae_h5in_path(in));
    }
    for (size_t i = 0; i < walk.count; i++)
        free((char *)(uintptr_t)walk.found[i].name);
    free(walk.found);
    if (status != MAE_OK)
        return status;
    *list = packed;
    *count = walk.count;
    return MAE_OK;
}
