#include "eval/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/canvas.h"
#include "eval/report_figures.h"
#include "store/file.h"
#include "support/test.h"

#define HOSTILE "<script>alert(1)</script>\"'&\n\x01\xff"
#define TAMED                                                                            \
    "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\n\xef\xbf\xbd\xef\xbf\xbd"

static MaeReport *opened(void)
{
    MaeReport *report = NULL;
    MaeError err = {0};

    ck_assert_ok(mae_report_open(&report, "T " HOSTILE, "S " HOSTILE, &err));
    return report;
}

/* Write, close and read the report. */
static char *written(MaeReport *report, size_t *size)
{
    char path[512], *folder = mae_test_folder();
    unsigned char *text = NULL;
    MaeError err = {0};

    (void)snprintf(path, sizeof path, "%s/report.html", folder);
    ck_assert_ok(mae_report_write(report, path, &err));
    mae_report_close(report);
    ck_assert_ok(mae_file_read_all(path, (size_t)64 << 20, &text, size, &err));
    mae_test_folder_remove(folder);
    return (char *)text;
}

static void assert_balanced(const char *text)
{
    static const char *const names[] = {
        "section", "dl",         "dd",      "table", "tbody", "tr", "td",  "div",
        "figure",  "figcaption", "details", "ul",    "svg",   "p",  "nav", "main"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char begin[32], plain[32], end[32];

        (void)snprintf(begin, sizeof begin, "<%s ", names[i]);
        (void)snprintf(plain, sizeof plain, "<%s>", names[i]);
        (void)snprintf(end, sizeof end, "</%s>", names[i]);
        ck_assert_msg(mae_test_count(text, begin) + mae_test_count(text, plain) ==
                          mae_test_count(text, end),
                      "<%s> is not balanced", names[i]);
    }
}

static void fill(MaeImage *image, size_t height, size_t width, unsigned noise)
{
    MaeError err = {0};

    ck_assert_ok(mae_image_reshape(image, height, width, 3, MAE_PIXEL_U8, &err));
    for (size_t i = 0; i < height * width * 3; i++) {
        noise = noise * 1664525u + 1013904223u;
        ((uint8_t *)image->data)[i] = (uint8_t)(noise >> 24);
    }
}

START_TEST(everything_from_outside_is_escaped)
{
    const double x[] = {0.0, 1.0};
    const MaeChartSeries series = {HOSTILE, x, x, 2, false};
    const MaeChartYardstick line = {HOSTILE, 0.5};
    const MaeChart chart = {HOSTILE, HOSTILE, HOSTILE, &series, 1, &line, 1, false};
    const MaeReportColumn columns[] = {{HOSTILE, false}, {"n", true}};
    const char *labels[] = {HOSTILE, "second"};
    MaeImage images[2] = {0};
    MaeReport *report = opened();
    size_t size;
    char *text;

    fill(&images[0], 3, 5, 1);
    fill(&images[1], 3, 5, 2);
    mae_report_section(report, "a", HOSTILE);
    mae_report_text(report, "%s", HOSTILE);
    mae_report_fact(report, HOSTILE, "%s", HOSTILE);
    mae_report_fact(report, "second", "%d", 2);
    mae_report_table(report, &(MaeReportTable){HOSTILE, columns, 2, true});
    mae_report_cell(report, "%s", HOSTILE);
    mae_report_cell(report, "%d", 7);
    mae_report_section(report, "b", "B");
    mae_report_figure(report, &(MaeReportFigure){.title = HOSTILE,
                                                 .caption = HOSTILE,
                                                 .control = HOSTILE,
                                                 .images = images,
                                                 .labels = labels,
                                                 .count = 2,
                                                 .first = 1});
    mae_report_chart(report, HOSTILE, &chart);
    text = written(report, &size);
    ck_assert_uint_eq(mae_test_count(text, "<script>"), 1); /* our own */
    ck_assert_uint_eq(mae_test_count(text, TAMED), 29);
    assert_balanced(text);
    mae_test_has(text, "<html lang=\"en\">");
    mae_test_has(text, "<li><a href=\"#a\">");
    mae_test_has(text, "<td class=\"number\">7</td>");
    mae_test_has(text, "min=\"0\" max=\"1\" step=\"1\" value=\"1\"");
    mae_test_has(text, "width=\"640\" height=\"384\" src=\"data:image/png;base64,iVBOR");
    ck_assert_ptr_null(strstr(text, "http:"));
    ck_assert_ptr_null(strstr(text, "https:"));
    free(text);
    mae_image_done(&images[0]);
    mae_image_done(&images[1]);
}
END_TEST

/* "é" across the limit: whole characters, then dots. */
/* A drawing is taken as it is, its title and caption are not. */
START_TEST(figures_of_views_have_their_sections)
{
    MaeFigure made[3] = {{.view = "kernels", .title = HOSTILE, .caption = "A " HOSTILE},
                         {.view = "kernels", .title = "second", .caption = "B"},
                         {.view = "map", .title = "M " HOSTILE, .caption = "C"}};
    MaeFigures figures = {0};
    MaeReport *report = opened();
    MaeError err = {0};
    size_t size;
    char *text;

    ck_assert_ok(mae_canvas_open(&made[0].picture, 3, 5, &err));
    ck_assert_ok(mae_canvas_open(&made[1].picture, 3, 5, &err));
    made[2].svg = strdup("<svg class=\"mae-map\"><path d=\"M1 2h3z\"/></svg>\n");
    for (size_t i = 0; i < 3; i++)
        ck_assert_ok(mae_figures_add(&figures, &made[i], &err));
    mae_report_figures(report, &figures);
    mae_figures_done(&figures);
    text = written(report, &size);
    assert_balanced(text);
    ck_assert_uint_eq(mae_test_count(text, "<section id="), 2);
    mae_test_has(text, "<a href=\"#kernels\">Kernels</a>");
    mae_test_has(text, "<section id=\"map\">\n<h2>Map</h2>");
    mae_test_has(text, "<strong>" TAMED "</strong>");
    mae_test_has(text, "<span>A " TAMED "</span>");
    mae_test_has(text, "aria-label=\"M " TAMED "\">\n<svg class=\"mae-map\"><path d=");
    ck_assert_ptr_null(strstr(text, "<script>alert"));
    free(text);
}
END_TEST

START_TEST(long_texts_are_cut_between_characters)
{
    MaeReport *report = opened();
    char *text, *longer = malloc(3 * MAE_REPORT_TEXT);
    size_t size;

    longer[0] = 'x';
    for (size_t i = 1; i + 1 < 3 * MAE_REPORT_TEXT; i += 2)
        memcpy(longer + i, "\xc3\xa9", 2);
    longer[3 * MAE_REPORT_TEXT - 1] = '\0';
    mae_report_text(report, "%s", longer);
    text = written(report, &size);
    mae_test_has(text, "\xc3\xa9...</p>");
    ck_assert_uint_gt(size, MAE_REPORT_TEXT);
    ck_assert_uint_lt(mae_test_count(text, "\xc3\xa9"), MAE_REPORT_TEXT / 2);
    ck_assert_uint_gt(mae_test_count(text, "\xc3\xa9"), MAE_REPORT_TEXT / 2 - 8);
    ck_assert_ptr_null(strstr(strstr(text, "<main>"), "\xef\xbf\xbd"));
    free(text);
    free(longer);
}
END_TEST

START_TEST(rows_are_limited)
{
    const MaeReportColumn columns[] = {{"a", false}, {"b", true}};
    MaeReport *report = opened();
    char *text;
    size_t size;

    mae_report_table(report, &(MaeReportTable){"t", columns, 2, false});
    for (size_t i = 0; i < MAE_REPORT_ROWS + 5; i++) {
        mae_report_cell(report, "%zu", i);
        mae_report_cell(report, "%zu", i);
    }
    text = written(report, &size);
    ck_assert_uint_eq(mae_test_count(text, "<tr><td>"), MAE_REPORT_ROWS);
    mae_test_has(text, "and 5 more");
    assert_balanced(text);
    free(text);
}
END_TEST

/* Noise does not compress: large ones become JPEG, and at last pictures are left out. */
START_TEST(pages_are_limited)
{
    MaeReport *report = opened();
    const char *label = "noise";
    MaeImage image = {0};
    char *text;
    size_t size;

    fill(&image, 900, 1200, 3);
    for (size_t i = 0; i < 20; i++)
        mae_report_figure(
            report, &(MaeReportFigure){
                        .title = "t", .images = &image, .labels = &label, .count = 1});
    text = written(report, &size);
    ck_assert_uint_lt(size, MAE_REPORT_BYTES + 100000);
    ck_assert_uint_gt(mae_test_count(text, "image/jpeg"), 8);
    ck_assert_uint_lt(mae_test_count(text, "<img "), 20);
    mae_test_has(text, "parts are left out");
    assert_balanced(text);
    free(text);
    mae_image_done(&image);
}
END_TEST

START_TEST(failures_are_kept_and_harm_nothing)
{
    char path[512], *folder = mae_test_folder();
    MaeReport *report = opened();
    MaeImage empty = {0};
    const char *label = "";
    MaeError err = {0};

    ck_assert_fails(mae_report_write(report, "/nonexistent/report.html", &err),
                    MAE_ERR_IO, "/nonexistent");
    mae_report_figure(
        report,
        &(MaeReportFigure){.title = "t", .images = &empty, .labels = &label, .count = 1});
    (void)snprintf(path, sizeof path, "%s/never.html", folder);
    ck_assert_fails(mae_report_write(report, path, &err), MAE_ERR_ARG, "never.html");
    ck_assert_ptr_null(fopen(path, "r"));
    mae_test_folder_remove(folder);
    mae_report_close(report);
    mae_report_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_report");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 30.0);
    tcase_add_test(tc, everything_from_outside_is_escaped);
    tcase_add_test(tc, figures_of_views_have_their_sections);
    tcase_add_test(tc, long_texts_are_cut_between_characters);
    tcase_add_test(tc, rows_are_limited);
    tcase_add_test(tc, pages_are_limited);
    tcase_add_test(tc, failures_are_kept_and_harm_nothing);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
