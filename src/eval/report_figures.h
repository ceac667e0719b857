/**
 * @file report_figures.h
 * Figures of views in a report: a section for each view that drew some.
 */
#ifndef MAE_EVAL_REPORT_FIGURES_H
#define MAE_EVAL_REPORT_FIGURES_H

#include "eval/figure.h"
#include "eval/report.h"

/** Add them in their order; those of a view follow each other. */
void mae_report_figures(MaeReport *report, const MaeFigures *figures);

#endif /* MAE_EVAL_REPORT_FIGURES_H */
