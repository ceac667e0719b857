#include "store/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

static char *folder, path[1024];
static MaeError err;
static MaeCsvReader csv;

static void setup(void)
{
    folder = mae_test_folder();
    (void)snprintf(path, sizeof path, "%s/t.csv", folder);
    csv = (MaeCsvReader){.open = false};
}

static void teardown(void)
{
    mae_csv_close(&csv);
    mae_test_folder_remove(folder);
}

static void begin(const char *text, size_t size)
{
    mae_test_write(path, text, size);
    ck_assert_ok(mae_csv_open(&csv, path, &err));
}

static void expect(size_t line, size_t count, const char *first, const char *last)
{
    ck_assert_ok(mae_csv_next(&csv, &err));
    ck_assert_uint_eq(csv.count, count);
    ck_assert_uint_eq(csv.line, line);
    ck_assert_str_eq(csv.fields[0], first);
    ck_assert_str_eq(csv.fields[count - 1], last);
}

static void expect_end(void)
{
    ck_assert_ok(mae_csv_next(&csv, &err));
    ck_assert_uint_eq(csv.count, 0);
}

static void refused(const char *text, size_t size, const char *why)
{
    begin(text, size);
    ck_assert_fails(mae_csv_next(&csv, &err), MAE_ERR_FORMAT, why);
}

/* What is written comes back, whatever it holds; more of it than any buffer. */
START_TEST(round_trip)
{
    enum { ROWS = 3000 };
    static const char odd[] = "a,\"b\"\r\n\001\xff,#";
    MaeOutput out;
    char text[64];

    ck_assert_ok(mae_output_open(&out, path, NULL, &err));
    mae_output_append(&out, "# a, comment\n", 13);
    for (size_t i = 0; i < ROWS; i++) {
        mae_csv_text(&out, odd);
        (void)snprintf(text, sizeof text, ",,%zu\n", i);
        mae_output_append(&out, text, strlen(text));
    }
    ck_assert_ok(mae_output_commit(&out, &err));
    ck_assert_ok(mae_csv_open(&csv, path, &err));
    expect(1, 1, "# a, comment", "# a, comment");
    ck_assert(csv.comment);
    for (size_t i = 0; i < ROWS; i++) {
        (void)snprintf(text, sizeof text, "%zu", i);
        expect(2 + 2 * i, 3, odd, text);
        ck_assert_str_eq(csv.fields[1], "");
        ck_assert(!csv.comment);
    }
    expect_end();
    expect_end();
}
END_TEST

START_TEST(records_as_others_write_them)
{
    static const char text[] = "a,b\r\n\"x\",\"\"\"y\"\"\"\r\n\n,,\n#c\r\n\"#d\"";

    begin(text, sizeof text - 1);
    expect(1, 2, "a", "b");
    expect(2, 2, "x", "\"y\"");
    expect(3, 1, "", "");
    expect(4, 3, "", "");
    expect(5, 1, "#c", "#c");
    ck_assert(csv.comment);
    expect(6, 1, "#d", "#d");
    ck_assert(!csv.comment);
    expect_end();
}
END_TEST

START_TEST(empty_file)
{
    begin("", 0);
    expect_end();
}
END_TEST

START_TEST(what_is_no_table)
{
    static const struct {
        const char *text;
        size_t size;
        const char *why;
    } bad[] = {
        {"\"a", 2, "t.csv:1: expected a closing quote, found the end"},
        {"\"a\"b", 4, "t.csv:1: expected a comma behind a quote"},
        {"a\"b", 3, "t.csv:1: found a quote within a field"},
        {"a\0b", 3, "t.csv:1: expected text, found a NUL byte"},
        {"\"a\n\0\"", 5, "t.csv:2: expected text, found a NUL byte"},
    };

    refused(bad[_i].text, bad[_i].size, bad[_i].why);
}
END_TEST

/* Endless lines and endless rows of commas stop where memory would begin to grow. */
START_TEST(too_long_for_the_memory)
{
    const size_t size = 3 * MAE_CSV_RECORD;
    char *text = mae_test_alloc(size);

    memset(text, 'a', size);
    refused(text, size, "t.csv:1: expected records of at most 65536 bytes");
    mae_csv_close(&csv);
    text[0] = '"';
    refused(text, size, "t.csv:1: expected records of at most 65536 bytes");
    mae_csv_close(&csv);
    memset(text, ',', size);
    refused(text, size, "t.csv:1: expected at most 64 fields, found more");
    mae_csv_close(&csv);
    memset(text, 'a', size);
    text[MAE_CSV_RECORD - 2] = ','; /* its NUL is the record's last byte */
    refused(text, size, "t.csv:1: expected records of at most 65536 bytes");
    mae_csv_close(&csv);
    text[MAE_CSV_RECORD - 1] = '\n';
    text[MAE_CSV_RECORD - 2] = 'a';
    begin(text, MAE_CSV_RECORD);
    ck_assert_ok(mae_csv_next(&csv, &err));
    ck_assert_uint_eq(strlen(csv.fields[0]), MAE_CSV_RECORD - 1);
    free(text);
}
END_TEST

START_TEST(no_regular_file)
{
    ck_assert_fails(mae_csv_open(&csv, folder, &err), MAE_ERR_FORMAT, folder);
    ck_assert_fails(mae_csv_open(&csv, path, &err), MAE_ERR_IO, "t.csv");
}
END_TEST

START_TEST(fields_are_quoted)
{
    static const char *const texts[] = {"", "a,b", "\"", "say \"hi\"\n", "plain"};
    MaeOutput out;
    size_t size;
    char *got;

    ck_assert_ok(mae_output_open(&out, path, NULL, &err));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        mae_csv_text(&out, texts[i]);
        mae_output_append(&out, "|", 1);
    }
    ck_assert_ok(mae_output_commit(&out, &err));
    got = (char *)mae_test_read(path, &size);
    ck_assert_str_eq(got, "\"\"|\"a,b\"|\"\"\"\"|\"say \"\"hi\"\"\n\"|\"plain\"|");
    free(got);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store csv");
    TCase *tc = tcase_create("csv");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, records_as_others_write_them);
    tcase_add_test(tc, empty_file);
    tcase_add_loop_test(tc, what_is_no_table, 0, 5);
    tcase_add_test(tc, too_long_for_the_memory);
    tcase_add_test(tc, no_regular_file);
    tcase_add_test(tc, fields_are_quoted);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
