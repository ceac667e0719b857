#include "eval/scatter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/canvas.h"
#include "support/test.h"

static MaeError err;

static const float POINTS[] = {0, 0, 2, 1, NAN, 5, -2, -1}; /* the third is left out */
static const int64_t LABELS[] = {0, 9, 1, -1};
static const char *const CLASSES[] = {
    "<cat>", "b&\"'\x01\xff", "c", "d", "e", "f", "g", "h", "i", "square"};
static const char *const NAMES[] = {"a/1.png", "<script>alert(1)</script>", "x", "]]>&"};

static char *drawn(const MaeScatter *scatter)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    ck_assert_ok(mae_scatter_write(out, scatter, &err));
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static char *end_of_tag(const char *tag)
{
    char *end = strchr(tag, '>');

    ck_assert_msg(end != NULL, "a tag does not end: %.40s", tag);
    return end;
}

/* Tags nest and end, quotes come in pairs, references are those of markup.h. */
static void check_well_formed(const char *text)
{
    char open[16][16];
    size_t depth = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '&')
            ck_assert(strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&lt;", 4) == 0 ||
                      strncmp(at, "&gt;", 4) == 0 || strncmp(at, "&quot;", 6) == 0 ||
                      strncmp(at, "&#39;", 5) == 0);
        if (*at != '<')
            continue;
        const char *end = end_of_tag(at);
        size_t quotes = 0;

        for (const char *c = at; c < end; c++)
            quotes += *c == '"';
        ck_assert_uint_eq(quotes % 2, 0);
        if (at[1] == '/') {
            ck_assert_uint_gt(depth, 0);
            depth--;
            ck_assert_int_eq(strncmp(at + 2, open[depth], strlen(open[depth])), 0);
            ck_assert_ptr_eq(at + 2 + strlen(open[depth]), end);
        } else if (end[-1] != '/') {
            ck_assert_uint_lt(depth, 16);
            (void)snprintf(open[depth++], 16, "%.*s", (int)strcspn(at + 1, " >"), at + 1);
        }
        at = end;
    }
    ck_assert_uint_eq(depth, 0);
}

static MaeScatter sample(const MaeScatterPanel *panels, size_t count)
{
    return (MaeScatter){.title = "Map of <data>",
                        .panels = panels,
                        .panel_count = count,
                        .columns = 2,
                        .count = 4,
                        .labels = LABELS,
                        .classes = CLASSES,
                        .class_count = 10,
                        .names = NAMES};
}

START_TEST(is_well_formed_and_escaped)
{
    const MaeScatterPanel panels[] = {
        {"PCA & more", POINTS}, {"t-SNE", POINTS}, {"third", POINTS}};
    const MaeScatter scatter = sample(panels, 3);
    char *text = drawn(&scatter);

    check_well_formed(text);
    ck_assert_ptr_null(strstr(text, "<script"));
    ck_assert_ptr_nonnull(strstr(text, "<title>Map of &lt;data&gt;</title>"));
    ck_assert_ptr_nonnull(strstr(text, "<title>a/1.png: &lt;cat&gt;</title>"));
    ck_assert_ptr_nonnull(
        strstr(text, "<title>&lt;script&gt;alert(1)&lt;/script&gt;: square</title>"));
    ck_assert_ptr_nonnull(strstr(text, "<title>]]&gt;&amp;</title>"));
    ck_assert_ptr_nonnull(strstr(text, "b&amp;&quot;&#39;\xef\xbf\xbd\xef\xbf\xbd"));
    ck_assert_ptr_nonnull(strstr(text, "prefers-color-scheme:dark"));
    ck_assert_uint_eq(mae_test_count(text, " dot\""), 3 * 3);
    free(text);
}
END_TEST

/* The middle of what is finite is the panel's; the scale is that of the longer side. */
START_TEST(points_lie_where_they_should)
{
    const MaeScatterPanel panel = {"", POINTS};
    const MaeScatter scatter = sample(&panel, 1);
    char *text = drawn(&scatter);

    ck_assert_ptr_nonnull(strstr(text, "<circle cx=\"256.0\" cy=\"274.0\" r=\"3.6\" "
                                       "class=\"k0 dot\">"));
    ck_assert_ptr_nonnull(strstr(text, "<circle cx=\"36.0\" cy=\"384.0\" r=\"3.6\" "
                                       "class=\"k dot\">"));
    /* class 9: the second colour, a square around (476, 164) */
    ck_assert_ptr_nonnull(strstr(text, "<path d=\"M472.8 160.8h6.5v6.5h-6.5z\" "
                                       "class=\"k1 dot\">"));
    free(text);
}
END_TEST

START_TEST(legends_end)
{
    const MaeScatterPanel panel = {"", POINTS};
    const char *many[60];
    MaeScatter scatter = sample(&panel, 1);
    char *text;

    for (size_t i = 0; i < 60; i++)
        many[i] = "class";
    scatter.classes = many;
    scatter.class_count = 60;
    text = drawn(&scatter);
    check_well_formed(text);
    ck_assert_uint_eq(mae_test_count(text, ">class</text>"), 40);
    ck_assert_ptr_nonnull(strstr(text, ">and 20 more</text>"));
    free(text);
    scatter.labels = NULL;
    scatter.names = NULL;
    text = drawn(&scatter);
    check_well_formed(text);
    ck_assert_uint_eq(mae_test_count(text, ">class</text>"), 0);
    ck_assert_uint_eq(mae_test_count(text, "class=\"k dot\"/>"), 3);
    free(text);
}
END_TEST

/* One point; all in one place; none that is finite. */
START_TEST(odd_points_are_drawn)
{
    const float same[6] = {3, 3, 3, 3, 3, 3}, none[4] = {NAN, 1, 1, INFINITY};
    MaeScatterPanel panel = {"", same};
    MaeScatter scatter = {.title = "", .panels = &panel, .panel_count = 1, .columns = 1};
    char *text;

    for (scatter.count = 1; scatter.count <= 3; scatter.count++) {
        text = drawn(&scatter);
        ck_assert_uint_eq(mae_test_count(text, "cx=\"256.0\" cy=\"274.0\""),
                          scatter.count);
        free(text);
    }
    panel.points = none;
    scatter.count = 2;
    text = drawn(&scatter);
    ck_assert_uint_eq(mae_test_count(text, "<circle"), 0);
    free(text);
    scatter.count = MAE_SCATTER_POINTS + 1;
    ck_assert_fails(mae_scatter_write(stderr, &scatter, &err), MAE_ERR_ARG,
                    "at most 20000 points, got 20001");
}
END_TEST

/* Every so-manyth of many has its picture, stored once for both panels. */
START_TEST(pictures_are_bounded)
{
    enum { N = 900 };
    float *points = mae_test_normal(2 * N, 3, 0);
    const MaeScatterPanel panels[] = {{"", points}, {"", points}};
    MaeImage *thumbs = mae_test_alloc(N * sizeof *thumbs);
    MaeScatter scatter = {.title = "",
                          .panels = panels,
                          .panel_count = 2,
                          .columns = 2,
                          .count = N,
                          .thumbs = thumbs};
    char *text;

    for (size_t i = 0; i < N; i++)
        ck_assert_ok(mae_canvas_open(&thumbs[i], 4, 5, &err));
    text = drawn(&scatter);
    check_well_formed(text);
    ck_assert_uint_eq(mae_test_count(text, "<image id="), 400);
    ck_assert_uint_eq(mae_test_count(text, "<use href="), 800);
    ck_assert_ptr_nonnull(strstr(text, "href=\"data:image/png;base64,iVBORw0KGgo"));
    for (size_t i = 0; i < N; i++)
        mae_image_done(&thumbs[i]);
    free(text);
    free(points);
    free(thumbs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_scatter");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, is_well_formed_and_escaped);
    tcase_add_test(tc, points_lie_where_they_should);
    tcase_add_test(tc, legends_end);
    tcase_add_test(tc, odd_points_are_drawn);
    tcase_add_test(tc, pictures_are_bounded);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
