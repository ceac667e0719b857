/**
 * @file embed_report.h
 * What mae-embed writes: features as HDF5, CSV or NPY, and a line about it.
 */
#ifndef MAE_TOOLS_COMMON_EMBED_REPORT_H
#define MAE_TOOLS_COMMON_EMBED_REPORT_H

#include "common/feature_source.h"

/** Features of a data set and where they came from; borrowed. */
typedef struct EmbedReport {
    const char *checkpoint, *data, *out;
    const MaeEmbedSpec *spec;
    const MaeFeatures *features;
    const MaeDataset *ds;
    double seconds;
} EmbedReport;

/** ARG unless the name ends in .h5, .hdf5, .csv or .npy. */
MaeStatus embed_report_check(const char *out, MaeError *err);

/** Write the file that report->out names; complete or not at all. */
MaeStatus embed_report_write(const EmbedReport *report, MaeError *err);

/** A line, or JSON, on stdout. */
MaeStatus embed_report_print(const EmbedReport *report, bool json, MaeError *err);

#endif /* MAE_TOOLS_COMMON_EMBED_REPORT_H */
