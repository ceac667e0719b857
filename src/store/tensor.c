#include "store/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 3 /* shown per kind */

bool mae_tensor_count(size_t *count, const size_t *shape, size_t ndim, size_t max)
{
    size_t product = 1;

    *count = 0;
    for (size_t i = 0; i < ndim; i++) {
        if (shape[i] == 0)
            return true;
    }
    for (size_t i = 0; i < ndim; i++) {
        if (shape[i] > max / product)
            return false;
        product *= shape[i];
    }
    *count = product;
    return product <= max;
}

static bool same_shape(const MaeTensorInfo *info, const size_t *shape, size_t ndim)
{
    for (size_t i = 0; i < ndim && i < info->ndim; i++) {
        if (info->shape[i] != shape[i])
            return false;
    }
    return info->ndim == ndim;
}

MaeStatus mae_tensor_expect(const char *where, const MaeTensorInfo *found,
                            const size_t *shape, size_t ndim, MaeError *err)
{
    char want[128], got[128];

    if (same_shape(found, shape, ndim))
        return MAE_OK;
    mae_param_shape_text(want, sizeof want, shape, ndim);
    mae_param_shape_text(got, sizeof got, found->shape, found->ndim);
    MAE_FAIL(err, MAE_ERR_SHAPE, "%s: %s: expected %s, got %s", where, found->name, want,
             got);
}

/** One kind of difference: how many, and the first few in words. */
typedef struct Kind {
    size_t count;
    char text[160];
} Kind;

/** Add to the end of the text; what does not fit is left out. */
static void append(Kind *kind, const char *text)
{
    const size_t at = strlen(kind->text), room = sizeof kind->text - 1 - at;
    const size_t length = strlen(text);

    memcpy(kind->text + at, text, length < room ? length : room);
}

static void note(Kind *kind, const char *name, const char *detail)
{
    if (kind->count <= NAMES && kind->count > 0)
        append(kind, ", ");
    if (kind->count < NAMES) {
        append(kind, name);
        append(kind, detail);
    } else if (kind->count == NAMES) {
        append(kind, "...");
    }
    kind->count++;
}

static int by_name(const void *a, const void *b)
{
    const MaeTensorInfo *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static const MaeTensorInfo *find(const MaeTensorInfo *const *sorted, size_t count,
                                 const char *name)
{
    const MaeTensorInfo key = {.name = name}, *const key_at = &key;
    const MaeTensorInfo *const *hit =
        count == 0 ? NULL
                   : bsearch(&key_at, sorted, count, sizeof(MaeTensorInfo *), by_name);

    return hit == NULL ? NULL : *hit;
}

static void compare(Kind *missing, Kind *mismatched, const MaeParamTable *table,
                    const MaeTensorInfo *const *sorted, size_t count)
{
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];
        const MaeTensorInfo *found = find(sorted, count, entry->name);
        char want[64], got[64], detail[160];

        if (found == NULL) {
            note(missing, entry->name, "");
        } else if (!same_shape(found, entry->shape, entry->ndim)) {
            mae_param_shape_text(want, sizeof want, entry->shape, entry->ndim);
            mae_param_shape_text(got, sizeof got, found->shape, found->ndim);
            (void)snprintf(detail, sizeof detail, ": expected %s, got %s", want, got);
            note(mismatched, entry->name, detail);
        }
    }
}

MaeStatus mae_tensor_match(const char *where, const MaeParamTable *table,
                           const MaeTensorInfo *found, size_t count, MaeError *err)
{
    const MaeTensorInfo **sorted = malloc((count + 1) * sizeof *sorted);
    Kind missing = {0}, unexpected = {0}, mismatched = {0};

    if (sorted == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory (%zu tensors)", where, count);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &found[i];
        if (mae_param_find(table, found[i].name) == NULL)
            note(&unexpected, found[i].name, "");
    }
    qsort(sorted, count, sizeof *sorted, by_name);
    compare(&missing, &mismatched, table, sorted, count);
    free(sorted);
    if (missing.count + unexpected.count + mismatched.count == 0)
        return MAE_OK;
    MAE_FAIL(err, MAE_ERR_SHAPE,
             "%s: %zu missing%s%s%s, %zu unexpected%s%s%s, %zu mismatched%s%s%s", where,
             missing.count, missing.count ? " (" : "", missing.text,
             missing.count ? ")" : "", unexpected.count, unexpected.count ? " (" : "",
             unexpected.text, unexpected.count ? ")" : "", mismatched.count,
             mismatched.count ? " (" : "", mismatched.text, mismatched.count ? ")" : "");
}
