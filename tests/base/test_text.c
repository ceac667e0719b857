#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

static size_t distance(const char *a, const char *b)
{
    return mae_text_distance(a, strlen(a), b, strlen(b));
}

START_TEST(distances)
{
    char longest[MAE_TEXT_WORD + 2];

    ck_assert_uint_eq(distance("", ""), 0);
    ck_assert_uint_eq(distance("", "abc"), 3);
    ck_assert_uint_eq(distance("abc", ""), 3);
    ck_assert_uint_eq(distance("kitten", "sitting"), 3);
    ck_assert_uint_eq(distance("epohcs", "epochs"), 1);
    ck_assert_uint_eq(distance("ca", "abc"), 3); /* restricted: no letter twice */
    ck_assert_uint_eq(distance("Mask-Ratio", "mask_ratio"), 0);
    memset(longest, 'x', sizeof longest);
    ck_assert_uint_eq(mae_text_distance(longest, MAE_TEXT_WORD, "y", 1), MAE_TEXT_WORD);
    ck_assert_uint_eq(mae_text_distance("y", 1, longest, MAE_TEXT_WORD), MAE_TEXT_WORD);
    ck_assert_uint_eq(mae_text_distance(longest, MAE_TEXT_WORD + 1, "y", 1), SIZE_MAX);
}
END_TEST

START_TEST(utf8)
{
    static const struct {
        const char *text;
        size_t bytes;
        uint32_t code;
    } GOOD[] = {
        {"", 1, 0},
        {"a", 1, 'a'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };
    static const char *const BAD[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2"
        "a",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xe2\x82",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80",
        "\xff",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
    };

    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        uint32_t code = 1;

        ck_assert_uint_eq(mae_text_utf8(GOOD[i].text, &code), GOOD[i].bytes);
        ck_assert_uint_eq(code, GOOD[i].code);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        ck_assert_msg(mae_text_utf8(BAD[i], NULL) == 0, "bad text %zu", i);
}
END_TEST

START_TEST(ends_and_controls)
{
    char text[] = "a\tb\033[2K\x7f\xc3\xa4\n";
    char more[] = "\xc2\x9b" /* CSI of U+009B and of Latin-1 */
                  "2K\x9b"
                  "2K\xff\xe2\x80\x9b\xc2\xa0\xc2";

    ck_assert(mae_text_ends("a.h5", ".h5"));
    ck_assert(mae_text_ends("a.h5", ""));
    ck_assert(!mae_text_ends("h5", ".h5"));
    ck_assert(!mae_text_ends("a.h5x", ".h5"));
    mae_text_tame(text);
    ck_assert_str_eq(text, "a?b?[2K?\xc3\xa4?");
    mae_text_tame(more);
    ck_assert_str_eq(more, "??2K?2K\xff\xe2\x80\x9b\xc2\xa0\xc2");
}
END_TEST

/* Also in the locale of a country that writes a comma. */
START_TEST(numbers_have_a_point)
{
    static const char *const BAD[] = {"",   "1,5", "nan", "0x10", "1.5 ",
                                      " 1", "1e",  ".",   "1.2.3"};
    char text[64], *written = NULL;
    size_t size = 0;
    double x = -7.0;
    MaeError err = {0};
    FILE *out = open_memstream(&written, &size);

    ck_assert_ptr_nonnull(out);
    if (_i == 1 && !mae_test_comma())
        return;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        ck_assert_msg(!mae_text_real(BAD[i], &x) && x == -7.0, "'%s'", BAD[i]);
    ck_assert(mae_text_real("-2.5e-1", &x) && x == -0.25);
    ck_assert(mae_text_real("1e999", &x) && isinf(x));
    ck_assert_int_eq(mae_text_format(text, sizeof text, "%.2f, %g", 0.25, 1e-7), 11);
    ck_assert_str_eq(text, "0.25, 1e-07");
    ck_assert_int_eq(mae_text_format(text, 4, "%s%.1f", "a", 12.5), 5);
    ck_assert_str_eq(text, "a12");
    ck_assert_int_eq(mae_text_print(out, "<%g>", 1.5), 5);
    (void)fclose(out);
    ck_assert_str_eq(written, "<1.5>");
    free(written);
    (void)mae_error_set(&err, MAE_ERR_ARG, "f", 1, "got %g", 2.5);
    ck_assert_str_eq(err.msg, "got 2.5");
    (void)snprintf(text, sizeof text, "%.1f", 2.5); /* the program keeps its own */
    ck_assert_str_eq(text, _i == 1 ? "2,5" : "2.5");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *all = tcase_create("all");

    tcase_add_test(all, distances);
    tcase_add_test(all, utf8);
    tcase_add_test(all, ends_and_controls);
    tcase_add_loop_test(all, numbers_have_a_point, 0, 2);
    suite_add_tcase(suite, all);
    return mae_test_main(suite);
}
