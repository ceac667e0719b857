#include "eval/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "support/test.h"

static char *drawn(const MaeChart *chart)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    mae_chart_write(out, chart);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

/* The number at @p at, which moves behind it and what is before and after it. */
static bool next_number(const char **at, double *x)
{
    char number[64];
    const char *from = *at + strspn(*at, " ,");
    const size_t length = strspn(from, "0123456789.");

    if (length == 0 || length >= sizeof number)
        return false;
    (void)snprintf(number, sizeof number, "%.*s", (int)length, from);
    *at = from + length;
    return mae_text_real(number, x);
}

/* x from 1 to 5 is the whole width, 78 to 704; y from -1 to 3, with 5 % margins. */
START_TEST(points_lie_where_their_numbers_say)
{
    const double x[] = {1.0, 2.0, 5.0}, y[] = {-1.0, 3.0, 1.0};
    const MaeChartSeries series = {"<loss>", x, y, 3, false};
    const MaeChartYardstick lines[] = {{"half & half", 1.0}, {"none", NAN}};
    const MaeChart chart = {.title = "a \"title\"",
                            .x_label = "epoch",
                            .y_label = "loss",
                            .series = &series,
                            .series_count = 1,
                            .yardsticks = lines,
                            .yardstick_count = 2};
    char *text = drawn(&chart);

    mae_test_has(text, "aria-label=\"a &quot;title&quot;\"");
    mae_test_has(
        text, "<polyline class=\"s0\" points=\" 78.0,276.5 234.5,47.5 704.0,162.0\"/>");
    mae_test_has(text, "<path class=\"y0\" d=\"M78 162.0H704\"/>");
    mae_test_has(text, "<title>&lt;loss&gt;: -1 at 1</title>");
    mae_test_has(text, "half &amp; half (1)");
    ck_assert_ptr_null(strstr(text, "none"));
    for (int i = 1; i <= 5; i++) { /* whole numbers below the x axis */
        char tick[32];

        (void)snprintf(tick, sizeof tick, "y=\"297\">%d</text>", i);
        mae_test_has(text, tick);
    }
    ck_assert_uint_eq(mae_test_count(text, "class=\"across\""), 5);
    ck_assert_uint_eq(mae_test_count(text, "class=\"up\""), 5);
    free(text);
}
END_TEST

/* A factor of 10 is everywhere the same distance; what has no logarithm is left out. */
START_TEST(logarithmic_axis_shows_powers)
{
    const double x[] = {0.0, 1.0, 2.0, 3.0}, y[] = {1.0, 0.0, 10.0, 100.0};
    const MaeChartSeries series = {"s", x, y, 4, false};
    MaeChart chart = {.title = "t",
                      .x_label = "x",
                      .y_label = "y",
                      .series = &series,
                      .series_count = 1,
                      .log_y = true};
    char *text = drawn(&chart);
    const char *points = strstr(text, "points=\"") + 8;
    double across, at[3];

    for (int i = 0; i < 3; i++) {
        ck_assert(next_number(&points, &across) && next_number(&points, &at[i]));
        ck_assert_double_eq(across, ((const double[]){78.0, 495.3, 704.0})[i]);
    }
    ck_assert(*points == '"');
    ck_assert_double_eq_tol(at[0] - at[1], at[1] - at[2], 0.11);
    mae_test_has(text, ">10</text>");
    mae_test_has(text, ">50</text>");
    free(text);
}
END_TEST

/* A million points: bounded, every peak there, in the order in which they come. */
START_TEST(many_points_are_thinned)
{
    const size_t n = 1000000;
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    const MaeChartSeries series = {"s", x, y, n, false};
    const MaeChart chart = {.title = "t",
                            .x_label = "x",
                            .y_label = "y",
                            .series = &series,
                            .series_count = 1};
    double before = -1.0, now, height, top = 1e9;
    const char *at;
    char *text;
    size_t points = 0;

    ck_assert(x != NULL && y != NULL);
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)i;
        y[i] = i == 765432 ? 10.0 : sin((double)i * 1e-5) + (double)(i % 7) * 0.1;
    }
    text = drawn(&chart);
    ck_assert_uint_lt(strlen(text), 60000);
    at = strstr(text, "points=\"") + 8;
    while (next_number(&at, &now) && next_number(&at, &height)) {
        ck_assert_double_ge(now, before - 0.11); /* one digit */
        before = now;
        top = fmin(top, height);
        points++;
    }
    ck_assert_uint_gt(points, 2 * MAE_CHART_COLUMNS);
    ck_assert_uint_le(points, 4 * (MAE_CHART_COLUMNS + 1));
    ck_assert_double_lt(top, 60.0); /* the only 10 */
    ck_assert_ptr_null(strstr(text, "<circle"));
    free(text);
    free(x);
    free(y);
}
END_TEST

/* Numbers that are none, equal, huge, tiny or in disorder: never NaN, never endless. */
START_TEST(odd_numbers_do_no_harm)
{
    static const double X[][4] = {
        {1, 2, 3, 4},          {5, 5, 5, 5},
        {1, NAN, 3, INFINITY}, {3, 2, 4, 1},
        {0, 0, 0, 0},          {1e15, 1e15, 1e15, 1e15},
        {-1e300, 0, 0, 1e300}, {1e-300, 2e-300, 3e-300, 4e-300}};
    static const double Y[][4] = {{1, 1, 1, 1},
                                  {NAN, NAN, NAN, NAN},
                                  {-1e300, 1e300, 0, 0},
                                  {1e-300, 1e-300, 2e-300, 0},
                                  {0, 0, 0, 0},
                                  {1e308, 1, 2, -INFINITY},
                                  {1e15, 1e15 + 1, 1e15 + 2, 1e15 + 3},
                                  {1e-300, 1e300, 1, 1}};

    for (size_t i = 0; i < 8 * 8 * 2; i++) {
        const MaeChartSeries series = {"s", X[i / 8 % 8], Y[i % 8], 4, false};
        const MaeChart chart = {.title = "t",
                                .x_label = "x",
                                .y_label = "y",
                                .series = &series,
                                .series_count = 1,
                                .log_y = i >= 64};
        char *text = drawn(&chart);

        ck_assert_msg(strstr(text, "nan") == NULL && strstr(text, "inf") == NULL,
                      "case %zu: %s", i, text);
        ck_assert_uint_lt(strlen(text), 6000);
        free(text);
    }
}
END_TEST

/* A steep beginning of noise: y still ends at 3, and what is above is cut off. */
START_TEST(faint_series_leave_the_range_to_others)
{
    const double x[] = {0.0, 1.0, 2.0, 3.0}, y[] = {1.0, 2.0, 3.0, 1.0};
    const double noise[] = {1e200, 9.0, 2.5, 1.5};
    const MaeChartSeries series[] = {{"mean", x, y, 4, false},
                                     {"all", x, noise, 4, true}};
    const MaeChart chart = {.title = "t",
                            .x_label = "x",
                            .y_label = "y",
                            .series = series,
                            .series_count = 2};
    char *text = drawn(&chart);

    mae_test_has(text, "<svg x=\"78\" y=\"36\" width=\"626\" height=\"252\" "
                       "viewBox=\"78 36 626 252\"><polyline class=\"s1 faint\" points=\" "
                       "78.0,-9999.0 286.7,-639.8");
    mae_test_has(text, "points=\" 78.0,276.5 286.7,162.0 495.3,47.5 704.0,276.5\"");
    ck_assert_uint_eq(mae_test_count(text, "<circle"), 4);
    ck_assert_uint_eq(mae_test_count(text, "<li>"), 2);
    free(text);
}
END_TEST

START_TEST(nothing_to_draw_is_said)
{
    const MaeChart chart = {.title = "t", .x_label = "x", .y_label = "y"};
    char *text = drawn(&chart);

    mae_test_has(text, "no values yet");
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_chart");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, points_lie_where_their_numbers_say);
    tcase_add_test(tc, logarithmic_axis_shows_powers);
    tcase_add_test(tc, many_points_are_thinned);
    tcase_add_test(tc, odd_numbers_do_no_harm);
    tcase_add_test(tc, faint_series_leave_the_range_to_others);
    tcase_add_test(tc, nothing_to_draw_is_said);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
