#include "data/joined.h"

#include <stdlib.h>
#include <string.h>

#include "data/driver.h"

typedef struct Joined {
    MaeDataset *first, *second; /* owned once both are set */
    size_t begin;               /* of the second's samples: the first's count */
    size_t *samples;
} Joined;

/* What is joined. */
typedef struct Parts {
    MaeDataset *first, *second;
    const MaeChosen *chosen;
} Parts;

static MaeStatus copy_samples(Joined *joined, MaeDatasetContent *content,
                              const Parts *parts, MaeError *err)
{
    const MaeChosen *chosen = parts->chosen;
    const size_t begin = joined->begin, count = chosen->count;

    content->labels = malloc((begin + count) * sizeof *content->labels);
    joined->samples = malloc((count + 1) * sizeof *joined->samples);
    if (content->labels == NULL || joined->samples == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "joined data set: out of memory for %zu samples",
                 begin + count);
    for (size_t i = 0; i < begin; i++)
        content->labels[i] = mae_dataset_label(parts->first, i);
    if (count > 0) {
        memcpy(content->labels + begin, chosen->labels, count * sizeof *chosen->labels);
        memcpy(joined->samples, chosen->samples, count * sizeof *chosen->samples);
    }
    return MAE_OK;
}

static MaeStatus copy_classes(MaeDatasetContent *content, const MaeDataset *first,
                              MaeError *err)
{
    const size_t classes = mae_dataset_info(first)->classes;

    content->classes = calloc(classes + 1, sizeof *content->classes);
    content->info.classes = content->classes != NULL ? classes : 0;
    for (size_t i = 0; i < content->info.classes; i++) {
        content->classes[i] = strdup(mae_dataset_class(first, i));
        if (content->classes[i] == NULL)
            content->info.classes = i;
    }
    if (content->info.classes < classes)
        MAE_FAIL(err, MAE_ERR_NOMEM, "joined data set: out of memory for class names");
    return MAE_OK;
}

static MaeStatus open_joined(void *ctx, MaeDatasetContent *content,
                             const MaeDatasetPath *path, const MaeDatasetOptions *opt,
                             MaeError *err)
{
    const Parts *parts = path->given;
    const MaeDatasetInfo *a = mae_dataset_info(parts->first),
                         *b = mae_dataset_info(parts->second);
    const bool alike = a->height == b->height && a->width == b->width;
    MaeDatasetInfo *info = &content->info;
    Joined *joined = ctx;

    (void)opt;
    if (!a->labelled || a->channels != b->channels)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "joined data set: expected labels and %zu channels, found %s and %zu",
                 b->channels, a->labelled ? "labels" : "none", a->channels);
    info->count = a->count + parts->chosen->count;
    info->channels = a->channels;
    info->height = alike ? a->height : 0;
    info->width = alike ? a->width : 0;
    info->serial = a->serial || b->serial;
    info->encoded = a->encoded && b->encoded;
    joined->begin = a->count;
    MAE_TRY(copy_samples(joined, content, parts, err));
    MAE_TRY(copy_classes(content, parts->first, err));
    joined->first = parts->first;
    joined->second = parts->second;
    return MAE_OK;
}

static const MaeDataset *part(const void *ctx, size_t *index)
{
    const Joined *joined = ctx;

    if (*index < joined->begin)
        return joined->first;
    *index = joined->samples[*index - joined->begin];
    return joined->second;
}

static void close_joined(void *ctx)
{
    Joined *joined = ctx;

    mae_dataset_close(joined->first);
    mae_dataset_close(joined->second);
    free(joined->samples);
    *joined = (Joined){0};
}

static const MaeDatasetDriver driver = {
    .name = "joined",
    .ctx_size = sizeof(Joined),
    .open = open_joined,
    .part = part,
    .close = close_joined,
};

MaeStatus mae_dataset_join(MaeDataset **ds, MaeDataset *first, MaeDataset *second,
                           const MaeChosen *chosen, MaeError *err)
{
    const Parts parts = {first, second, chosen};

    return mae_dataset_open_given(ds, &driver, "joined", &parts, NULL, err);
}
