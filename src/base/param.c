#include "base/param.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAD 16 /* elements: keeps every tensor on a 64-byte boundary */

static MaeParamEntry *grow(MaeParamTable *table)
{
    if (table->count == table->capacity) {
        const size_t capacity = table->capacity > 0 ? 2 * table->capacity : 64;
        MaeParamEntry *entries = realloc(table->entries, capacity * sizeof *entries);

        if (entries == NULL)
            return NULL;
        table->entries = entries;
        table->capacity = capacity;
    }
    return &table->entries[table->count];
}

MaeParam mae_param_add_shape(MaeParamTable *table, const char *scope, const char *name,
                             size_t ndim, const size_t *shape, unsigned flags)
{
    MaeParamEntry *entry = table->failed ? NULL : grow(table);
    size_t count = 1, padded;
    int length;

    assert(ndim >= 1 && ndim <= MAE_PARAM_DIMS);
    if (entry == NULL) {
        table->failed = true;
        return (MaeParam){0};
    }
    *entry = (MaeParamEntry){.ndim = ndim, .flags = flags};
    length = snprintf(entry->name, sizeof entry->name, "%s%s%s", scope,
                      scope[0] != '\0' ? "." : "", name);
    for (size_t i = 0; i < ndim; i++) {
        entry->shape[i] = shape[i];
        if (shape[i] == 0 || count > SIZE_MAX / 64 / shape[i])
            table->failed = true;
        else
            count *= shape[i];
    }
    if (length < 0 || (size_t)length >= sizeof entry->name ||
        count > SIZE_MAX / 64 - table->total)
        table->failed = true;
    if (table->failed)
        return (MaeParam){0};
    padded = (count + PAD - 1) / PAD * PAD;
    entry->at = (MaeParam){.off = table->total, .sum = table->sum_total, .count = count};
    table->total += padded;
    if (flags & MAE_PARAM_ROWSUM)
        table->sum_total += padded;
    table->count++;
    return entry->at;
}

MaeParam mae_param_add(MaeParamTable *table, const char *scope, const char *name,
                       size_t n, unsigned flags)
{
    return mae_param_add_shape(table, scope, name, 1, &n, flags | MAE_PARAM_ROWSUM);
}

const MaeParamEntry *mae_param_find(const MaeParamTable *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->entries[i].name, name) == 0)
            return &table->entries[i];
    }
    return NULL;
}

void mae_param_fix_before(MaeParamTable *table, MaeParam first)
{
    for (size_t i = 0; i < table->count && table->entries[i].at.off < first.off; i++)
        table->entries[i].flags |= MAE_PARAM_FIXED;
}

size_t mae_param_sum_first(const MaeParamTable *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];

        if ((entry->flags & MAE_PARAM_ROWSUM) && !(entry->flags & MAE_PARAM_FIXED))
            return entry->at.sum;
    }
    return table->sum_total;
}

size_t mae_param_elements(const MaeParamTable *table)
{
    size_t sum = 0;

    for (size_t i = 0; i < table->count; i++)
        sum += table->entries[i].at.count;
    return sum;
}

size_t mae_param_trainable(const MaeParamTable *table)
{
    size_t sum = 0;

    for (size_t i = 0; i < table->count; i++) {
        if (!(table->entries[i].flags & MAE_PARAM_FIXED))
            sum += table->entries[i].at.count;
    }
    return sum;
}

void mae_param_shape_text(char *text, size_t size, const size_t *shape, size_t ndim)
{
    size_t at = 0;

    assert(size >= 2);
    text[0] = '\0';
    for (size_t i = 0; i < ndim && at < size; i++)
        at +=
            (size_t)snprintf(text + at, size - at, "%c%zu", i == 0 ? '[' : ',', shape[i]);
    if (at < size)
        (void)snprintf(text + at, size - at, ndim == 0 ? "[]" : "]");
}

MaeParamElement mae_param_beyond(const MaeParamTable *table, MaeParamSpan span,
                                 const float *flat, float limit)
{
    for (size_t p = 0; p < table->count; p++) {
        const MaeParamEntry *entry = &table->entries[p];
        const float *values = flat + entry->at.off;
        const bool constant = (entry->flags & MAE_PARAM_FIXED) != 0 &&
                              (entry->flags & MAE_PARAM_TRACKED) == 0;

        if (constant && span == MAE_PARAM_CHANGED)
            continue;
        for (size_t i = 0; i < entry->at.count; i++) {
            if (!(fabsf(values[i]) <= limit))
                return (MaeParamElement){entry->name, i, (double)values[i]};
        }
    }
    return (MaeParamElement){0};
}

MaeStatus mae_param_check(const MaeParamTable *table, MaeError *err)
{
    if (table->failed)
        MAE_FAIL(err, MAE_ERR_NOMEM, "parameter table: out of memory or sizes overflow");
    return MAE_OK;
}

void mae_param_close(MaeParamTable *table)
{
    if (table == NULL)
        return;
    free(table->entries);
    *table = (MaeParamTable){0};
}
