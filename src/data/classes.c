/* Part of dataset.h: classes of data sets and models, compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"

enum { LISTED = 3, LIST = 140 };

MaeClasses mae_dataset_classes(const MaeDataset *ds, const char *what, const char *path)
{
    return (MaeClasses){
        .what = what, .path = path, .count = mae_dataset_info(ds)->classes, .ds = ds};
}

const char *mae_classes_name(const MaeClasses *classes, size_t i)
{
    return classes->names != NULL ? classes->names[i]
           : classes->ds != NULL  ? mae_dataset_class(classes->ds, i)
                                  : NULL;
}

static bool named(const MaeClasses *classes)
{
    return classes->names != NULL || classes->ds != NULL;
}

/* First class that is not the same in both; the smaller count if there is none. */
static size_t first_difference(const MaeClasses *a, const MaeClasses *b)
{
    const size_t both = a->count < b->count ? a->count : b->count;
    size_t i = 0;

    if (!named(a) || !named(b))
        return both;
    while (i < both && strcmp(mae_classes_name(a, i), mae_classes_name(b, i)) == 0)
        i++;
    return i;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* malloc'ed, in byte order; NULL if memory is short. */
static const char **sorted(const MaeClasses *classes)
{
    const char **names = malloc((classes->count + 1) * sizeof *names);

    for (size_t i = 0; names != NULL && i < classes->count; i++)
        names[i] = mae_classes_name(classes, i);
    if (names != NULL)
        qsort(names, classes->count, sizeof *names, by_name);
    return names;
}

/*
 * Write which of @p a [na] are not in @p b [nb], both in order: ': "cat", "dog" and 3
 * more'. @return how many.
 */
static size_t list_missing(char text[LIST], const char **a, size_t na, const char **b,
                           size_t nb)
{
    size_t missing = 0, used = 0;

    text[0] = '\0';
    for (size_t i = 0, j = 0; i < na; i++) {
        int order = 1;

        while (j < nb && (order = strcmp(b[j], a[i])) < 0)
            j++;
        if (j < nb && order == 0) {
            j++;
            continue;
        }
        if (missing < LISTED)
            used += (size_t)snprintf(text + used, LIST - used, "%s \"%.30s\"",
                                     missing == 0 ? ":" : ",", a[i]);
        missing++;
    }
    if (missing > LISTED)
        (void)snprintf(text + used, LIST - used, " and %zu more", missing - LISTED);
    return missing;
}

/* What both are called and how many they have. */
static void head(char *text, size_t size, const MaeClasses *a, const MaeClasses *b)
{
    (void)snprintf(text, size, "classes differ: %s %.60s has %zu, %s %.60s has %zu",
                   a->what, a->path, a->count, b->what, b->path, b->count);
}

static MaeStatus differ(const MaeClasses *a, const MaeClasses *b, size_t first,
                        const char **in_a, const char **in_b, MaeError *err)
{
    char text[240], only_a[LIST], only_b[LIST];
    size_t na, nb;

    head(text, sizeof text, a, b);
    if (in_a == NULL || in_b == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s; out of memory to compare the names", text);
    na = list_missing(only_a, in_a, a->count, in_b, b->count);
    nb = list_missing(only_b, in_b, b->count, in_a, a->count);
    if (na + nb == 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s, in another order: class %zu is \"%.60s\" in the first and "
                 "\"%.60s\" in the second",
                 text, first, mae_classes_name(a, first), mae_classes_name(b, first));
    MAE_FAIL(err, MAE_ERR_ARG, "%s; %zu only in the first%s; %zu only in the second%s",
             text, na, only_a, nb, only_b);
}

MaeStatus mae_classes_expect_same(const MaeClasses *a, const MaeClasses *b, MaeError *err)
{
    const size_t first = first_difference(a, b);
    const char **in_a, **in_b;
    char text[240];
    MaeStatus status;

    if (first == a->count && first == b->count)
        return MAE_OK;
    if (!named(a) || !named(b)) {
        head(text, sizeof text, a, b);
        MAE_FAIL(err, MAE_ERR_ARG, "%s", text);
    }
    in_a = sorted(a);
    in_b = sorted(b);
    status = differ(a, b, first, in_a, in_b, err);
    free(in_a);
    free(in_b);
    return status;
}
