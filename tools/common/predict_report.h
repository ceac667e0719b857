/**
 * @file predict_report.h
 * Where predictions go, an image at a time: lines of text or JSON on stdout, a CSV file,
 * or the pseudo-labels of those that are sure enough.
 *
 * Errors   ARG as said below; IO of the files.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_PREDICT_REPORT_H
#define MAE_TOOLS_COMMON_PREDICT_REPORT_H

#include "common/tool.h"
#include "data/pseudo.h"
#include "eval/predict.h"

/** What is asked for; borrowed. */
typedef struct PredictChoice {
    size_t top;            /* classes of each image */
    const char *csv;       /* file to write instead of lines on stdout, or NULL */
    const char *pseudo;    /* the same for pseudo-labels; not both */
    double min_confidence; /* of a pseudo-label */
} PredictChoice;

/** Zero-initialised is closed. */
typedef struct PredictReport {
    const MaeTool *tool;
    const PredictChoice *choice;
    const MaeSnapshot *snapshot; /* of the classifier */
    const char *checkpoint;
    const MaeDataset *ds; /* whose images come next */
    const char *data;     /* its path */
    size_t top;           /* at most the number of classes */
    size_t *best;         /* [top] */
    int width;            /* columns of a class name */
    MaeOutput out;
    bool writing;      /* out is open */
    size_t images;     /* predicted so far */
    size_t *per_class; /* [classes] pseudo-labels so far */
} PredictReport;

/** ARG for outputs that exclude each other. */
MaeStatus predict_report_check(const PredictChoice *choice, MaeError *err);

/** Begin, with the file of a CSV. */
MaeStatus predict_report_open(PredictReport *report, const MaeTool *tool,
                              const PredictChoice *choice, const MaeSnapshot *snapshot,
                              MaeError *err);

/** The images of @p ds, at path @p data, come next; pseudo-labels are of one only. */
MaeStatus predict_report_begin(PredictReport *report, const MaeDataset *ds,
                               const char *data, MaeError *err);

/** Hears of each image, a PredictReport as context. */
MaeStatus predict_report_take(void *ctx, size_t sample, const float *p, MaeError *err);

/** Make the file appear and say what is in it. @param bad images that were left out. */
MaeStatus predict_report_end(PredictReport *report, size_t bad, MaeError *err);

/** Release everything; a file that was not ended is removed. */
void predict_report_close(PredictReport *report);

#endif /* MAE_TOOLS_COMMON_PREDICT_REPORT_H */
