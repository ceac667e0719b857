#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/checkpoint.h"
#include "store/ckptblock.h"
#include "store/file.h"
#include "store/h5in.h"

#define NAME_BYTES (MAE_PARAM_NAME + 256)

struct MaeCkptReader {
    MaeH5In *in;
    MaeTensorInfo *list; /* sorted by name; owned, one block */
    size_t count;
};

/** A verified descriptor. */
static MaeStatus open_verified(const char *path, int *fd, MaeError *err)
{
    uint64_t size;
    MaeStatus status;
    int opened;

    MAE_TRY(mae_file_open(path, &opened, &size, err));
    status = mae_ckptblock_verify(opened, path, size, err);
    if (status != MAE_OK)
        (void)close(opened);
    else
        *fd = opened;
    return status;
}

MaeStatus mae_ckpt_verify(const char *path, MaeError *err)
{
    int fd;

    MAE_TRY(open_verified(path, &fd, err));
    (void)close(fd);
    return MAE_OK;
}

MaeStatus mae_ckpt_open(MaeCkptReader **r, const char *path, MaeError *err)
{
    MaeCkptReader *made;
    MaeStatus status;
    int fd;

    MAE_TRY(open_verified(path, &fd, err));
    made = calloc(1, sizeof *made);
    if (made == NULL) {
        (void)close(fd);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    }
    status = mae_h5in_open_fd(&made->in, fd, path, err);
    if (status == MAE_OK)
        status = mae_h5in_list(made->in, MAE_H5_F32, &made->list, &made->count, err);
    if (status != MAE_OK) {
        mae_ckpt_close(made);
        return status;
    }
    *r = made;
    return MAE_OK;
}

void mae_ckpt_close(MaeCkptReader *r)
{
    if (r == NULL)
        return;
    mae_h5in_close(r->in);
    free(r->list);
    free(r);
}

const char *mae_ckpt_path(const MaeCkptReader *r)
{
    return mae_h5in_path(r->in);
}

bool mae_ckpt_has(const MaeCkptReader *r, const char *name)
{
    return mae_h5in_has_attr(r->in, name);
}

MaeStatus mae_ckpt_get_text(const MaeCkptReader *r, const char *name, char **text,
                            MaeError *err)
{
    return mae_h5in_text(r->in, name, text, err);
}

MaeStatus mae_ckpt_get_int(const MaeCkptReader *r, const char *name, int64_t *value,
                           MaeError *err)
{
    return mae_h5in_int(r->in, name, value, err);
}

MaeStatus mae_ckpt_get_real(const MaeCkptReader *r, const char *name, double *value,
                            MaeError *err)
{
    return mae_h5in_real(r->in, name, value, err);
}

MaeStatus mae_ckpt_get_reals(const MaeCkptReader *r, const char *name, double **values,
                             size_t *n, MaeError *err)
{
    return mae_h5in_reals(r->in, name, values, n, err);
}

MaeStatus mae_ckpt_get_texts(const MaeCkptReader *r, const char *name, char ***texts,
                             size_t *n, MaeError *err)
{
    return mae_h5in_texts(r->in, name, texts, n, err);
}

/** First tensor whose name is not before "<group><mark>". */
static size_t bound(const MaeCkptReader *r, const char *group, char mark)
{
    const size_t length = strlen(group);
    size_t low = 0, high = r->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *name = r->list[middle].name;
        const int order = strncmp(name, group, length);

        if (order < 0 || (order == 0 && (unsigned char)name[length] < mark))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/** The tensors of a group are neighbours in the sorted list: [first, first + count). */
static size_t range(const MaeCkptReader *r, const char *group, size_t *first)
{
    *first = group[0] == '\0' ? 0 : bound(r, group, '/');
    return (group[0] == '\0' ? r->count : bound(r, group, '/' + 1)) - *first;
}

size_t mae_ckpt_tensor_count(const MaeCkptReader *r, const char *group)
{
    size_t first;

    return range(r, group, &first);
}

void mae_ckpt_tensor(const MaeCkptReader *r, const char *group, size_t index,
                     MaeTensorInfo *info)
{
    size_t first;
    const size_t count = range(r, group, &first);

    assert(index < count);
    (void)count;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): there is a tensor in the list */
    *info = r->list[first + index];
    info->name += group[0] == '\0' ? 0 : strlen(group) + 1;
}

MaeStatus mae_ckpt_get_tensor(const MaeCkptReader *r, const char *name, float *dst,
                              const size_t *shape, size_t ndim, MaeError *err)
{
    return mae_h5in_floats(r->in, name, dst, shape, ndim, err);
}

MaeStatus mae_ckpt_match_table(const MaeCkptReader *r, const char *group,
                               const MaeParamTable *table, MaeError *err)
{
    const size_t count = mae_ckpt_tensor_count(r, group);
    MaeTensorInfo *found = malloc((count + 1) * sizeof *found);
    char where[512];
    MaeStatus status;

    (void)snprintf(where, sizeof where, "%s: %s", mae_ckpt_path(r), group);
    if (found == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", where);
    for (size_t i = 0; i < count; i++)
        mae_ckpt_tensor(r, group, i, &found[i]);
    status = mae_tensor_match(where, table, found, count, err);
    free(found);
    return status;
}

MaeStatus mae_ckpt_get_table(const MaeCkptReader *r, const char *group,
                             const MaeParamTable *table, float *flat, MaeError *err)
{
    MAE_TRY(mae_ckpt_match_table(r, group, table, err));
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];
        char name[NAME_BYTES];

        (void)snprintf(name, sizeof name, "%s/%s", group, entry->name);
        MAE_TRY(mae_ckpt_get_tensor(r, name, flat + entry->at.off, entry->shape,
                                    entry->ndim, err));
    }
    return MAE_OK;
}
