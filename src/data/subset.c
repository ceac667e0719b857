#include "data/subset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* Samples grouped by class: class c has members[begin[c]] .. members[begin[c+1] - 1]. */
typedef struct Groups {
    size_t *members; /* [count] */
    size_t *begin;   /* [classes + 1] */
    size_t *order;   /* [count] scratch for a permutation */
} Groups;

static void groups_done(Groups *groups)
{
    free(groups->members);
    free(groups->begin);
    free(groups->order);
}

/* Counting sort of samples 0 .. count-1 by class. */
static MaeStatus groups_open(Groups *groups, const MaeDataset *ds, size_t count,
                             MaeError *err)
{
    const size_t classes = mae_dataset_info(ds)->classes;

    groups->members = malloc(count * sizeof *groups->members);
    groups->order = malloc(count * sizeof *groups->order);
    groups->begin = calloc(classes + 2, sizeof *groups->begin);
    if (groups->members == NULL || groups->order == NULL || groups->begin == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "subset: out of memory for %zu samples", count);
    for (size_t i = 0; i < count; i++)
        groups->begin[mae_dataset_label(ds, i) + 2]++;
    for (size_t c = 0; c < classes; c++)
        groups->begin[c + 2] += groups->begin[c + 1];
    for (size_t i = 0; i < count; i++)
        groups->members[groups->begin[mae_dataset_label(ds, i) + 1]++] = i;
    return MAE_OK;
}

static int by_value(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

/* How many of a class of @p have samples take part. */
static size_t share(const MaeSubset *subset, size_t have)
{
    size_t take;

    if (subset->labels_per_class > 0)
        return subset->labels_per_class;
    take = (size_t)floor(subset->label_fraction * (double)have + 0.5);
    return have > 0 && take == 0 ? 1 : take;
}

static MaeStatus draw(size_t *indices, size_t *count, Groups *groups,
                      const MaeDataset *ds, const MaeSubset *subset, MaeError *err)
{
    *count = 0;
    for (size_t c = 0; c < mae_dataset_info(ds)->classes; c++) {
        const size_t *members = groups->members + groups->begin[c];
        const size_t have = groups->begin[c + 1] - groups->begin[c];
        const size_t take = share(subset, have);
        MaeRng rng;

        if (take > have)
            MAE_FAIL(err, MAE_ERR_ARG,
                     "subset: labels_per_class %zu, but class '%s' has only %zu samples",
                     take, mae_dataset_class(ds, c), have);
        mae_rng_init(&rng, subset->seed, 0, c, MAE_RNG_SUBSET);
        mae_rng_permute(&rng, groups->order, have);
        for (size_t i = 0; i < take; i++)
            indices[(*count)++] = members[groups->order[i]];
    }
    qsort(indices, *count, sizeof *indices, by_value);
    return MAE_OK;
}

static MaeStatus check(const MaeDataset *ds, const MaeSubset *subset, MaeError *err)
{
    if (!(subset->label_fraction >= 0.0 && subset->label_fraction <= 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "subset: label_fraction %g, expected 0 to 1",
                 subset->label_fraction);
    if (subset->label_fraction > 0.0 && subset->labels_per_class > 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "subset: label_fraction and labels_per_class exclude each other");
    if ((subset->label_fraction > 0.0 || subset->labels_per_class > 0) &&
        !mae_dataset_info(ds)->labelled)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "subset: label_fraction and labels_per_class need a dataset with labels");
    return MAE_OK;
}

MaeStatus mae_subset_select(size_t **out, size_t *out_count, const MaeDataset *ds,
                            const MaeSubset *subset, MaeError *err)
{
    size_t count = mae_dataset_info(ds)->count;
    Groups groups = {0};
    size_t *indices;
    MaeStatus status = MAE_OK;

    MAE_TRY(check(ds, subset, err));
    if (subset->first_n > 0 && subset->first_n < count)
        count = subset->first_n;
    indices = malloc(count * sizeof *indices);
    if (indices == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "subset: out of memory for %zu samples", count);
    if (subset->label_fraction > 0.0 || subset->labels_per_class > 0) {
        status = groups_open(&groups, ds, count, err);
        if (status == MAE_OK)
            status = draw(indices, &count, &groups, ds, subset, err);
        groups_done(&groups);
    } else {
        for (size_t i = 0; i < count; i++)
            indices[i] = i;
    }
    if (status != MAE_OK) {
        free(indices);
        return status;
    }
    *out = indices;
    *out_count = count;
    return MAE_OK;
}

MaeStatus mae_subset_draw(size_t **indices, size_t *count, size_t total, uint64_t seed,
                          MaeError *err)
{
    size_t *order = malloc(total * sizeof *order);
    MaeRng rng;

    if (order == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "subset: out of memory for %zu samples", total);
    mae_rng_init(&rng, seed, 0, 0, MAE_RNG_LOOK);
    mae_rng_permute(&rng, order, total);
    *count = *count < total ? *count : total;
    qsort(order, *count, sizeof *order, by_value);
    *indices = order;
    return MAE_OK;
}
