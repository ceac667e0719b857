/**
 * @file chart.h
 * Line charts as SVG inside an HTML page, with a legend below: several series over one
 * axis, yardsticks as horizontal lines, a logarithmic axis where it is asked for.
 *
 * The size of a chart does not depend on its data: of points that fall into the same of
 * MAE_CHART_COLUMNS columns the first, the smallest, the largest and the last are drawn,
 * so peaks stay visible. Series of few points show each of them, with its value as a
 * tooltip. Colours and sizes of letters are those of the page (eval/report.h): series i
 * has class "s<i>", yardstick i "y<i>". The first series is drawn on top.
 *
 * Axes     Ticks at 1, 2 or 5 times a power of ten; on the x axis at whole numbers if it
 *          is at least 2 long.
 * Memory   Never allocates. At most 200 KB are written.
 * Errors   Those of the stream: the caller checks ferror(). Points that are not finite,
 *          beyond 1e300, below the x before, or not positive on a logarithmic axis are
 *          left out; without any point the chart says so.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_CHART_H
#define MAE_EVAL_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define MAE_CHART_SERIES 6    /* that have a colour of their own; others are left out */
#define MAE_CHART_COLUMNS 360 /* of a series, each at most four points */

typedef struct MaeChartSeries {
    const char *name;
    const double *x, *y; /* [count]; x does not fall */
    size_t count;
    bool faint; /* thin and grey, the noise around others: a range holds its second half,
                   so that a steep beginning is cut off and hides nothing */
} MaeChartSeries;

/** A horizontal line. */
typedef struct MaeChartYardstick {
    const char *name;
    double y; /* not finite: none */
} MaeChartYardstick;

typedef struct MaeChart {
    const char *title; /* said by screen readers */
    const char *x_label, *y_label;
    const MaeChartSeries *series; /* [series_count] */
    size_t series_count;
    const MaeChartYardstick *yardsticks; /* [yardstick_count], at most MAE_CHART_SERIES */
    size_t yardstick_count;
    bool log_y;
} MaeChart;

/** Write @p chart as an svg element and a list, the legend. */
void mae_chart_write(FILE *out, const MaeChart *chart);

#endif /* MAE_EVAL_CHART_H */
