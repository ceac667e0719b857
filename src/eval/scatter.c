#include "eval/scatter.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/size.h"
#include "base/text.h"
#include "store/markup.h"

enum { COLOURS = 8, SHAPES = 4 };

/* In units of the view box. */
enum { PANEL = 480, INSIDE = 440, TITLE = 34, GAP = 16, ENTRY = 160, LINE = 22 };

static const char *const STYLE[] = {
    "<style>.mae-map{--page:#fff;--card:#f7f7f5;--ink:#1d2126;--none:#a0a6ac;",
    "--k0:#0072b2;--k1:#d55e00;--k2:#009e73;--k3:#b8508a;--k4:#c78500;--k5:#3fa0dc;",
    "--k6:#8a7d00;--k7:#1d2126;background:var(--page)}",
    "@media(prefers-color-scheme:dark){.mae-map{--page:#15181b;--card:#1d2125;",
    "--ink:#e4e7ea;--none:#6d757d;--k0:#4aa8e8;--k1:#f58a3c;--k2:#2fc79a;--k3:#e08cc0;",
    "--k4:#f0b429;--k5:#9bd3f7;--k6:#f0e442;--k7:#e4e7ea}}",
    ".mae-map text{font:14px system-ui,sans-serif;fill:var(--ink)}",
    ".mae-map .card{fill:var(--card)}.mae-map .k{fill:var(--none)}",
    ".mae-map .k0{fill:var(--k0)}.mae-map .k1{fill:var(--k1)}",
    ".mae-map .k2{fill:var(--k2)}.mae-map .k3{fill:var(--k3)}",
    ".mae-map .k4{fill:var(--k4)}.mae-map .k5{fill:var(--k5)}",
    ".mae-map .k6{fill:var(--k6)}.mae-map .k7{fill:var(--k7)}",
    ".mae-map .dot{fill-opacity:.75}</style>\n",
};

/* --- marks ------------------------------------------------------------------------ */

static int64_t label_of(const MaeScatter *s, size_t i)
{
    return s->labels != NULL ? s->labels[i] : -1;
}

/* The class attribute of what belongs to @p label. */
static void put_class(FILE *out, int64_t label, const char *more)
{
    if (label < 0)
        fprintf(out, " class=\"k%s\"", more);
    else
        fprintf(out, " class=\"k%d%s\"", (int)(label % COLOURS), more);
}

/* The beginning of a mark, up to its attributes. @return the element's name. */
static const char *put_shape(FILE *out, int64_t label, double x, double y, double r)
{
    const double a = r * 0.9, b = r * 1.25;

    switch (label < 0 ? 0 : label / COLOURS % SHAPES) {
    case 0:
        mae_text_print(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", x, y, r);
        return "circle";
    case 1:
        mae_text_print(out, "<path d=\"M%.1f %.1fh%.1fv%.1fh%.1fz\"", x - a, y - a, 2 * a,
                       2 * a, -2 * a);
        break;
    case 2:
        mae_text_print(out, "<path d=\"M%.1f %.1fl%.1f %.1fh%.1fz\"", x, y - b, b, 2 * b,
                       -2 * b);
        break;
    default:
        mae_text_print(out, "<path d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"", x,
                       y - b, b, b, -b, b, -b, -b);
        break;
    }
    return "path";
}

static void put_tooltip(FILE *out, const MaeScatter *s, size_t i)
{
    const int64_t label = label_of(s, i);

    fputs("<title>", out);
    mae_markup_text(out, s->names[i]);
    if (label >= 0 && (uint64_t)label < s->class_count) {
        fputs(": ", out);
        mae_markup_text(out, s->classes[label]);
    }
    fputs("</title>", out);
}

static void put_point(FILE *out, const MaeScatter *s, size_t i, double x, double y)
{
    const double r = s->count > 2000 ? 2.0 : s->count > 500 ? 2.7 : 3.6;
    const char *element = put_shape(out, label_of(s, i), x, y, r);

    put_class(out, label_of(s, i), " dot");
    if (s->names == NULL) {
        fputs("/>\n", out);
        return;
    }
    fputc('>', out);
    put_tooltip(out, s, i);
    fprintf(out, "</%s>\n", element);
}

/* --- pictures --------------------------------------------------------------------- */

static size_t thumbs_of(const MaeScatter *s)
{
    return s->thumbs != NULL ? mae_smaller(s->count, MAE_SCATTER_THUMBS) : 0;
}

/* Which point has picture @p t. */
static size_t thumb_at(const MaeScatter *s, size_t t)
{
    return t * s->count / thumbs_of(s);
}

/* Pictures are stored once and used by every panel. */
static MaeStatus put_thumbs(FILE *out, const MaeScatter *s, MaeError *err)
{
    fputs("<defs>\n", out);
    for (size_t t = 0; t < thumbs_of(s); t++) {
        uint8_t *png = NULL;
        size_t size = 0;

        MAE_TRY(mae_image_encode_png(&png, &size, &s->thumbs[thumb_at(s, t)], err));
        fprintf(out,
                "<image id=\"mae-t%zu\" width=\"24\" height=\"24\" "
                "href=\"data:image/png;base64,",
                t);
        mae_markup_base64(out, png, size);
        fputs("\"/>\n", out);
        free(png);
    }
    fputs("</defs>\n", out);
    return MAE_OK;
}

static void put_thumb(FILE *out, const MaeScatter *s, size_t t, double x, double y)
{
    const size_t i = thumb_at(s, t);

    fputs("<g>", out);
    if (s->names != NULL)
        put_tooltip(out, s, i);
    mae_text_print(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"28\" height=\"28\" rx=\"3\"",
                   x - 14.0, y - 14.0);
    put_class(out, label_of(s, i), "");
    mae_text_print(out, "/><use href=\"#mae-t%zu\" x=\"%.1f\" y=\"%.1f\"/></g>\n", t,
                   x - 12.0, y - 12.0);
}

/* --- panels ----------------------------------------------------------------------- */

/* From points to units: both axes alike, what is there in the middle. */
typedef struct Place {
    double middle[2], scale;
    double left, top;
} Place;

static bool finite_at(const float *points, size_t i)
{
    return isfinite(points[2 * i]) && isfinite(points[2 * i + 1]);
}

static Place fit(const float *points, size_t n, double left, double top)
{
    double low[2] = {HUGE_VAL, HUGE_VAL}, high[2] = {-HUGE_VAL, -HUGE_VAL}, most;
    Place place = {.left = left, .top = top};

    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < 2 && finite_at(points, i); c++) {
            low[c] = fmin(low[c], (double)points[2 * i + c]);
            high[c] = fmax(high[c], (double)points[2 * i + c]);
        }
    }
    for (size_t c = 0; c < 2; c++)
        place.middle[c] = low[c] <= high[c] ? 0.5 * (low[c] + high[c]) : 0.0;
    most = fmax(high[0] - low[0], high[1] - low[1]);
    place.scale = most > 0.0 ? (double)INSIDE / most : 0.0;
    return place;
}

static double across(const Place *p, const float *points, size_t i)
{
    return p->left + PANEL / 2.0 + ((double)points[2 * i] - p->middle[0]) * p->scale;
}

static double down(const Place *p, const float *points, size_t i)
{
    return p->top + PANEL / 2.0 - ((double)points[2 * i + 1] - p->middle[1]) * p->scale;
}

/* Steps of this many visit all points, neighbours far apart from each other. */
static size_t stride_of(size_t count)
{
    size_t step = (size_t)((double)count * 0.618), a, b;

    for (;; step--) {
        step = step > 0 ? step : 1;
        for (a = count, b = step; b != 0;) {
            const size_t rest = a % b;

            a = b;
            b = rest;
        }
        if (a == 1 || step == 1)
            return step;
    }
}

static void put_panel(FILE *out, const MaeScatter *s, size_t panel)
{
    const float *points = s->panels[panel].points;
    const size_t row = panel / s->columns, column = panel % s->columns;
    const double left = (double)column * (PANEL + GAP) + GAP;
    const double top = (double)row * (PANEL + TITLE) + TITLE;
    const Place place = fit(points, s->count, left, top);
    const size_t step = stride_of(s->count);

    mae_text_print(out, "<text x=\"%.0f\" y=\"%.0f\">", left, top - 10.0);
    mae_markup_text(out, s->panels[panel].title);
    mae_text_print(out,
                   "</text>\n<rect class=\"card\" x=\"%.0f\" y=\"%.0f\" width=\"%d\" "
                   "height=\"%d\" rx=\"6\"/>\n",
                   left, top, PANEL, PANEL);
    for (size_t k = 0, i = 0; k < s->count; k++, i = (i + step) % s->count)
        if (finite_at(points, i))
            put_point(out, s, i, across(&place, points, i), down(&place, points, i));
    for (size_t t = 0; t < thumbs_of(s); t++)
        if (finite_at(points, thumb_at(s, t)))
            put_thumb(out, s, t, across(&place, points, thumb_at(s, t)),
                      down(&place, points, thumb_at(s, t)));
}

/* --- legend ----------------------------------------------------------------------- */

static size_t entries_of(const MaeScatter *s)
{
    if (s->labels == NULL)
        return 0;
    return s->class_count <= MAE_SCATTER_LEGEND ? s->class_count : MAE_SCATTER_LEGEND + 1;
}

/* A nested svg cuts long names off. */
static void put_legend(FILE *out, const MaeScatter *s, size_t width, size_t top)
{
    const size_t columns = (width - GAP) / ENTRY;

    for (size_t i = 0; i < entries_of(s); i++) {
        fprintf(out, "<svg x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\">",
                GAP + i % columns * ENTRY, top + i / columns * LINE, ENTRY - 8, LINE);
        if (i == MAE_SCATTER_LEGEND) {
            fprintf(out, "<text x=\"0\" y=\"15\">and %zu more</text></svg>\n",
                    s->class_count - i);
            break;
        }
        (void)put_shape(out, (int64_t)i, 8.0, 10.0, 5.0);
        put_class(out, (int64_t)i, "");
        fputs("/><text x=\"20\" y=\"15\">", out);
        mae_markup_text(out, s->classes[i]);
        fputs("</text></svg>\n", out);
    }
}

MaeStatus mae_scatter_write(FILE *out, const MaeScatter *s, MaeError *err)
{
    const size_t rows = (s->panel_count + s->columns - 1) / s->columns;
    const size_t width = mae_smaller(s->columns, s->panel_count) * (PANEL + GAP) + GAP;
    const size_t bottom = rows * (PANEL + TITLE) + GAP;
    const size_t columns = (width - GAP) / ENTRY;
    const size_t height = bottom + (entries_of(s) + columns - 1) / columns * LINE + GAP;

    assert(s->panel_count > 0 && s->columns > 0 && s->count > 0);
    if (s->count > MAE_SCATTER_POINTS)
        MAE_FAIL(err, MAE_ERR_ARG, "scatter: expected at most %zu points, got %zu",
                 MAE_SCATTER_POINTS, s->count);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"mae-map\" role=\"img\" "
            "viewBox=\"0 0 %zu %zu\" width=\"%zu\" height=\"%zu\">\n<title>",
            width, height, width, height);
    mae_markup_text(out, s->title);
    fputs("</title>\n", out);
    for (size_t i = 0; i < sizeof STYLE / sizeof *STYLE; i++)
        fputs(STYLE[i], out);
    MAE_TRY(put_thumbs(out, s, err));
    for (size_t p = 0; p < s->panel_count; p++)
        put_panel(out, s, p);
    put_legend(out, s, width, bottom);
    fputs("</svg>\n", out);
    return MAE_OK;
}
