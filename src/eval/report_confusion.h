/**
 * @file report_confusion.h
 * What a classifier confuses, in a report: scores of each class, the matrix as a picture,
 * and the pairs that are confused most often.
 *
 * Memory   The picture and a few numbers; freed before the function returns.
 * Errors   NOMEM.
 * Threads  One thread at a time per report.
 */
#ifndef MAE_EVAL_REPORT_CONFUSION_H
#define MAE_EVAL_REPORT_CONFUSION_H

#include "eval/confusion.h"
#include "eval/report.h"

/** Add a section "Classes"; nothing before the first image. @param names of K classes. */
MaeStatus mae_report_confusion(MaeReport *report, const MaeConfusion *confusion,
                               const MaeClasses *names, MaeError *err);

#endif /* MAE_EVAL_REPORT_CONFUSION_H */
