#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "paths.h"
#include "store/jsonl.h"
#include "support/test.h"

START_TEST(build_print_parse)
{
    MaeJson *object = mae_json_object(), *array = mae_json_array(), *back;
    MaeError err = {0};
    int64_t i;
    double x;
    char *text;
    bool b;

    mae_json_set_int(object, "i", INT64_MIN);
    mae_json_set_real(object, "x", 0.1);
    mae_json_set_real(object, "nan", (double)NAN);
    mae_json_set_text(object, "t", "a\"\n\xff\xc3\xa9");
    mae_json_set_bool(object, "b", true);
    mae_json_append(array, mae_json_int(1));
    mae_json_append(array, mae_json_text("two"));
    mae_json_set(object, "a", array);
    mae_json_set(object, "lost", NULL);
    text = mae_json_dump(object, 0);
    ck_assert_ptr_null(strchr(text, '\n'));
    ck_assert_ok(mae_json_parse(&back, text, strlen(text), "t", &err));
    ck_assert(mae_json_get_int(back, "i", &i) && i == INT64_MIN);
    ck_assert(mae_json_get_real(back, "x", &x));
    ck_assert_double_eq(x, 0.1);
    ck_assert(!mae_json_get_real(back, "nan", &x));
    ck_assert(mae_json_get_real(back, "i", &x));
    ck_assert(mae_json_get_bool(back, "b", &b) && b);
    ck_assert_str_eq(mae_json_get_text(back, "t"), "a\"\n?\xc3\xa9");
    ck_assert_uint_eq(mae_json_size(mae_json_get(back, "a")), 2);
    ck_assert_ptr_nonnull(mae_json_at(mae_json_get(back, "a"), 1));
    ck_assert_ptr_null(mae_json_at(mae_json_get(back, "a"), 2));
    ck_assert_ptr_null(mae_json_get_text(back, "i"));
    free(text);
    mae_json_free(back);
    mae_json_free(object);
    mae_json_free(NULL);
    ck_assert_ptr_null(mae_json_dump(NULL, 2));
}
END_TEST

START_TEST(bad_json_is_refused_with_its_place)
{
    static const char *const texts[] = {"{\"a\":1,\"a\":2}", "{", "[1,]", "",
                                        "{\"\xff\":1}"};
    MaeJson *value = NULL;
    MaeError err = {0};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_fails(
            mae_json_parse(&value, texts[i], strlen(texts[i]), "c.json", &err),
            MAE_ERR_FORMAT, "c.json:1:");
    ck_assert_ptr_null(value);
}
END_TEST

static void append_step(MaeJsonl *log, int64_t step)
{
    MaeJson *record = mae_json_object();
    MaeError err = {0};

    mae_json_set_int(record, "step", step);
    mae_json_set_real(record, "loss", 1.0 / (double)step);
    ck_assert_ok(mae_jsonl_append(log, record, &err));
    mae_json_free(record);
}

static size_t count_lines(const char *path)
{
    size_t size, lines = 0;
    unsigned char *bytes = mae_test_read(path, &size);

    for (size_t i = 0; i < size; i++)
        lines += bytes[i] == '\n';
    free(bytes);
    return lines;
}

START_TEST(logs_are_cut_back)
{
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "steps.jsonl");
    MaeError err = {0};
    MaeJsonl *log;
    FILE *file;

    ck_assert_ok(mae_jsonl_cut(path.text, "step", 3, &err)); /* no file yet */
    ck_assert_ok(mae_jsonl_open(&log, path.text, &err));
    for (int64_t step = 1; step <= 10; step++)
        append_step(log, step);
    mae_jsonl_close(log);
    file = fopen(path.text, "ab");
    (void)fputs("{\"step\": 1", file); /* torn by a crash */
    (void)fclose(file);
    ck_assert_ok(mae_jsonl_open(&log, path.text, &err));
    append_step(log, 5);
    mae_jsonl_close(log);
    ck_assert_uint_eq(count_lines(path.text), 12);
    ck_assert_ok(mae_jsonl_cut(path.text, "step", 7, &err));
    ck_assert_uint_eq(count_lines(path.text), 8);
    ck_assert_ok(mae_jsonl_cut(path.text, "epoch", 0, &err)); /* no such key: all stay */
    ck_assert_uint_eq(count_lines(path.text), 8);
    ck_assert_ok(mae_jsonl_cut(path.text, "step", -1, &err));
    ck_assert_uint_eq(count_lines(path.text), 0);
    ck_assert(!path_exists(folder, "steps.jsonl.mae-tmp"));
    mae_jsonl_close(NULL);
    mae_test_folder_remove(folder);
}
END_TEST

static MaeStatus add_steps(void *ctx, const MaeJson *record, MaeError *err)
{
    int64_t step = 0;

    if (!mae_json_get_int(record, "step", &step))
        MAE_FAIL(err, MAE_ERR_FORMAT, "no step");
    *(int64_t *)ctx += step;
    return MAE_OK;
}

/* Torn and foreign lines are passed over, what the reader says counts. */
START_TEST(logs_are_read)
{
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "steps.jsonl");
    static const char text[] = "{\"step\": 1}\n\n{\"step\"\nhello\n{\"step\": 20}\n"
                               "{\"step\": 300}";
    int64_t sum = 0;
    MaeError err = {0};

    ck_assert_ok(mae_jsonl_each(path.text, add_steps, &sum, &err)); /* no file yet */
    mae_test_write(path.text, text, sizeof text - 1);
    ck_assert_ok(mae_jsonl_each(path.text, add_steps, &sum, &err));
    ck_assert_int_eq(sum, 21); /* the last one has not ended */
    mae_test_write(path.text, "{\"step\": 4000}\n{}\n{\"step\": 1}\n", 30);
    ck_assert_fails(mae_jsonl_each(path.text, add_steps, &sum, &err), MAE_ERR_FORMAT,
                    "no step");
    ck_assert_int_eq(sum, 4021);
    ck_assert_fails(mae_jsonl_each(folder, add_steps, &sum, &err), MAE_ERR_FORMAT,
                    folder);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(endless_lines_are_refused)
{
    char *folder = mae_test_folder(), *text = mae_test_alloc(MAE_JSONL_LINE + 10);
    const Path path = path_in(folder, "log.txt");
    int64_t sum = 0;
    MaeError err = {0};

    memset(text, 'x', MAE_JSONL_LINE + 10);
    mae_test_write(path.text, text, MAE_JSONL_LINE + 10);
    ck_assert_fails(mae_jsonl_cut(path.text, "step", 1, &err), MAE_ERR_FORMAT,
                    "a line exceeds");
    ck_assert_fails(mae_jsonl_each(path.text, add_steps, &sum, &err), MAE_ERR_FORMAT,
                    "a line exceeds");
    free(text);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_json");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, build_print_parse);
    tcase_add_test(tc, bad_json_is_refused_with_its_place);
    tcase_add_test(tc, logs_are_cut_back);
    tcase_add_test(tc, logs_are_read);
    tcase_add_test(tc, endless_lines_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
