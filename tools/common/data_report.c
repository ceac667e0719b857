#include "common/data_report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

enum { LABEL = 14, CLASSES_SHOWN = 20 };

static void label(FILE *out, const char *name)
{
    (void)fprintf(out, "%-*s", LABEL, name);
}

/* A text from outside, cut to fit a line. */
static void put(FILE *out, const char *text)
{
    char line[1024];

    (void)snprintf(line, sizeof line, "%s", text);
    mae_text_tame(line);
    (void)fputs(line, out);
}

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* @param sides [n], sorted here. */
static DataRange range(uint32_t *sides, size_t n)
{
    qsort(sides, n, sizeof *sides, by_size);
    return (DataRange){sides[0], sides[n / 2], sides[n - 1]};
}

static MaeStatus find_ranges(DataStats *stats, MaeError *err)
{
    const MaeSurvey *survey = &stats->survey;
    uint32_t *sides = malloc(survey->count * sizeof *sides);

    if (sides == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for %zu images", survey->count);
    for (int pass = 0; pass < 2; pass++) {
        size_t n = 0;

        for (size_t i = 0; i < survey->count; i++) {
            const MaeSurveyItem *item = &survey->items[i];

            if (item->status == MAE_OK)
                sides[n++] = pass == 0 ? item->height : item->width;
        }
        *(pass == 0 ? &stats->height : &stats->width) = range(sides, n);
    }
    free(sides);
    return MAE_OK;
}

MaeStatus data_stats_open(DataStats *stats, MaeError *err)
{
    const MaeDatasetInfo *info = mae_dataset_info(stats->ds);
    const MaeSurvey *survey = &stats->survey;

    if (survey->bad == survey->count)
        MAE_FAIL(err, MAE_ERR_FORMAT, "none of %zu images can be read, the first: %s",
                 survey->count, survey->items[0].reason);
    MAE_TRY(find_ranges(stats, err));
    stats->mean = calloc(2 * info->channels, sizeof *stats->mean);
    if (info->labelled)
        stats->per_class = calloc(info->classes, sizeof *stats->per_class);
    if (stats->mean == NULL || (info->labelled && stats->per_class == NULL))
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for %zu classes", info->classes);
    stats->std = stats->mean + info->channels;
    for (size_t i = 0; info->labelled && i < info->count; i++)
        stats->per_class[mae_dataset_label(stats->ds, i)]++;
    return MAE_OK;
}

void data_stats_done(DataStats *stats)
{
    mae_survey_done(&stats->survey);
    free(stats->per_class);
    free(stats->mean);
    *stats = (DataStats){.ds = NULL};
}

static void lengths(FILE *out, const char *name, const DataRange *range)
{
    label(out, name);
    if (range->min == range->max)
        (void)fprintf(out, "%u pixels\n", range->min);
    else
        (void)fprintf(out, "%u to %u pixels, median %u\n", range->min, range->max,
                      range->median);
}

static void numbers(FILE *out, const char *name, const float *values, size_t count)
{
    label(out, name);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "%s%.6g", i > 0 ? ", " : "", (double)values[i]);
    (void)fputc('\n', out);
}

static void classes(FILE *out, const DataStats *stats)
{
    const size_t count = mae_dataset_info(stats->ds)->classes;

    if (stats->per_class == NULL)
        return;
    label(out, "classes");
    (void)fprintf(out, "%zu: ", count);
    for (size_t i = 0; i < count && i < CLASSES_SHOWN; i++) {
        (void)fputs(i > 0 ? ", " : "", out);
        put(out, mae_dataset_class(stats->ds, i));
        (void)fprintf(out, " (%zu)", stats->per_class[i]);
    }
    if (count > CLASSES_SHOWN)
        (void)fprintf(out, " and %d more", (int)(count - CLASSES_SHOWN));
    (void)fputc('\n', out);
}

void data_report_stats(FILE *out, const char *path, const DataStats *stats)
{
    const MaeDatasetInfo *info = mae_dataset_info(stats->ds);

    label(out, "data set");
    put(out, path);
    (void)fprintf(out, " (%s)\n", info->kind);
    label(out, "images");
    (void)fprintf(out, "%zu", info->count);
    if (stats->survey.bad > 0)
        (void)fprintf(out, ", %zu of them bad", stats->survey.bad);
    (void)fputc('\n', out);
    lengths(out, "height", &stats->height);
    lengths(out, "width", &stats->width);
    label(out, "channels");
    (void)fprintf(out, "%zu\n", info->channels);
    classes(out, stats);
    numbers(out, "mean", stats->mean, info->channels);
    numbers(out, "std", stats->std, info->channels);
    label(out, "measured on");
    (void)fprintf(out, "%zu images\n", stats->measured);
}

static MaeJson *range_json(const DataRange *range)
{
    MaeJson *json = mae_json_object();

    mae_json_set_int(json, "min", range->min);
    mae_json_set_int(json, "median", range->median);
    mae_json_set_int(json, "max", range->max);
    return json;
}

static MaeJson *numbers_json(const float *values, size_t count)
{
    MaeJson *json = mae_json_array();

    for (size_t i = 0; i < count; i++)
        mae_json_append(json, mae_json_real((double)values[i]));
    return json;
}

static MaeJson *classes_json(const DataStats *stats)
{
    MaeJson *json = mae_json_array();
    const size_t count = mae_dataset_info(stats->ds)->classes;

    for (size_t i = 0; stats->per_class != NULL && i < count; i++) {
        MaeJson *item = mae_json_object();

        mae_json_set_text(item, "name", mae_dataset_class(stats->ds, i));
        mae_json_set_int(item, "images", (int64_t)stats->per_class[i]);
        mae_json_append(json, item);
    }
    return json;
}

MaeJson *data_report_stats_json(const char *path, const DataStats *stats)
{
    const MaeDatasetInfo *info = mae_dataset_info(stats->ds);
    MaeJson *json = mae_json_object();

    mae_json_set_text(json, "dataset", path);
    mae_json_set_text(json, "kind", info->kind);
    mae_json_set_int(json, "images", (int64_t)info->count);
    mae_json_set_int(json, "bad", (int64_t)stats->survey.bad);
    mae_json_set(json, "height", range_json(&stats->height));
    mae_json_set(json, "width", range_json(&stats->width));
    mae_json_set_int(json, "channels", (int64_t)info->channels);
    mae_json_set(json, "classes", classes_json(stats));
    mae_json_set(json, "mean", numbers_json(stats->mean, info->channels));
    mae_json_set(json, "std", numbers_json(stats->std, info->channels));
    mae_json_set_int(json, "measured", (int64_t)stats->measured);
    return json;
}

void data_report_check(FILE *out, const MaeDataset *ds, const MaeSurvey *survey)
{
    MaeSurveyKind kinds[MAE_SURVEY_KINDS + 1];
    const size_t count = mae_survey_kinds(survey, kinds);

    for (size_t i = 0; i < survey->count; i++) {
        char name[512];

        if (survey->items[i].status == MAE_OK)
            continue;
        mae_dataset_name(ds, i, name, sizeof name);
        put(out, name);
        (void)fputs(": ", out);
        put(out, survey->items[i].reason);
        (void)fputc('\n', out);
    }
    (void)fprintf(out, "%zu images read, %zu bad\n", survey->count, survey->bad);
    for (size_t k = 0; k < count; k++) {
        (void)fprintf(out, "%8zu  ", kinds[k].count);
        put(out, kinds[k].reason);
        (void)fputc('\n', out);
    }
}

MaeJson *data_report_check_json(const char *path, const MaeDataset *ds,
                                const MaeSurvey *survey)
{
    MaeSurveyKind kinds[MAE_SURVEY_KINDS + 1];
    const size_t count = mae_survey_kinds(survey, kinds);
    MaeJson *json = mae_json_object(), *bad = mae_json_array();
    MaeJson *reasons = mae_json_array();

    for (size_t i = 0; i < survey->count; i++) {
        MaeJson *item;
        char name[512];

        if (survey->items[i].status == MAE_OK)
            continue;
        mae_dataset_name(ds, i, name, sizeof name);
        item = mae_json_object();
        mae_json_set_int(item, "index", (int64_t)i);
        mae_json_set_text(item, "name", name);
        mae_json_set_text(item, "reason", survey->items[i].reason);
        mae_json_append(bad, item);
    }
    mae_json_set_text(json, "dataset", path);
    mae_json_set_int(json, "images", (int64_t)survey->count);
    mae_json_set(json, "bad", bad);
    for (size_t k = 0; k < count; k++) {
        MaeJson *item = mae_json_object();

        mae_json_set_text(item, "reason", kinds[k].reason);
        mae_json_set_int(item, "images", (int64_t)kinds[k].count);
        mae_json_append(reasons, item);
    }
    mae_json_set(json, "reasons", reasons);
    return json;
}

static int64_t bytes_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

void data_report_pack(FILE *out, const char *path, const MaeDataset *ds,
                      const MaePackResult *result)
{
    (void)fputs("wrote ", out);
    put(out, path);
    (void)fprintf(out, ": %zu images, %zu classes, %.1f MB", result->images,
                  mae_dataset_info(ds)->classes, (double)bytes_of(path) / 1e6);
    if (result->left_out > 0)
        (void)fprintf(out, "; %zu bad images left out", result->left_out);
    (void)fputc('\n', out);
}

MaeJson *data_report_pack_json(const char *dataset, const char *path,
                               const MaeDataset *ds, const MaePackResult *result)
{
    MaeJson *json = mae_json_object();

    mae_json_set_text(json, "dataset", dataset);
    mae_json_set_text(json, "output", path);
    mae_json_set_int(json, "images", (int64_t)result->images);
    mae_json_set_int(json, "left_out", (int64_t)result->left_out);
    mae_json_set_int(json, "classes", (int64_t)mae_dataset_info(ds)->classes);
    mae_json_set_int(json, "bytes", bytes_of(path));
    return json;
}
