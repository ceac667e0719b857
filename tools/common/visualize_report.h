/**
 * @file visualize_report.h
 * What mae-visualize leaves: the figures as files, and a list of them on stdout.
 *
 * Errors   ARG for a file that is an input too; else as mae_figure_write.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_VISUALIZE_REPORT_H
#define MAE_TOOLS_COMMON_VISUALIZE_REPORT_H

#include <stdbool.h>

#include "common/visualize_source.h"

typedef struct VisualizeReport {
    const char *checkpoint, *folder;
    const VisualizeChoice *choice;
    const MaeGallery *gallery; /* empty if there are no images */
    const MaeFigures *figures;
} VisualizeReport;

/** Write every figure into the folder, which is there; none if one is an input too. */
MaeStatus visualize_report_write(const VisualizeReport *r, MaeError *err);

/** A line for each file, or one JSON object. */
MaeStatus visualize_report_print(const VisualizeReport *r, bool json, MaeError *err);

#endif /* MAE_TOOLS_COMMON_VISUALIZE_REPORT_H */
