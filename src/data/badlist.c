#include "data/badlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED 5 /* files a message lists */

MaeStatus mae_badlist_open(MaeBadList *list, size_t samples, MaeError *err)
{
    *list = (MaeBadList){
        .entries = calloc(MAE_BAD_KEPT, sizeof *list->entries),
        .seen = calloc(samples / 8 + 1, 1),
        .samples = samples,
    };
    if (list->entries == NULL || list->seen == NULL) {
        mae_badlist_close(list);
        MAE_FAIL(err, MAE_ERR_NOMEM, "list of bad images: out of memory");
    }
    return MAE_OK;
}

void mae_badlist_close(MaeBadList *list)
{
    free(list->entries);
    free(list->seen);
    *list = (MaeBadList){0};
}

bool mae_badlist_add(MaeBadList *list, size_t sample, MaeStatus status, const char *name,
                     const char *reason)
{
    unsigned char *seen = &list->seen[sample / 8];
    const unsigned char bit = (unsigned char)(1u << sample % 8);

    if ((*seen & bit) != 0)
        return false;
    *seen |= bit;
    list->count++;
    list->by_status[status]++;
    if (list->kept < MAE_BAD_KEPT) {
        MaeBadEntry *entry = &list->entries[list->kept++];

        entry->sample = sample;
        entry->status = status;
        snprintf(entry->name, sizeof entry->name, "%s", name);
        snprintf(entry->reason, sizeof entry->reason, "%s", reason);
    }
    return true;
}

MaeStatus mae_badlist_check(const MaeBadList *list, size_t total, double max_fraction,
                            MaeError *err)
{
    char text[400] = "";
    size_t used = 0;

    if ((double)list->count <= max_fraction * (double)total)
        return MAE_OK;
    for (int s = 0; s < MAE_BAD_REASONS; s++) {
        if (list->by_status[s] > 0 && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %zu",
                                     used == 0 ? "" : ", ", mae_status_name((MaeStatus)s),
                                     list->by_status[s]);
    }
    for (size_t i = 0; i < list->kept && i < NAMED && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s (%s)",
                                 i == 0 ? "; " : ", ", list->entries[i].name,
                                 list->entries[i].reason);
    MAE_FAIL(err, MAE_ERR_FORMAT, "%zu of %zu images are bad, limit %.4g %%: %s",
             list->count, total, 100.0 * max_fraction, text);
}
