#include "eval/report.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "eval/canvas.h"
#include "eval/report_page.h"
#include "store/file.h"
#include "store/markup.h"

#define COLUMNS 64
#define TITLE 256
#define PICTURE_SIZE 640 /* pixels: smaller pictures are enlarged up to this */
#define WIDE 1000        /* pixels: not shrunk to a phone, but scrolled */
#define JPEG_QUALITY 90
#define CHART_BYTES ((size_t)200 << 10) /* see eval/chart.h */

/* What the next piece must end first. */
typedef enum Open { OPEN_NONE, OPEN_FACTS, OPEN_TABLE } Open;

typedef struct Section {
    char id[64], title[TITLE];
} Section;

struct MaeReport {
    char title[TITLE], subtitle[TITLE];
    FILE *body;
    char *text; /* of body, as of its last flush */
    size_t size;
    Section sections[MAE_REPORT_SECTIONS];
    size_t section_count, figures;
    Open open;
    bool folded, number[COLUMNS]; /* of the table */
    size_t columns, cells;
    size_t left_out; /* pieces beyond MAE_REPORT_BYTES */
    MaeError failed; /* the first failure; status MAE_OK if there is none */
};

/* Make a text that was cut end with whole characters and "...". */
static void shorten(char *text, size_t size)
{
    size_t end = 0;

    for (size_t step; end + 8 < size; end += step) {
        step = mae_text_utf8(text + end, NULL);
        step = step > 0 ? step : 1;
    }
    memcpy(text + end, "...", 4);
}

static void format(char *text, size_t size, const char *fmt, va_list args)
{
    const int wanted = mae_text_vformat(text, size, fmt, args);

    if (wanted < 0)
        text[0] = '\0';
    else if ((size_t)wanted >= size)
        shorten(text, size);
}

static MAE_PRINTF(3, 4) void print(char *text, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    format(text, size, fmt, args);
    va_end(args);
}

MaeStatus mae_report_open(MaeReport **report, const char *title, const char *subtitle,
                          MaeError *err)
{
    MaeReport *made = calloc(1, sizeof *made);

    if (made != NULL)
        made->body = open_memstream(&made->text, &made->size);
    if (made == NULL || made->body == NULL) {
        free(made);
        MAE_FAIL(err, MAE_ERR_NOMEM, "report: out of memory");
    }
    print(made->title, sizeof made->title, "%s", title);
    print(made->subtitle, sizeof made->subtitle, "%s", subtitle != NULL ? subtitle : "");
    *report = made;
    return MAE_OK;
}

void mae_report_close(MaeReport *report)
{
    if (report == NULL)
        return;
    (void)fclose(report->body);
    free(report->text);
    free(report);
}

/* Complete what is open. */
static void settle(MaeReport *report)
{
    const size_t rows = report->columns > 0 ? report->cells / report->columns : 0;

    if (report->open == OPEN_FACTS)
        fputs("</dl>\n", report->body);
    if (report->open == OPEN_TABLE) {
        if (report->cells > 0)
            fputs("</tr>\n", report->body);
        if (rows > MAE_REPORT_ROWS)
            fprintf(report->body, "<tr><td colspan=\"%zu\">and %zu more</td></tr>\n",
                    report->columns, rows - MAE_REPORT_ROWS);
        fprintf(report->body, "</tbody></table></div>%s\n",
                report->folded ? "</details>" : "");
    }
    report->open = OPEN_NONE;
}

/* Is there room for @p size more bytes? If not, count what is left out. */
static bool has_room(MaeReport *report, size_t size)
{
    const long at = ftell(report->body);

    if (at >= 0 && size <= MAE_REPORT_BYTES && (size_t)at <= MAE_REPORT_BYTES - size)
        return true;
    report->left_out++;
    return false;
}

static void write_escaped(FILE *out, const char *before, const char *text,
                          const char *after)
{
    char part[MAE_REPORT_TEXT];

    print(part, sizeof part, "%s", text);
    fputs(before, out);
    mae_markup_text(out, part);
    fputs(after, out);
}

void mae_report_section(MaeReport *report, const char *id, const char *title)
{
    Section *section = &report->sections[report->section_count];

    settle(report);
    assert(report->section_count < MAE_REPORT_SECTIONS);
    report->section_count++;
    print(section->id, sizeof section->id, "%s", id);
    print(section->title, sizeof section->title, "%s", title);
    fprintf(report->body, "%s", report->section_count > 1 ? "</section>\n" : "");
    write_escaped(report->body, "<section id=\"", section->id, "\">\n<h2>");
    write_escaped(report->body, "", section->title, "</h2>\n");
}

/* Six times: every character may become a reference. */
static void write_text(MaeReport *report, const char *before, const char *fmt,
                       va_list args, const char *after)
{
    char text[MAE_REPORT_TEXT];

    format(text, sizeof text, fmt, args);
    fputs(before, report->body);
    mae_markup_text(report->body, text);
    fputs(after, report->body);
}

void mae_report_text(MaeReport *report, const char *fmt, ...)
{
    va_list args;

    settle(report);
    if (!has_room(report, 6 * MAE_REPORT_TEXT))
        return;
    va_start(args, fmt);
    write_text(report, "<p>", fmt, args, "</p>\n");
    va_end(args);
}

void mae_report_fact(MaeReport *report, const char *name, const char *fmt, ...)
{
    va_list args;

    if (report->open != OPEN_FACTS)
        settle(report);
    if (!has_room(report, 12 * MAE_REPORT_TEXT))
        return;
    fprintf(report->body, "%s<div><dt>", report->open != OPEN_FACTS ? "<dl>\n" : "");
    report->open = OPEN_FACTS;
    write_escaped(report->body, "", name, "");
    va_start(args, fmt);
    write_text(report, "</dt><dd>", fmt, args, "</dd></div>\n");
    va_end(args);
}

void mae_report_table(MaeReport *report, const MaeReportTable *table)
{
    FILE *out = report->body;

    settle(report);
    assert(table->column_count > 0 && table->column_count <= COLUMNS);
    report->open = OPEN_TABLE;
    report->folded = table->folded;
    report->columns = table->column_count;
    report->cells = 0;
    if (table->folded)
        write_escaped(out, "<details><summary>", table->caption, "</summary>\n");
    write_escaped(out,
                  "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"",
                  table->caption, "\">\n<table>");
    write_escaped(out, "<caption>", table->caption, "</caption>\n<thead><tr>");
    for (size_t i = 0; i < table->column_count; i++) {
        report->number[i] = table->columns[i].number;
        write_escaped(out,
                      report->number[i] ? "<th scope=\"col\" class=\"number\">"
                                        : "<th scope=\"col\">",
                      table->columns[i].title, "</th>");
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

void mae_report_cell(MaeReport *report, const char *fmt, ...)
{
    const size_t index = report->cells, column = index % report->columns;
    va_list args;

    assert(report->open == OPEN_TABLE);
    if (index >= MAE_REPORT_ROWS * report->columns) {
        report->cells++;
        return;
    }
    if (!has_room(report, 6 * MAE_REPORT_TEXT))
        return;
    report->cells++;
    if (column == 0)
        fputs(index > 0 ? "</tr>\n<tr>" : "<tr>", report->body);
    va_start(args, fmt);
    write_text(report, report->number[column] ? "<td class=\"number\">" : "<td>", fmt,
               args, "</td>");
    va_end(args);
}

/* As PNG, or as JPEG if that is large. */
static MaeStatus encode(uint8_t **bytes, size_t *size, const char **type,
                        const MaeImage *image, MaeError *err)
{
    uint8_t *jpeg = NULL;
    size_t jpeg_size = 0;

    MAE_TRY(mae_image_encode_png(bytes, size, image, err));
    *type = "png";
    if (*size <= MAE_REPORT_PNG ||
        mae_image_encode_jpeg(&jpeg, &jpeg_size, image, JPEG_QUALITY, NULL) != MAE_OK)
        return MAE_OK;
    free(*bytes);
    *bytes = jpeg;
    *size = jpeg_size;
    *type = "jpeg";
    return MAE_OK;
}

static void write_image(MaeReport *report, const MaeReportFigure *figure, size_t i)
{
    const MaeImage *image = &figure->images[i];
    uint8_t *bytes = NULL;
    size_t size = 0;
    const char *type = "";
    MaeError why = {0};

    if (encode(&bytes, &size, &type, image, &why) != MAE_OK) {
        if (report->failed.status == MAE_OK)
            report->failed = why;
        return;
    }
    if (has_room(report, size / 3 * 4 + 6 * MAE_REPORT_TEXT)) {
        const size_t scale = mae_canvas_scale(image->height, image->width, PICTURE_SIZE);

        write_escaped(report->body, "<img alt=\"", figure->title, ", ");
        write_escaped(report->body, "", figure->labels[i], "\"");
        fprintf(report->body,
                "%s width=\"%zu\" height=\"%zu\" src=\"data:image/%s;base64,",
                scale > 1             ? " class=\"pixels\""
                : image->width > WIDE ? " class=\"wide\""
                                      : "",
                scale * image->width, scale * image->height, type);
        mae_markup_base64(report->body, bytes, size);
        fputs("\">\n", report->body);
    }
    free(bytes);
}

static void write_control(MaeReport *report, const MaeReportFigure *figure)
{
    fprintf(report->body, "<div class=\"control\" hidden><label for=\"slider-%zu\">",
            report->figures);
    write_escaped(report->body, "", figure->control, "</label>");
    fprintf(report->body,
            "<input type=\"range\" id=\"slider-%zu\" min=\"0\" max=\"%zu\" "
            "step=\"1\" value=\"%zu\" autocomplete=\"off\"></div>\n",
            report->figures, figure->count - 1, figure->first);
}

static void write_caption(FILE *out, const char *title, const char *caption)
{
    write_escaped(out, "<figcaption><strong>", title, "</strong>");
    if (caption != NULL)
        write_escaped(out, "<span>", caption, "</span>");
    fputs("</figcaption>\n", out);
}

void mae_report_figure(MaeReport *report, const MaeReportFigure *figure)
{
    const bool slider = figure->count > 1;
    FILE *out = report->body;

    settle(report);
    report->figures++;
    fprintf(out, "<figure%s", slider ? " class=\"slider\"" : "");
    if (figure->id != NULL)
        write_escaped(out, " id=\"", figure->id, "\"");
    fputs(">\n", out);
    write_caption(out, figure->title, figure->caption);
    if (slider)
        write_control(report, figure);
    for (size_t i = 0; i < figure->count; i++) {
        fputs("<div class=\"frame\">\n", out);
        write_image(report, figure, i);
        write_escaped(out, "<p class=\"label\">", figure->labels[i], "</p>\n</div>\n");
    }
    fputs("</figure>\n", out);
}

void mae_report_drawing(MaeReport *report, const char *title, const char *caption,
                        const char *svg)
{
    settle(report);
    if (!has_room(report, strlen(svg) + 12 * MAE_REPORT_TEXT))
        return;
    fputs("<figure>\n", report->body);
    write_caption(report->body, title, caption);
    write_escaped(report->body,
                  "<div class=\"drawing\" tabindex=\"0\" role=\"region\" aria-label=\"",
                  title, "\">\n");
    fprintf(report->body, "%s</div>\n</figure>\n", svg);
}

void mae_report_chart(MaeReport *report, const char *caption, const MaeChart *chart)
{
    settle(report);
    if (!has_room(report, CHART_BYTES))
        return;
    fputs("<figure>\n", report->body);
    write_caption(report->body, chart->title, caption);
    mae_chart_write(report->body, chart);
    fputs("</figure>\n", report->body);
}

static void write_page(const MaeReport *report, FILE *out)
{
    mae_report_page_head(out, report->title);
    write_escaped(out, "<header>\n<h1>", report->title, "</h1>\n");
    if (report->subtitle[0] != '\0')
        write_escaped(out, "<p>", report->subtitle, "</p>\n");
    fputs("</header>\n<nav aria-label=\"Sections\"><ul>\n", out);
    for (size_t i = 0; i < report->section_count; i++) {
        write_escaped(out, "<li><a href=\"#", report->sections[i].id, "\">");
        write_escaped(out, "", report->sections[i].title, "</a></li>\n");
    }
    fputs("</ul></nav>\n<main>\n", out);
    (void)fwrite(report->text, 1, report->size, out);
    fputs(report->section_count > 0 ? "</section>\n</main>\n" : "</main>\n", out);
    if (report->left_out > 0)
        fprintf(
            out,
            "<footer>%zu parts are left out: the page has reached %zu MiB.</footer>\n",
            report->left_out, MAE_REPORT_BYTES >> 20);
    mae_report_page_foot(out);
}

MaeStatus mae_report_write(MaeReport *report, const char *path, MaeError *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out;
    bool whole;
    MaeStatus status;

    settle(report);
    if (report->failed.status != MAE_OK)
        MAE_FAIL(err, report->failed.status, "%s: %.400s", path, report->failed.msg);
    if (fflush(report->body) != 0 || ferror(report->body) ||
        (out = open_memstream(&text, &size)) == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    write_page(report, out);
    whole = !ferror(out);
    if (fclose(out) != 0 || !whole)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "%s: out of memory", path);
    else
        status = mae_file_write_atomic(path, text, size, err);
    free(text);
    return status;
}
