#include "store/markup.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

static const struct {
    const char *text, *want;
} TEXTS[] = {
    {"", ""},
    {"plain 7.5 %", "plain 7.5 %"},
    {"<script>alert(\"x\" + 'y' & z)</script>",
     "&lt;script&gt;alert(&quot;x&quot; + &#39;y&#39; &amp; z)&lt;/script&gt;"},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"a\x1b[31mb\x7f\xc2\x85", "a\xef\xbf\xbd[31mb\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xff\xc0\xaf!", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!"},
    {"two\nlines\t.", "two\nlines\t."},
};

START_TEST(text_is_shown_not_interpreted)
{
    char *got = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&got, &size);

    mae_markup_text(out, TEXTS[_i].text);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(got, TEXTS[_i].want);
    free(got);
}
END_TEST

/* The vectors of RFC 4648, and every byte. */
static const struct {
    const char *bytes, *want;
} VECTORS[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xfe\xfb\xef", "//777w=="},
};

START_TEST(bytes_become_base64)
{
    char *got = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&got, &size);

    mae_markup_base64(out, VECTORS[_i].bytes, strlen(VECTORS[_i].bytes));
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(got, VECTORS[_i].want);
    free(got);
}
END_TEST

START_TEST(no_text_is_nothing)
{
    char *got = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&got, &size);

    mae_markup_text(out, NULL);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_uint_eq(size, 0);
    free(got);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_markup");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, text_is_shown_not_interpreted, 0,
                        sizeof TEXTS / sizeof *TEXTS);
    tcase_add_loop_test(tc, bytes_become_base64, 0, sizeof VECTORS / sizeof *VECTORS);
    tcase_add_test(tc, no_text_is_nothing);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
