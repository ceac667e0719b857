/**
 * @file visualize_report.h
 * What mae-visualize leaves: the figures as files, a page of them, and a list of them on
 * stdout.
 *
 * Errors   ARG for a file that is an input too; else as mae_figure_write.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_VISUALIZE_REPORT_H
#define MAE_TOOLS_COMMON_VISUALIZE_REPORT_H

#include <stdbool.h>

#include "common/visualize_page.h"

typedef struct VisualizeReport {
    const char *checkpoint, *folder;
    const VisualizeChoice *choice;
    const MaeGallery *gallery; /* empty if there are no images */
    const MaeFigures *figures;
    VisualizeScores scores; /* set where the page is written */
} VisualizeReport;

/** Write every figure, and the page if it is wanted, into the folder, which is there;
 *  nothing if one of them is an input too. */
MaeStatus visualize_report_write(VisualizeReport *r, VisualizeSource *source,
                                 MaeError *err);

/** A line for each file, or one JSON object. */
MaeStatus visualize_report_print(const VisualizeReport *r, bool json, MaeError *err);

#endif /* MAE_TOOLS_COMMON_VISUALIZE_REPORT_H */
