#include "eval/chart.h"

#include <math.h>
#include <stdint.h>

#include "base/text.h"
#include "store/markup.h"

#define LARGEST 1e300 /* of a value: differences stay finite */
#define TICKS 5       /* about as many as wanted */
#define TICKS_MOST 12
#define FEW 40 /* points of a series that are marked one by one */

/* In units of the view box. */
enum { WIDTH = 720, HEIGHT = 340, LEFT = 78, RIGHT = 16, TOP = 36, BOTTOM = 52 };

/* Left, top, width and height of the plot itself. */
#define INNER LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

/* Numbers to units of the view box. */
typedef struct Axis {
    double low, high; /* low < high; their powers of ten if log */
    double start, length;
    bool log;
} Axis;

typedef struct Ticks {
    double at[TICKS_MOST];
    size_t count;
    double step;
} Ticks;

/* A point in units of the view box. */
typedef struct Point {
    double x, y;
} Point;

/* The points of a series that share a column. */
typedef struct Column {
    long index;
    size_t count;
    Point first, low, high, last;
    bool low_first; /* low comes before high */
} Column;

static bool usable(double value, bool log)
{
    return fabs(value) <= LARGEST && (!log || value > 0.0);
}

static bool has_point(const MaeChart *chart, const MaeChartSeries *series, size_t i)
{
    return usable(series->x[i], false) && usable(series->y[i], chart->log_y);
}

static size_t series_of(const MaeChart *chart)
{
    return chart->series_count < MAE_CHART_SERIES ? chart->series_count
                                                  : MAE_CHART_SERIES;
}

static size_t yardsticks_of(const MaeChart *chart)
{
    return chart->yardstick_count < MAE_CHART_SERIES ? chart->yardstick_count
                                                     : MAE_CHART_SERIES;
}

static double measure(const Axis *axis, double value)
{
    return axis->log ? log10(value) : value;
}

static void include(Axis *axis, double value)
{
    axis->low = fmin(axis->low, measure(axis, value));
    axis->high = fmax(axis->high, measure(axis, value));
}

/* An axis needs a length; @p margin is its share that is added at both ends. */
static void widen(Axis *axis, double margin)
{
    const double range = axis->high - axis->low;
    double extra = range * margin;

    if (!(range > 1e-9 * fabs(axis->high)))
        extra = axis->log ? 0.1 : fmax(fabs(axis->high) * 0.1, 1e-9);
    axis->low -= extra;
    axis->high += extra;
}

/* Has point @p i a say in the range of y? */
static bool counts(const MaeChartSeries *series, size_t i)
{
    return !series->faint || i >= series->count / 2;
}

/* The ranges of all that is drawn. @return whether there is a point. */
static bool fit(Axis *x, Axis *y, const MaeChart *chart)
{
    bool any = false;

    for (size_t s = 0; s < series_of(chart); s++) {
        const MaeChartSeries *series = &chart->series[s];

        for (size_t i = 0; i < series->count; i++) {
            if (!has_point(chart, series, i))
                continue;
            include(x, series->x[i]);
            if (counts(series, i))
                include(y, series->y[i]);
            any = any || counts(series, i);
        }
    }
    for (size_t i = 0; i < yardsticks_of(chart) && any; i++) {
        if (usable(chart->yardsticks[i].y, chart->log_y))
            include(y, chart->yardsticks[i].y);
    }
    if (any) {
        widen(x, 0.0);
        widen(y, 0.05);
    }
    return any;
}

static double place(const Axis *axis, double value)
{
    const double at = axis->start + axis->length * (measure(axis, value) - axis->low) /
                                        (axis->high - axis->low);

    return fmin(fmax(at, -9999.0), 9999.0);
}

/* 1, 2 or 5 times a power of ten, so that about TICKS steps make a range. */
static double nice_step(double range)
{
    const double raw = range / TICKS, power = pow(10.0, floor(log10(raw)));
    const double factor = raw / power;

    return power * (factor < 1.5 ? 1.0 : factor < 3.5 ? 2.0 : factor < 7.5 ? 5.0 : 10.0);
}

static void add_tick(Ticks *ticks, const Axis *axis, double value)
{
    const double at = measure(axis, value), slack = 1e-9 * (axis->high - axis->low);

    if (at >= axis->low - slack && at <= axis->high + slack && ticks->count < TICKS_MOST)
        ticks->at[ticks->count++] = value;
}

static void linear_ticks(Ticks *ticks, const Axis *axis, double low, double high,
                         bool whole)
{
    double first;

    ticks->step = nice_step(high - low);
    if (whole && high - low >= 2.0)
        ticks->step = fmax(ticks->step, 1.0);
    first = ceil(low / ticks->step - 1e-9);
    for (size_t k = 0; k < TICKS_MOST; k++)
        add_tick(ticks, axis, (first + (double)k) * ticks->step);
}

/* Powers of ten, every second or fifth if there are many; 2 and 5 times if few. */
static void decade_ticks(Ticks *ticks, const Axis *axis)
{
    const double range = axis->high - axis->low, stride = fmax(ceil(range / TICKS), 1.0);

    /* whole numbers: NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoop*) */
    for (double k = floor(axis->low); k <= axis->high; k += stride) {
        add_tick(ticks, axis, pow(10.0, k));
        if (range <= 2.5) {
            add_tick(ticks, axis, 2.0 * pow(10.0, k));
            add_tick(ticks, axis, 5.0 * pow(10.0, k));
        }
    }
}

static Ticks ticks_of(const Axis *axis, bool whole)
{
    Ticks ticks = {0};

    if (!axis->log)
        linear_ticks(&ticks, axis, axis->low, axis->high, whole);
    else if (axis->high - axis->low > 0.9)
        decade_ticks(&ticks, axis);
    else
        linear_ticks(&ticks, axis, pow(10.0, axis->low), pow(10.0, axis->high), false);
    return ticks;
}

static void write_number(FILE *out, double value, double step)
{
    const double digits = step > 0.0 ? -floor(log10(step) + 1e-9) : 9.0;

    if (value != 0.0 && (fabs(value) >= 1e6 || fabs(value) < 1e-3 || digits > 4.0))
        mae_text_print(out, "%.4g", value);
    else
        mae_text_print(out, "%.*f", digits > 0.0 ? (int)digits : 0, value);
}

static void write_axes(FILE *out, const Axis *x, const Axis *y, const MaeChart *chart)
{
    const Ticks across = ticks_of(x, true), up = ticks_of(y, false);

    for (size_t i = 0; i < up.count; i++) {
        const double at = place(y, up.at[i]);

        mae_text_print(out,
                       "<path class=\"grid\" d=\"M%d %.1fH%d\"/>"
                       "<text class=\"up\" x=\"%d\" y=\"%.1f\">",
                       LEFT, at, WIDTH - RIGHT, LEFT - 8, at);
        if (up.step > 0.0)
            write_number(out, up.at[i], up.step);
        else
            mae_text_print(out, "%g", up.at[i]);
        fputs("</text>\n", out);
    }
    for (size_t i = 0; i < across.count; i++) {
        const double at = place(x, across.at[i]);

        mae_text_print(out,
                       "<path class=\"tick\" d=\"M%.1f %dv5\"/>"
                       "<text class=\"across\" x=\"%.1f\" y=\"%d\">",
                       at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 9);
        write_number(out, across.at[i], across.step);
        fputs("</text>\n", out);
    }
    fprintf(out,
            "<path class=\"axis\" d=\"M%d %dH%d\"/>"
            "<text class=\"name\" x=\"%d\" y=\"4\">",
            LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, LEFT);
    mae_markup_text(out, chart->y_label);
    fprintf(out, "</text><text class=\"name end\" x=\"%d\" y=\"%d\">", WIDTH - RIGHT,
            HEIGHT - 18);
    mae_markup_text(out, chart->x_label);
    fputs("</text>\n", out);
}

static void write_point(FILE *out, Point *last, Point next)
{
    if (next.x != last->x || next.y != last->y)
        mae_text_print(out, " %.1f,%.1f", next.x, next.y);
    *last = next;
}

static void write_column(FILE *out, Point *last, const Column *column)
{
    if (column->count == 0)
        return;
    write_point(out, last, column->first);
    if (column->count > 2) {
        write_point(out, last, column->low_first ? column->low : column->high);
        write_point(out, last, column->low_first ? column->high : column->low);
    }
    write_point(out, last, column->last);
}

/* Larger y is further down; only the order of the two matters. */
static void add_point(Column *column, Point p)
{
    if (column->count++ == 0) {
        *column = (Column){column->index, 1, p, p, p, p, true};
        return;
    }
    if (p.y > column->low.y) {
        column->low = p;
        column->low_first = false;
    }
    if (p.y < column->high.y) {
        column->high = p;
        column->low_first = true;
    }
    column->last = p;
}

static void write_line(FILE *out, const Axis *x, const Axis *y, const MaeChart *chart,
                       size_t s)
{
    const MaeChartSeries *series = &chart->series[s];
    Column column = {.index = -1};
    Point last = {NAN, NAN};
    double before = -INFINITY;

    if (series->faint) /* an svg within an svg shows what is inside of it */
        fprintf(out,
                "<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
                "viewBox=\"%d %d %d %d\">",
                INNER, INNER);
    fprintf(out, "<polyline class=\"s%zu%s\" points=\"", s,
            series->faint ? " faint" : "");
    for (size_t i = 0; i < series->count; i++) {
        Point p;
        long index;

        if (!has_point(chart, series, i) || series->x[i] < before)
            continue;
        before = series->x[i];
        p = (Point){place(x, series->x[i]), place(y, series->y[i])};
        index = (long)((p.x - x->start) / x->length * MAE_CHART_COLUMNS);
        if (index != column.index) {
            write_column(out, &last, &column);
            column = (Column){.index = index};
        }
        add_point(&column, p);
    }
    write_column(out, &last, &column);
    fputs(series->faint ? "\"/></svg>\n" : "\"/>\n", out);
}

static void write_marks(FILE *out, const Axis *x, const Axis *y, const MaeChart *chart,
                        size_t s)
{
    const MaeChartSeries *series = &chart->series[s];

    if (series->faint || series->count > FEW)
        return;
    for (size_t i = 0; i < series->count; i++) {
        if (!has_point(chart, series, i))
            continue;
        mae_text_print(out,
                       "<circle class=\"s%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>",
                       s, place(x, series->x[i]), place(y, series->y[i]));
        mae_markup_text(out, series->name);
        mae_text_print(out, ": %.5g at %g</title></circle>\n", series->y[i],
                       series->x[i]);
    }
}

static void write_key(FILE *out, char kind, size_t i, bool faint, const char *name)
{
    fprintf(out,
            "<li><svg class=\"key\" viewBox=\"0 0 28 10\" aria-hidden=\"true\">"
            "<path class=\"%c%zu%s\" d=\"M2 5H26\"/></svg>",
            kind, i, faint ? " faint" : "");
    mae_markup_text(out, name);
}

static void write_legend(FILE *out, const MaeChart *chart)
{
    if (series_of(chart) + yardsticks_of(chart) < 2)
        return; /* the title says it */
    fputs("<ul class=\"legend\">\n", out);
    for (size_t s = 0; s < series_of(chart); s++) {
        write_key(out, 's', s, chart->series[s].faint, chart->series[s].name);
        fputs("</li>\n", out);
    }
    for (size_t i = 0; i < yardsticks_of(chart); i++) {
        if (!usable(chart->yardsticks[i].y, chart->log_y))
            continue;
        write_key(out, 'y', i, false, chart->yardsticks[i].name);
        mae_text_print(out, " (%.4g)</li>\n", chart->yardsticks[i].y);
    }
    fputs("</ul>\n", out);
}

static void write_inside(FILE *out, const MaeChart *chart)
{
    Axis x = {INFINITY, -INFINITY, LEFT, WIDTH - LEFT - RIGHT, false};
    Axis y = {INFINITY, -INFINITY, HEIGHT - BOTTOM, -(HEIGHT - BOTTOM - TOP),
              chart->log_y};

    if (!fit(&x, &y, chart)) {
        fprintf(out, "<text class=\"none\" x=\"%d\" y=\"%d\">no values yet</text>\n",
                WIDTH / 2, HEIGHT / 2);
        return;
    }
    write_axes(out, &x, &y, chart);
    for (size_t i = 0; i < yardsticks_of(chart); i++) {
        if (usable(chart->yardsticks[i].y, chart->log_y))
            mae_text_print(out, "<path class=\"y%zu\" d=\"M%d %.1fH%d\"/>\n", i, LEFT,
                           place(&y, chart->yardsticks[i].y), WIDTH - RIGHT);
    }
    for (size_t s = series_of(chart); s-- > 0;) {
        write_line(out, &x, &y, chart, s);
        write_marks(out, &x, &y, chart, s);
    }
}

void mae_chart_write(FILE *out, const MaeChart *chart)
{
    fprintf(out, "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
            WIDTH, HEIGHT);
    mae_markup_text(out, chart->title);
    fputs("\">\n", out);
    write_inside(out, chart);
    fputs("</svg>\n", out);
    write_legend(out, chart);
}
