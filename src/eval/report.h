/**
 * @file report.h
 * A report that a browser shows: one HTML file with text, numbers, tables, pictures and
 * charts, built in memory from top to bottom and written at once.
 *
 * The file stands alone: style, script and pictures are in it, it loads nothing, and its
 * content security policy forbids it to. It follows the reader's choice of light or dark
 * and the width of the screen; without scripts, all pictures of a slider are shown.
 *
 * Outside  Every text is escaped (store/markup.h): file names, configuration values and
 *          class names may be anything. Only ids, which are constants, have to be words
 *          of letters, digits and '-'.
 * Limits   A text: MAE_REPORT_TEXT bytes, then "...". A table: MAE_REPORT_ROWS rows, then
 *          a line says how many are left out. A picture whose PNG exceeds
 *          MAE_REPORT_PNG bytes is stored as JPEG. The page: MAE_REPORT_BYTES; what would
 *          exceed it is left out, and a line says so.
 * Source   WHATWG HTML; W3C Content Security Policy Level 3; SVG 2.
 * Memory   The page, twice while it is written.
 * Errors   Adding cannot fail visibly: the first failure (NOMEM, or an image that cannot
 *          be encoded) is kept and reported by mae_report_write.
 * Threads  One thread at a time per report.
 */
#ifndef MAE_EVAL_REPORT_H
#define MAE_EVAL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "eval/chart.h"
#include "image/image.h"

#define MAE_REPORT_TEXT ((size_t)4096)
#define MAE_REPORT_ROWS ((size_t)2000)
#define MAE_REPORT_SECTIONS 24
#define MAE_REPORT_PNG ((size_t)256 << 10)
#define MAE_REPORT_BYTES ((size_t)16 << 20)

typedef struct MaeReport MaeReport;

/** Column of a table. */
typedef struct MaeReportColumn {
    const char *title;
    bool number; /* aligned to the right */
} MaeReportColumn;

typedef struct MaeReportTable {
    const char *caption;
    const MaeReportColumn *columns; /* [column_count]; only read during the call */
    size_t column_count;            /* at most 64 */
    bool folded;                    /* shown once the reader opens it */
} MaeReportTable;

/** One picture, or several of which a slider chooses one. */
typedef struct MaeReportFigure {
    const char *id; /* for links; NULL: none */
    const char *title;
    const char *caption;       /* NULL: none */
    const char *control;       /* what the slider moves, e.g. "Share hidden" */
    const MaeImage *images;    /* [count] U8, grey or RGB */
    const char *const *labels; /* [count] what each shows */
    size_t count, first;       /* first: shown at the start */
} MaeReportFigure;

/** Begin a report. @param subtitle a line below the title; NULL: none. */
MaeStatus mae_report_open(MaeReport **report, const char *title, const char *subtitle,
                          MaeError *err);

/** Forget it. NULL is fine. */
void mae_report_close(MaeReport *report);

/** Begin a section, which the links at the top lead to. */
void mae_report_section(MaeReport *report, const char *id, const char *title);

/** A paragraph. */
void mae_report_text(MaeReport *report, const char *fmt, ...) MAE_PRINTF(2, 3);

/** A number or a word with its name; those that follow each other form a list. */
void mae_report_fact(MaeReport *report, const char *name, const char *fmt, ...)
    MAE_PRINTF(3, 4);

/** Begin a table. Cells follow, row by row; it ends where something else begins. */
void mae_report_table(MaeReport *report, const MaeReportTable *table);

/** The next cell of the table that was begun. */
void mae_report_cell(MaeReport *report, const char *fmt, ...) MAE_PRINTF(2, 3);

void mae_report_figure(MaeReport *report, const MaeReportFigure *figure);

/** A drawing. @param svg an svg element of this library's own making (eval/scatter.h):
 *  it is taken as it is. */
void mae_report_drawing(MaeReport *report, const char *title, const char *caption,
                        const char *svg);

/** A chart. @param caption NULL: none. */
void mae_report_chart(MaeReport *report, const char *caption, const MaeChart *chart);

/** Write the page, whole or not at all. More may be added and written again. */
MaeStatus mae_report_write(MaeReport *report, const char *path, MaeError *err);

#endif /* MAE_EVAL_REPORT_H */
