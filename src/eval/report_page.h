/**
 * @file report_page.h
 * What every report has around its content: policy, style, script.
 *
 * Errors   Those of the stream.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_REPORT_PAGE_H
#define MAE_EVAL_REPORT_PAGE_H

#include <stdio.h>

/** From the doctype to the end of the head. */
void mae_report_page_head(FILE *out, const char *title);

/** The script and the end of the page. */
void mae_report_page_foot(FILE *out);

#endif /* MAE_EVAL_REPORT_PAGE_H */
