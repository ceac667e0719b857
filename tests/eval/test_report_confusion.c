#include "eval/report_confusion.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/file.h"
#include "support/test.h"

static const char *const NAMES[] = {"cat", "<dog>", "bird"};
static const MaeClasses CLASSES = {
    .what = "data", .path = "set", .count = 3, .names = NAMES};

/* Write, close and read. */
static char *written(MaeReport *report)
{
    char path[512], *folder = mae_test_folder();
    unsigned char *text = NULL;
    size_t size;
    MaeError err = {0};

    (void)snprintf(path, sizeof path, "%s/report.html", folder);
    ck_assert_ok(mae_report_write(report, path, &err));
    mae_report_close(report);
    ck_assert_ok(mae_file_read_all(path, (size_t)1 << 20, &text, &size, &err));
    mae_test_folder_remove(folder);
    return (char *)text;
}

static void count(MaeConfusion *confusion, int64_t label, size_t guess, size_t times)
{
    float logits[3] = {0.0f, 0.0f, 0.0f};

    logits[guess] = 1.0f;
    for (size_t i = 0; i < times; i++)
        mae_confusion_add(confusion, logits, &label, 1);
}

START_TEST(classes_and_their_confusions_are_shown)
{
    MaeConfusion confusion = {0};
    MaeReport *report = NULL;
    MaeError err = {0};
    char *text;
    const char *dogs, *cats;

    ck_assert_ok(mae_confusion_open(&confusion, 3, &err));
    ck_assert_ok(mae_report_open(&report, "t", NULL, &err));
    count(&confusion, 0, 0, 6);
    count(&confusion, 0, 1, 2);
    count(&confusion, 1, 1, 1);
    count(&confusion, 1, 0, 3);
    ck_assert_ok(mae_report_confusion(report, &confusion, &CLASSES, &err));
    text = written(report);
    ck_assert_ptr_nonnull(strstr(
        text, "<tr><td>cat</td><td class=\"number\">8</td><td class=\"number\">75.0 "
              "%</td><td class=\"number\">66.7 %</td><td class=\"number\">70.6 "
              "%</td></tr>"));
    ck_assert_ptr_nonnull(strstr(
        text, "<tr><td>bird</td><td class=\"number\">0</td><td class=\"number\">-"));
    dogs = strstr(text, "<tr><td>&lt;dog&gt;</td><td>cat</td><td class=\"number\">3</td>"
                        "<td class=\"number\">75.0 %</td>");
    cats =
        strstr(text, "<tr><td>cat</td><td>&lt;dog&gt;</td><td class=\"number\">2</td>");
    ck_assert(dogs != NULL && cats != NULL && dogs < cats);
    ck_assert_ptr_nonnull(strstr(text, "<figure id=\"confusion\">"));
    free(text);
    mae_confusion_close(&confusion);
}
END_TEST

/* Nothing was evaluated; too many classes for a matrix. */
START_TEST(what_is_not_there_is_not_shown)
{
    const size_t many = MAE_CONFUSION_MAX + 1;
    const char **names = calloc(many, sizeof *names);
    const MaeClasses classes = {
        .what = "data", .path = "set", .count = many, .names = names};
    float *logits = calloc(many, sizeof *logits);
    MaeConfusion confusion = {0};
    MaeReport *report = NULL;
    const int64_t label = 7;
    MaeError err = {0};
    char *text;

    ck_assert(names != NULL && logits != NULL);
    for (size_t i = 0; i < many; i++)
        names[i] = "class";
    ck_assert_ok(mae_confusion_open(&confusion, many, &err));
    ck_assert_ok(mae_report_open(&report, "t", NULL, &err));
    ck_assert_ok(mae_report_confusion(report, &confusion, &classes, &err));
    text = written(report);
    ck_assert_ptr_null(strstr(text, "Classes"));
    free(text);
    ck_assert_ok(mae_report_open(&report, "t", NULL, &err));
    mae_confusion_add(&confusion, logits, &label, 1);
    ck_assert_ok(mae_report_confusion(report, &confusion, &classes, &err));
    text = written(report);
    ck_assert_ptr_nonnull(strstr(text, "<details><summary>Scores of each class"));
    ck_assert_ptr_nonnull(strstr(text, "and 49 more"));
    ck_assert_ptr_null(strstr(text, "<figure"));
    free(text);
    mae_confusion_close(&confusion);
    free(names);
    free(logits);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_report_confusion");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, classes_and_their_confusions_are_shown);
    tcase_add_test(tc, what_is_not_there_is_not_shown);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
