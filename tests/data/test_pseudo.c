#include "data/pseudo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/opened.h"

/* Five images called 0.png, ..., 3.png and one with odd characters; two classes. */
static const char *const names[] = {"cat", "a \"dog\""};
static const MaeClasses classes = {"data.train", "t", 2, names, NULL};
static MaeChosen chosen;
static char path[1024];

#define HEAD "sample,name,label,class,confidence\n"

static void setup(void)
{
    static const char *const files[] = {"0.png", "1.png", "2.png", "3.png", "4,\n\".png"};
    const MaeDatasetOptions opt = {.unlabelled = true};
    char name[64];

    opened_setup();
    (void)fixture_folder(root, "set");
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "set/%s", files[i]);
        fixture_png(fixture_path(root, name), 2, 2, 1, i);
    }
    ck_assert_ok(mae_dataset_open(&ds, fixture_path(root, "set"), &opt, &err));
    (void)snprintf(path, sizeof path, "%s", fixture_path(root, "p.csv"));
    chosen = (MaeChosen){NULL, NULL, 0};
}

static void teardown(void)
{
    mae_pseudo_done(&chosen);
    opened_teardown();
}

static MaeStatus read_text(const char *text)
{
    mae_test_write(path, text, strlen(text));
    return mae_pseudo_read(&chosen, path, ds, &classes, &err);
}

static void write_rows(void)
{
    MaeOutput csv;

    ck_assert_ok(mae_pseudo_create(&csv, path, ds, "a\nset", "t.h5", &err));
    mae_pseudo_add(&csv, ds, &(MaePseudoLabel){1, 0, names[0], 0.95});
    mae_pseudo_add(&csv, ds, &(MaePseudoLabel){4, 1, names[1], 1.0});
    ck_assert_ok(mae_output_commit(&csv, &err));
}

START_TEST(round_trip)
{
    write_rows();
    ck_assert_ok(mae_pseudo_read(&chosen, path, ds, &classes, &err));
    ck_assert_uint_eq(chosen.count, 2);
    ck_assert_uint_eq(chosen.samples[0], 1);
    ck_assert_int_eq(chosen.labels[0], 0);
    ck_assert_uint_eq(chosen.samples[1], 4);
    ck_assert_int_eq(chosen.labels[1], 1);
}
END_TEST

/* As a spreadsheet leaves it: without comments, in another order, CRLF, all quoted. */
START_TEST(rows_in_any_order)
{
    ck_assert_ok(read_text("\"sample\",\"name\",\"label\",\"class\",\"confidence\"\r\n"
                           "\"3\",\"3.png\",\"1\",\"a \"\"dog\"\"\",\"9.1e-1\"\r\n"
                           "# images: 5\r\n"
                           "0,0.png,0,cat,1\r\n"));
    ck_assert_uint_eq(chosen.count, 2);
    ck_assert_uint_eq(chosen.samples[0], 0);
    ck_assert_uint_eq(chosen.samples[1], 3);
    ck_assert_int_eq(chosen.labels[1], 1);
}
END_TEST

static const struct {
    const char *text;
    MaeStatus status;
    const char *why;
} bad[] = {
    {"", MAE_ERR_FORMAT, "p.csv: expected pseudo-labels, found none"},
    {HEAD, MAE_ERR_FORMAT, "p.csv: expected pseudo-labels, found none"},
    {"path,label\n", MAE_ERR_FORMAT, "p.csv:1: expected the columns sample,name,"},
    {"sample,name,label,class,conf\n", MAE_ERR_FORMAT, "p.csv:1: expected the columns"},
    {"# images: 6\n" HEAD, MAE_ERR_ARG, "p.csv:1: labels of a data set of 6 images"},
    {"# images: x\n" HEAD, MAE_ERR_ARG, "p.csv:1: labels of a data set of x images"},
    {HEAD "0,0.png,0,cat\n", MAE_ERR_FORMAT, "p.csv:2: expected 5 fields, found 4"},
    {HEAD "\n", MAE_ERR_FORMAT, "p.csv:2: expected 5 fields, found 1"},
    {HEAD "5,0.png,0,cat,1\n", MAE_ERR_FORMAT, "p.csv:2: sample: expected 0 to 4, found"},
    {HEAD "-1,0.png,0,cat,1\n", MAE_ERR_FORMAT, "p.csv:2: sample: expected 0 to 4"},
    {HEAD " 1,0.png,0,cat,1\n", MAE_ERR_FORMAT, "p.csv:2: sample: expected 0 to 4"},
    {HEAD "1x,0.png,0,cat,1\n", MAE_ERR_FORMAT, "p.csv:2: sample: expected 0 to 4"},
    {HEAD "99999999999999999999999,0.png,0,cat,1\n", MAE_ERR_FORMAT, "p.csv:2: sample:"},
    {HEAD "0,0.png,2,cat,1\n", MAE_ERR_FORMAT, "p.csv:2: label: expected 0 to 1, found"},
    {HEAD "0,0.png,0,cat,1.01\n", MAE_ERR_FORMAT, "p.csv:2: confidence: expected 0 to 1"},
    {HEAD "0,0.png,0,cat,nan\n", MAE_ERR_FORMAT, "p.csv:2: confidence: expected 0 to 1"},
    {HEAD "0,0.png,0,cat,\n", MAE_ERR_FORMAT, "p.csv:2: confidence: expected 0 to 1"},
    {HEAD "0,0.png,0,cat,1\n1,1.png,0,cat,1\n0,0.png,0,cat,1\n", MAE_ERR_FORMAT,
     "p.csv:4: sample 0 has a row already"},
    {HEAD "0,1.png,0,cat,1\n", MAE_ERR_ARG,
     "p.csv:2: sample 0 is '1.png' here, in data.unlabelled '0.png'"},
    {HEAD "0,0.png,1,cat,1\n", MAE_ERR_ARG,
     "p.csv:2: class 1 is 'cat' here, in data.train 'a \"dog\"'"},
    {HEAD "0,\"0.png,0,cat,1\n", MAE_ERR_FORMAT, "p.csv:2: expected a closing quote"},
};

START_TEST(refused)
{
    ck_assert_fails(read_text(bad[_i].text), bad[_i].status, bad[_i].why);
    ck_assert_ptr_null(chosen.samples);
}
END_TEST

START_TEST(no_such_file)
{
    uint32_t sum = 7;

    ck_assert_fails(mae_pseudo_read(&chosen, path, ds, &classes, &err), MAE_ERR_ARG,
                    "p.csv does not exist");
    ck_assert_fails(mae_pseudo_checksum(&sum, path, &err), MAE_ERR_ARG,
                    "p.csv does not exist");
    ck_assert_fails(mae_pseudo_checksum(&sum, root, &err), MAE_ERR_FORMAT, root);
    ck_assert_uint_eq(sum, 7);
}
END_TEST

START_TEST(checksum_sees_every_byte)
{
    const size_t size = 200000;
    char *text = mae_test_alloc(size);
    uint32_t a, b;

    memset(text, 'x', size);
    mae_test_write(path, text, size);
    ck_assert_ok(mae_pseudo_checksum(&a, path, &err));
    text[size - 1] = 'y';
    mae_test_write(path, text, size);
    ck_assert_ok(mae_pseudo_checksum(&b, path, &err));
    ck_assert_uint_ne(a, b);
    mae_test_write(path, "123456789", 9);
    ck_assert_ok(mae_pseudo_checksum(&a, path, &err));
    ck_assert_uint_eq(a, 0xe3069283); /* RFC 3720 */
    mae_test_write(path, "", 0);
    ck_assert_ok(mae_pseudo_checksum(&a, path, &err));
    ck_assert_uint_eq(a, 1);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data pseudo");
    TCase *tc = tcase_create("pseudo");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, rows_in_any_order);
    tcase_add_loop_test(tc, refused, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tc, no_such_file);
    tcase_add_test(tc, checksum_sees_every_byte);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
