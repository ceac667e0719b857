#include "data/survey.h"

#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "data/opened.h"

/* Progress as it was told. */
typedef struct Told {
    size_t times, done, total;
} Told;

static void hear(void *ctx, size_t done, size_t total)
{
    Told *told = ctx;

    ck_assert_uint_ge(done, told->done);
    *told = (Told){told->times + 1, done, total};
}

START_TEST(sizes_and_bad_images)
{
    const MaeSurveyDepth depth = _i == 0 ? MAE_SURVEY_WHOLE : MAE_SURVEY_SIZE;
    MaeSurvey survey;
    MaePool *pool = NULL;
    Told told = {0};
    char name[32];

    for (size_t i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "%03zu.%s", i, i % 2 == 0 ? "jpg" : "png");
        if (i == 7 || i == 290)
            mae_test_write(fixture_path(root, name), "text", 4);
        else
            (i % 2 == 0 ? fixture_jpeg : fixture_png)(fixture_path(root, name), 5 + i, 9,
                                                      3, i);
    }
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(mae_pool_open(&pool, 3, &err));
    ck_assert_ok(mae_survey_run(&survey, ds, depth, pool, (MaeWatch){hear, &told}, &err));
    ck_assert_uint_eq(survey.count, 300);
    ck_assert_uint_eq(survey.bad, 2);
    ck_assert_uint_ge(told.times, 2);
    ck_assert_uint_eq(told.done, 300);
    ck_assert_uint_eq(told.total, 300);
    for (size_t i = 0; i < 300; i++) {
        const MaeSurveyItem *item = &survey.items[i];

        if (i == 7 || i == 290) {
            ck_assert_int_eq(item->status, MAE_ERR_FORMAT);
            ck_assert_ptr_nonnull(item->reason);
            continue;
        }
        ck_assert_int_eq(item->status, MAE_OK);
        ck_assert_uint_eq(item->height, 5 + i);
        ck_assert_uint_eq(item->width, 9);
        ck_assert_ptr_null(item->reason);
    }
    mae_survey_done(&survey);
    mae_survey_done(&survey);
    mae_pool_close(pool);
}
END_TEST

/* Above max_pixels, and at it. */
START_TEST(large_images_are_bad)
{
    MaeDatasetOptions options = {.in_chans = 3};
    MaeSurvey survey;
    MaePool *pool = NULL;

    fixture_jpeg(fixture_path(root, "0.jpg"), 10, 10, 3, 0);
    fixture_png(fixture_path(root, "1.png"), 10, 10, 3, 1);
    fixture_png(fixture_path(root, "2.png"), 9, 11, 3, 2);
    ck_assert_ok(mae_pool_open(&pool, 2, &err));
    for (size_t over = 0; over <= 2; over += 2) {
        options.limits.max_pixels = over > 0 ? 99 : 100;
        ck_assert_ok(mae_dataset_open(&ds, root, &options, &err));
        ck_assert_ok(mae_survey_run(&survey, ds,
                                    _i == 0 ? MAE_SURVEY_WHOLE : MAE_SURVEY_SIZE, pool,
                                    (MaeWatch){.fn = NULL}, &err));
        ck_assert_uint_eq(survey.bad, over);
        for (size_t i = 0; i < over; i++)
            ck_assert_ptr_nonnull(strstr(survey.items[i].reason, "(max_pixels)"));
        ck_assert_int_eq(survey.items[2].status, MAE_OK);
        mae_survey_done(&survey);
        mae_dataset_close(ds);
        ds = NULL;
    }
    mae_pool_close(pool);
}
END_TEST

/* Numbers make no difference; what finds no place is counted together. */
START_TEST(reasons_are_counted)
{
    static char reasons[300][32];
    MaeSurveyItem items[300] = {0};
    MaeSurveyKind kinds[MAE_SURVEY_KINDS + 1];
    MaeSurvey survey = {.items = items, .count = 300};

    ck_assert_uint_eq(mae_survey_kinds(&survey, kinds), 0);
    for (size_t i = 0; i < 6; i++)
        items[10 * i].reason = reasons[i];
    (void)strcpy(reasons[0], "7 bytes of 12");
    (void)strcpy(reasons[1], "1 byte too many: 5");
    (void)strcpy(reasons[2], "1234 bytes of 1");
    (void)strcpy(reasons[3], "1 byte too many");
    (void)strcpy(reasons[4], "1 byte too many: x");
    (void)strcpy(reasons[5], "0 bytes of 99999");
    ck_assert_uint_eq(mae_survey_kinds(&survey, kinds), 4);
    ck_assert_uint_eq(kinds[0].count, 3);
    ck_assert_str_eq(kinds[0].reason, "7 bytes of 12");
    ck_assert_uint_eq(kinds[1].count, 1);
    ck_assert_str_eq(kinds[1].reason, "1 byte too many: 5");
    ck_assert_str_eq(kinds[3].reason, "1 byte too many: x");
    for (size_t i = 0; i < 300; i++) {
        (void)snprintf(reasons[i], sizeof reasons[i], "%c%c", (char)('a' + i % 100 / 10),
                       (char)('a' + i % 10));
        items[i].reason = reasons[i];
    }
    ck_assert_uint_eq(mae_survey_kinds(&survey, kinds), MAE_SURVEY_KINDS + 1);
    ck_assert_uint_eq(kinds[MAE_SURVEY_KINDS - 1].count, 3);
    ck_assert_uint_eq(kinds[MAE_SURVEY_KINDS].count, 300 - 3 * MAE_SURVEY_KINDS);
    ck_assert_str_eq(kinds[MAE_SURVEY_KINDS].reason, "other reasons");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_survey");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_test(tc, reasons_are_counted);
    tcase_add_loop_test(tc, sizes_and_bad_images, 0, 2);
    tcase_add_loop_test(tc, large_images_are_bad, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
