#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "store/bytes.h"
#include "store/output.h"
#include "store/safetensors.h"

#define BLOCK ((size_t)16384) /* elements encoded at a time */

static int by_name(const void *a, const void *b)
{
    const MaeSafetensorsItem *const *x = a, *const *y = b;

    return strcmp((*x)->info.name, (*y)->info.name);
}

static MaeStatus check_names(const char *path, const MaeSafetensorsItem *const *items,
                             size_t count, MaeError *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = items[i]->info.name;

        if (name[0] == '\0' || strcmp(name, "__metadata__") == 0)
            MAE_FAIL(err, MAE_ERR_ARG, "%s: \"%s\" cannot name a tensor", path, name);
        if (i > 0 && strcmp(items[i - 1]->info.name, name) == 0)
            MAE_FAIL(err, MAE_ERR_ARG, "%s: %s: given twice", path, name);
    }
    return MAE_OK;
}

/** Header entry of a tensor whose data begin at @p begin; NULL when memory is short. */
static json_t *describe(const MaeTensorInfo *info, uint64_t begin, uint64_t *end)
{
    json_t *shape = json_array();
    uint64_t bytes = sizeof(float);

    for (size_t i = 0; i < info->ndim; i++) {
        bytes *= info->shape[i];
        (void)json_array_append_new(shape, json_integer((json_int_t)info->shape[i]));
    }
    *end = begin + bytes;
    return json_pack("{s:s,s:o,s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)*end);
}

/** The JSON, padded. @return malloc'ed, or NULL. */
static char *make_header(const MaeSafetensorsItem *const *items, size_t count,
                         size_t *length)
{
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    uint64_t at = 0;
    char *text = NULL, *padded = NULL;
    bool ok = header != NULL;

    for (size_t i = 0; i < count && ok; i++)
        ok = json_object_set_new(header, items[i]->info.name,
                                 describe(&items[i]->info, at, &at)) == 0;
    if (ok)
        text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (text == NULL)
        return NULL;
    *length = (strlen(text) + 7) / 8 * 8;
    padded = malloc(*length);
    if (padded != NULL) {
        memset(padded, ' ', *length);
        memcpy(padded, text, strlen(text));
    }
    free(text);
    return padded;
}

static void write_floats(MaeOutput *out, const float *data, size_t count)
{
    unsigned char block[BLOCK * 4];

    for (size_t at = 0; at < count; at += BLOCK) {
        const size_t n = count - at < BLOCK ? count - at : BLOCK;

        for (size_t i = 0; i < n; i++) {
            uint32_t bits;

            memcpy(&bits, &data[at + i], sizeof bits);
            mae_put_u32(block + 4 * i, bits);
        }
        mae_output_append(out, block, 4 * n);
    }
}

static MaeStatus write_sorted(const char *path, const MaeSafetensorsItem *const *items,
                              size_t count, MaeError *err)
{
    unsigned char prefix[8];
    size_t length, elements;
    MaeOutput out;
    char *header;
    MaeStatus status;

    MAE_TRY(check_names(path, items, count, err));
    header = make_header(items, count, &length);
    if (header == NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: out of memory, or a tensor's name is no UTF-8",
                 path);
    status = mae_output_open(&out, path, NULL, err);
    if (status == MAE_OK) {
        mae_put_u64(prefix, length);
        mae_output_append(&out, prefix, sizeof prefix);
        mae_output_append(&out, header, length);
        for (size_t i = 0; i < count; i++) {
            (void)mae_tensor_count(&elements, items[i]->info.shape, items[i]->info.ndim,
                                   SIZE_MAX);
            write_floats(&out, items[i]->data, elements);
        }
        status = mae_output_commit(&out, err);
    }
    free(header);
    return status;
}

MaeStatus mae_safetensors_write(const char *path, const MaeSafetensorsItem *items,
                                size_t count, MaeError *err)
{
    const MaeSafetensorsItem **sorted = malloc((count + 1) * sizeof *sorted);
    MaeStatus status;

    if (sorted == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &items[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    status = write_sorted(path, sorted, count, err);
    free(sorted);
    return status;
}
