/**
 * @file data_report.h
 * What mae-data found, as text and as JSON. Control characters in file names become '?',
 * so that they cannot drive the terminal.
 *
 * Errors   JSON functions return NULL when memory is short.
 */
#ifndef MAE_TOOLS_COMMON_DATA_REPORT_H
#define MAE_TOOLS_COMMON_DATA_REPORT_H

#include <stdio.h>

#include "data/pack.h"
#include "data/survey.h"
#include "store/json.h"

/** Smallest, middle and largest of a length, pixels. */
typedef struct DataRange {
    uint32_t min, median, max;
} DataRange;

/** Results of `stats`; zero-initialise but for ds. */
typedef struct DataStats {
    const MaeDataset *ds;
    MaeSurvey survey;
    DataRange height, width;
    size_t *per_class; /* [classes] images; NULL if unlabelled */
    float *mean, *std; /* [channels], one block */
    size_t measured;   /* images behind mean and std */
} DataStats;

/** Work the survey out and make room for mean and std; FORMAT if all images are bad. */
MaeStatus data_stats_open(DataStats *stats, MaeError *err);

/** Frees everything, the survey included. */
void data_stats_done(DataStats *stats);

void data_report_stats(FILE *out, const char *path, const DataStats *stats);
MaeJson *data_report_stats_json(const char *path, const DataStats *stats);

/** One line per bad image, "name: reason", then their number and that of each reason. */
void data_report_check(FILE *out, const MaeDataset *ds, const MaeSurvey *survey);
MaeJson *data_report_check_json(const char *path, const MaeDataset *ds,
                                const MaeSurvey *survey);

void data_report_pack(FILE *out, const char *path, const MaeDataset *ds,
                      const MaePackResult *result);
MaeJson *data_report_pack_json(const char *dataset, const char *path,
                               const MaeDataset *ds, const MaePackResult *result);

#endif /* MAE_TOOLS_COMMON_DATA_REPORT_H */
