#include "eval/confusion.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/canvas.h"
#include "store/file.h"
#include "support/picture.h"
#include "support/test.h"

static MaeError err;

/* One image of label @p label for which @p guess is the largest logit. */
static void count(MaeConfusion *confusion, int64_t label, size_t guess, size_t times)
{
    float *logits = mae_test_alloc(confusion->classes * sizeof *logits);

    logits[guess] = 1.5f;
    for (size_t i = 0; i < times; i++)
        mae_confusion_add(confusion, logits, &label, 1);
    free(logits);
}

/*
 *        a  b  c  d  e
 *     a  3  1  0  1  0     d is no label, e is neither. scikit-learn 1.9.1 has a macro F1
 *     b  0  2  0  0  0     of 0.316667 and a balanced accuracy of 0.533333.
 *     c  2  1  0  0  0
 */
static void open_known(MaeConfusion *confusion)
{
    ck_assert_ok(mae_confusion_open(confusion, 5, &err));
    count(confusion, 0, 0, 3);
    count(confusion, 0, 1, 1);
    count(confusion, 0, 3, 1);
    count(confusion, 1, 1, 2);
    count(confusion, 2, 0, 2);
    count(confusion, 2, 1, 1);
}

START_TEST(scores_are_those_of_the_definition)
{
    const double nan = (double)NAN;
    const double recall[] = {3.0 / 5, 1.0, 0.0, nan, nan};
    const double precision[] = {3.0 / 5, 2.0 / 4, 0.0, 0.0, nan};
    const double f1[] = {6.0 / 10, 4.0 / 6, 0.0, 0.0, nan};
    MaeConfusion c;

    open_known(&c);
    for (size_t i = 0; i < 5; i++) {
        const double got[] = {mae_confusion_recall(&c, i), mae_confusion_precision(&c, i),
                              mae_confusion_f1(&c, i)};
        const double want[] = {recall[i], precision[i], f1[i]};

        for (size_t k = 0; k < 3; k++)
            ck_assert_msg(isnan(want[k]) ? isnan(got[k]) : fabs(got[k] - want[k]) < 1e-15,
                          "class %zu, score %zu: got %g, want %g", i, k, got[k], want[k]);
    }
    ck_assert_double_eq_tol(mae_confusion_macro_f1(&c), (0.6 + 2.0 / 3) / 4, 1e-15);
    ck_assert_double_eq_tol(mae_confusion_balanced(&c), 1.6 / 3, 1e-15);
    mae_confusion_reset(&c);
    ck_assert(isnan(mae_confusion_macro_f1(&c)) && isnan(mae_confusion_balanced(&c)));
    count(&c, 4, 4, 1);
    ck_assert_double_eq(mae_confusion_macro_f1(&c), 1.0);
    mae_confusion_close(&c);
}
END_TEST

/* Against counts taken one pair at a time. */
START_TEST(cells_are_counts_of_pairs)
{
    enum { B = 500, K = 7 };
    float *logits = mae_test_normal((size_t)B * K, 3, 0);
    uint32_t want[K * K] = {0};
    int64_t labels[B];
    MaeConfusion c;

    for (size_t b = 0; b < B; b++) {
        size_t best = 0;

        labels[b] = (int64_t)(b * b % K);
        if (b % 5 == 0) /* equal ones */
            logits[b * K + b % K] = logits[b * K + (b + 3) % K] = 9.0f;
        for (size_t k = 1; k < K; k++)
            best = logits[b * K + k] > logits[b * K + best] ? k : best;
        want[(size_t)labels[b] * K + best]++;
    }
    ck_assert_ok(mae_confusion_open(&c, K, &err));
    mae_confusion_add(&c, logits, labels, 123);
    mae_confusion_add(&c, logits + 123 * K, labels + 123, B - 123);
    ck_assert_mem_eq(c.cells, want, sizeof want);
    mae_confusion_close(&c);
    free(logits);
}
END_TEST

START_TEST(what_cannot_be_counted)
{
    const int64_t labels[] = {1, -1, 2};
    const float logits[] = {NAN, 1.0f, 1.0f, 0.0f, 0.0f, NAN};
    MaeConfusion c;

    ck_assert_ok(mae_confusion_open(&c, 2, &err));
    mae_confusion_add(&c, logits, labels, 3);
    ck_assert_uint_eq(c.labelled[0] + c.labelled[1], 1);
    ck_assert_uint_eq(c.predicted[0] + c.predicted[1], 0);
    ck_assert_double_eq(mae_confusion_recall(&c, 1), 0.0);
    mae_confusion_close(&c);
    mae_confusion_close(&c);
    mae_confusion_close(NULL);
}
END_TEST

static const char *const NAMES[] = {"plain", "a,b", "say \"hi\"", "two\nlines", ""};

START_TEST(files)
{
    const MaeClasses names = {.count = 5, .names = NAMES};
    char *folder = mae_test_folder(), path[1200], *text;
    const MaePalette palette = {MAE_COLOURS_SEQUENTIAL, 0.0f, 1.0f};
    uint8_t want[3];
    MaeImage img;
    MaeConfusion c;
    size_t size;

    open_known(&c);
    (void)snprintf(path, sizeof path, "%s/in/here", folder);
    ck_assert_ok(mae_confusion_write(&c, &names, path, &err));
    (void)snprintf(path, sizeof path, "%s/in/here/confusion.csv", folder);
    text = (char *)mae_test_read(path, &size);
    ck_assert_str_eq(
        text, "\"label \\ prediction\",\"plain\",\"a,b\",\"say \"\"hi\"\"\","
              "\"two\nlines\",\"\"\n\"plain\",3,1,0,1,0\n\"a,b\",0,2,0,0,0\n"
              "\"say \"\"hi\"\"\",2,1,0,0,0\n\"two\nlines\",0,0,0,0,0\n\"\",0,0,0,0,0\n");
    free(text);
    (void)snprintf(path, sizeof path, "%s/in/here/confusion.png", folder);
    img = test_picture(path);
    ck_assert_uint_eq(img.height, 200);
    ck_assert_uint_eq(img.width, 200);
    for (size_t i = 0; i < 25; i++) {
        const size_t y = i / 5 * 40 + 20, x = i % 5 * 40 + 20;
        const uint8_t *got = (const uint8_t *)img.data + (y * 200 + x) * 3;

        mae_palette_colour(
            &palette,
            i / 5 < 3 ? (float)c.cells[i] / (float)c.labelled[i / 5] : (float)NAN, want);
        ck_assert_mem_eq(got, want, 3);
    }
    mae_image_done(&img);
    mae_confusion_close(&c);
    mae_test_folder_remove(folder);
}
END_TEST

/* Counted all the same, without pairs. */
START_TEST(many_classes)
{
    const MaeClasses names = {.count = 5, .names = NAMES};
    MaeConfusion c;

    ck_assert_ok(mae_confusion_open(&c, MAE_CONFUSION_MAX + 1, &err));
    ck_assert_ptr_null(c.cells);
    count(&c, 2000, 2000, 3);
    count(&c, 2000, 7, 1);
    ck_assert_double_eq(mae_confusion_recall(&c, 2000), 0.75);
    ck_assert_double_eq(mae_confusion_precision(&c, 2000), 1.0);
    ck_assert_fails(mae_confusion_write(&c, &names, "nowhere", &err), MAE_ERR_ARG,
                    "expected at most 2048 classes, got 2049");
    mae_confusion_close(&c);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made)
{
    const MaeClasses names = {.count = 5, .names = NAMES};
    MaeConfusion c;

    open_known(&c);
    ck_assert_fails(mae_confusion_write(&c, &names, "/dev/null/x", &err), MAE_ERR_ARG,
                    "no folder");
    mae_confusion_close(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("confusion");
    TCase *tc = tcase_create("confusion");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, scores_are_those_of_the_definition);
    tcase_add_test(tc, cells_are_counts_of_pairs);
    tcase_add_test(tc, what_cannot_be_counted);
    tcase_add_test(tc, files);
    tcase_add_test(tc, many_classes);
    tcase_add_test(tc, a_folder_that_cannot_be_made);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
