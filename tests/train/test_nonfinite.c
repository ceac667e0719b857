/*
 * Numbers that are not finite, put into the losses, gradients, weights and moments of
 * chosen updates: seen in the same step, reported, and the run ends or leaves them out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/checkpoint.h"
#include "store/json.h"
#include "train/poison.h"

static char *folder;
static TrainRun run;

static void setup(void)
{
    folder = train_place();
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

static void expect(const Way *way, const char *name, const char *more, size_t stop_at,
                   MaeStatus status)
{
    spoil_run(&run, folder, way, name, more, stop_at, status);
}

static MaeJson *read_json(const char *path)
{
    MaeError err = {0};
    MaeJson *json = NULL;
    size_t size;
    char *text = (char *)mae_test_read(fixture_path(folder, path), &size);

    ck_assert_msg(text != NULL, "%s is missing", path);
    ck_assert_ok(mae_json_parse(&json, text, size, path, &err));
    free(text);
    return json;
}

static void check_int(const MaeJson *object, const char *key, int64_t expected)
{
    int64_t value = -1;

    ck_assert_msg(mae_json_get_int(object, key, &value) && value == expected,
                  "%s: expected %lld, got %lld", key, (long long)expected,
                  (long long)value);
}

/* What a file says of the second update of the second epoch, with the loss of its last
 * batch or the gradient spoilt. */
static void check_file(const Way *way, const char *path, const char *then,
                       const char *kind, const char *value)
{
    MaeJson *json = read_json(path);
    const MaeJson *first = mae_json_get(json, "first");
    const MaeJson *batches = mae_json_get(json, "batches");
    const bool loss = strcmp(kind, "loss") == 0;
    double number;

    check_int(json, "step", way->accum == 1 ? 8 : 4);
    check_int(json, "epoch", 2);
    ck_assert(mae_json_get_real(json, "lr", &number) && number > 0.0);
    ck_assert_str_eq(mae_json_get_text(json, "then"), then);
    ck_assert_str_eq(mae_json_get_text(first, "kind"), kind);
    ck_assert_str_eq(mae_json_get_text(first, "value"), value);
    check_int(first, "index", loss ? (int64_t)(2 * way->accum) : SPOILT);
    ck_assert_str_eq(mae_json_get_text(first, "name"), loss ? "" : "cls_token");
    ck_assert_uint_eq(mae_json_size(batches), way->accum);
    for (size_t i = 0; i < way->accum; i++) {
        const MaeJson *batch = mae_json_at(batches, i);
        const MaeJson *files = mae_json_get(batch, "files");
        const size_t size = way->accum == 1 ? 4 : 5;

        check_int(batch, "batch", (int64_t)(way->accum + i + 1));
        ck_assert_uint_eq(mae_json_size(mae_json_get(batch, "samples")), size);
        ck_assert_uint_eq(mae_json_size(files), size);
        for (size_t k = 0; k < size; k++) {
            char name[32];
            double sample;

            ck_assert(
                mae_json_number(mae_json_at(mae_json_get(batch, "samples"), k), &sample));
            (void)snprintf(name, sizeof name, "c%d/%03d.png", (int)sample / 9,
                           (int)sample % 9);
            ck_assert_str_eq(mae_json_string(mae_json_at(files, k)), name);
        }
        if (loss && i == way->accum - 1)
            ck_assert_str_eq(mae_json_get_text(batch, "loss"), "nan");
        else
            ck_assert(mae_json_get_real(batch, "loss", &number) && isfinite(number));
    }
    mae_json_free(json);
}

/* The run ends with what it had learnt up to the step before, and goes on from there. */
START_TEST(stop_keeps_the_last_good_state)
{
    const Way *way = &WAYS[_i / 2];
    const Poison what = _i % 2 == 0 ? LOSS : GRADIENT;
    const size_t step = spoil_second(way, CLEAN);
    char file[64];

    expect(way, "left", "", step - 1, MAE_ERR_INTERRUPTED);
    (void)spoil_second(way, what);
    expect(way, "run", "", 0, MAE_ERR_NUMERIC);
    ck_assert_uint_eq(run.updates, step - 1);
    (void)snprintf(file, sizeof file, "nonfinite-%zu.json", step);
    ck_assert_ptr_nonnull(strstr(run.err.msg, file));
    ck_assert_ptr_nonnull(strstr(run.err.msg, what == LOSS
                                                  ? "loss of batch"
                                                  : "gradient of cls_token[3] is -inf"));
    ck_assert_ptr_nonnull(strstr(run.err.msg, "run again with train.on_nonfinite=skip"));
    ck_assert_ptr_nonnull(strstr(run.log, "saved up to step"));
    train_compare(folder, "left", "run");
    (void)snprintf(file, sizeof file, "run/nonfinite-%zu.json", step);
    check_file(way, file, "stop", what == LOSS ? "loss" : "gradient",
               what == LOSS ? "nan" : "-inf");
    expect(way, "run", "", 0, MAE_ERR_NUMERIC); /* and again */
    ck_assert_uint_eq(run.updates, 0);
    train_compare(folder, "left", "run");
    spoil(CLEAN, 0, 0, 0);
    expect(way, "run", "", 0, MAE_OK);
    expect(way, "left", "", 0, MAE_OK);
    train_compare(folder, "left", "run");
}
END_TEST

/* Bad weights are not saved: the checkpoint before stays. */
START_TEST(bad_weights_are_seen_in_their_step)
{
    static const struct {
        Poison what;
        size_t way;
        const char *text, *kind, *value;
    } cases[] = {
        {WEIGHT, 0, "weight of cls_token[3] is -inf", "weight", "-inf"},
        {WEIGHT, 3, "weight of cls_token[3] is -inf", "weight", "-inf"},
        {MOMENT, 1, "exp_avg_sq of cls_token[3] is inf", "exp_avg_sq", "inf"},
        {AVERAGE, 2, "average of cls_token[3] is nan", "average", "nan"},
    };
    const Way *way = &WAYS[cases[_i].way];
    const size_t step = spoil_second(way, CLEAN);
    char file[64];

    expect(way, "left", "train.save_minutes=1e-9", step - 1, MAE_ERR_INTERRUPTED);
    (void)spoil_second(way, cases[_i].what);
    expect(way, "run", "train.save_minutes=1e-9", 0, MAE_ERR_NUMERIC);
    ck_assert_uint_eq(run.updates, step - 1);
    ck_assert_ptr_nonnull(strstr(run.err.msg, cases[_i].text));
    ck_assert_ptr_nonnull(strstr(run.err.msg, "train.on_nonfinite=rollback"));
    ck_assert_ptr_null(strstr(run.log, "saved up to"));
    train_compare(folder, "left", "run");
    (void)snprintf(file, sizeof file, "run/nonfinite-%zu.json", step);
    check_file(way, file, "stop", cases[_i].kind, cases[_i].value);
    expect(way, "other", "train.on_nonfinite=skip", 0, MAE_ERR_NUMERIC);
    ck_assert(!train_exists(folder, "other/last.h5"));
    spoil(CLEAN, 0, 0, 0);
    expect(way, "run", "", 0, MAE_OK);
    expect(way, "left", "", 0, MAE_OK);
    train_compare(folder, "left", "run");
}
END_TEST

/* A real of the last line of log.txt; NaN if it is not there. */
static double logged(const char *name, const char *key)
{
    char path[64], *text, *line;
    MaeJson *record = NULL;
    MaeError err = {0};
    double value = (double)NAN;
    size_t size;

    (void)snprintf(path, sizeof path, "%s/log.txt", name);
    text = (char *)mae_test_read(fixture_path(folder, path), &size);
    ck_assert_ptr_nonnull(text);
    text[size - 1] = '\0';
    line = strrchr(text, '\n') == NULL ? text : strrchr(text, '\n') + 1;
    ck_assert_ok(mae_json_parse(&record, line, strlen(line), path, &err));
    (void)mae_json_get_real(record, key, &value);
    mae_json_free(record);
    free(text);
    return value;
}

/* Mean of the losses in steps.jsonl from step @p first on, and how many there are. */
static double mean_of_steps(const char *name, size_t first, size_t *count)
{
    char path[64], *text;
    double sum = 0.0;
    size_t size;

    *count = 0;
    (void)snprintf(path, sizeof path, "%s/steps.jsonl", name);
    text = (char *)mae_test_read(fixture_path(folder, path), &size);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        MaeJson *record = NULL;
        MaeError err = {0};
        double loss;
        int64_t step;

        ck_assert_ok(mae_json_parse(&record, line, strlen(line), path, &err));
        ck_assert(mae_json_get_int(record, "step", &step));
        ck_assert(mae_json_get_real(record, "loss", &loss));
        if ((size_t)step >= first) {
            sum += loss;
            ++*count;
        }
        mae_json_free(record);
    }
    free(text);
    return sum / (double)*count;
}

/* The log tells four samples of the batch, and whether there are more. */
static void check_samples(size_t size)
{
    const char *at = strstr(run.log, "(samples "), *end;
    size_t commas = 0;

    ck_assert_ptr_nonnull(at);
    end = strchr(at, ')');
    for (; at < end; at++)
        commas += *at == ',';
    ck_assert_uint_eq(commas, size > 4 ? 4 : size - 1);
    ck_assert_int_eq(strncmp(end - 5, ", ...", 5) == 0, size > 4);
}

/* An update is left out, for good: its loss is in no mean, nothing of it in the weights.
 * Left anywhere and taken up again, the run is the same; so it is for any reason. */
START_TEST(skip_leaves_an_update_out)
{
    const Way *way = &WAYS[_i];
    const size_t step = spoil_second(way, GRADIENT), steps = way->accum == 1 ? 12 : 4;
    MaeCkptReader *reader = NULL;
    MaeError err = {0};
    char file[64], name[32];
    int64_t applied, samples;
    size_t count;

    (void)spoil_second(way, GRADIENT);
    expect(way, "run", "train.on_nonfinite=skip", 0, MAE_OK);
    ck_assert_uint_eq(run.result.steps, steps);
    ck_assert_ptr_nonnull(strstr(run.log, "gradient of cls_token[3] is -inf (samples "));
    check_samples(way->accum == 1 ? 4 : 5);
    ck_assert_ptr_nonnull(strstr(run.log, "; left out; see nonfinite-"));
    ck_assert_ptr_nonnull(strstr(run.log, "epoch 2: 1 updates were left out"));
    ck_assert_double_eq(logged("run", "skipped"), 1.0);
    ck_assert_double_eq_tol(logged("run", "train_loss"),
                            mean_of_steps("run", steps / 2 + 1, &count), 1e-12);
    ck_assert_uint_eq(count, steps / 2 - 1);
    (void)snprintf(file, sizeof file, "run/nonfinite-%zu.json", step);
    check_file(way, file, "skip", "gradient", "-inf");
    ck_assert_ok(mae_ckpt_open(&reader, fixture_path(folder, "run/last.h5"), &err));
    ck_assert_ok(mae_ckpt_get_int(reader, "optim_steps", &applied, &err));
    ck_assert_ok(mae_ckpt_get_int(reader, "samples", &samples, &err));
    mae_ckpt_close(reader);
    ck_assert_int_eq(applied, (int64_t)steps - 1);
    ck_assert_int_eq(samples, way->accum == 1 ? 48 : 40);
    for (size_t k = step - 1; k <= step + 1 && k < steps; k++) {
        (void)snprintf(name, sizeof name, "left-%zu", k);
        expect(way, name, "train.on_nonfinite=skip", k, MAE_ERR_INTERRUPTED);
        expect(way, name, "train.on_nonfinite=skip train.threads=1", 0, MAE_OK);
        train_compare(folder, "run", name);
    }
    (void)spoil_second(way, LOSS);
    expect(way, "other", "train.on_nonfinite=skip train.threads=1", 0, MAE_OK);
    train_compare(folder, "run", "other");
}
END_TEST

/* More than 10 in a row are the end, also when they were counted in two sessions. */
START_TEST(skip_has_an_end)
{
    const Way *way = &WAYS[2 * _i];
    const char *more = "train.batch_size=2 train.on_nonfinite=skip";

    spoil(LOSS, 0, 2, 11); /* 10 updates */
    expect(way, "few", more, 0, MAE_OK);
    spoil(LOSS, 0, 2, 12);
    expect(way, "run", more, 0, MAE_ERR_NUMERIC);
    ck_assert_uint_eq(run.result.steps, 12);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "step 13 (epoch 1, batch 13)"));
    ck_assert_ptr_nonnull(strstr(run.err.msg, "too many in a row"));
    expect(way, "run", more, 0, MAE_ERR_NUMERIC);
    ck_assert_uint_eq(run.updates, 0);
    expect(way, "left", more, 7, MAE_ERR_INTERRUPTED);
    expect(way, "left", more, 0, MAE_ERR_NUMERIC);
    ck_assert_uint_eq(run.result.steps, 12);
    spoil(CLEAN, 0, 0, 0);
    expect(way, "run", more, 0, MAE_OK);
    expect(way, "few", more, 0, MAE_OK);
}
END_TEST

/* A long run's log does not drown: 20 are told, all are counted. */
START_TEST(few_of_many_are_told)
{
    size_t told = 0;

    spoil(LOSS, EVERY_EPOCH, 1, 8);
    expect(&WAYS[0], "run", "train.batch_size=2 train.epochs=3 train.on_nonfinite=skip",
           0, MAE_OK);
    for (const char *at = run.log; (at = strstr(at, "left out; see")) != NULL; at++)
        told++;
    ck_assert_uint_eq(told, 20);
    ck_assert_ptr_nonnull(strstr(run.log, "only counted, in log.txt"));
    ck_assert_double_eq(logged("run", "skipped"), 8.0);
    ck_assert(train_exists(folder, "run/nonfinite-31.json"));
    ck_assert(!train_exists(folder, "run/nonfinite-32.json"));
}
END_TEST

/* What is not finite in a file is refused where it is read. */
START_TEST(bad_checkpoints_are_refused)
{
    char overrides[2000];
    TrainSpec spec = {.folder = folder, .name = "run", .stop_at = 2};

    spoil(SAVED, 0, 0, 0);
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    train_expect(&run, &spec, MAE_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "last.h5: params/cls_token: expected "
                                              "finite numbers, element 3 is nan"));
    (void)snprintf(overrides, sizeof overrides, "finetune.checkpoint=%s/run/last.h5",
                   folder);
    spec = (TrainSpec){
        .folder = folder, .name = "tuned", .finetune = true, .overrides = overrides};
    train_expect(&run, &spec, MAE_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "params/cls_token: expected finite"));
    ck_assert(!train_exists(folder, "tuned"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train nonfinite");
    TCase *tc = tcase_create("nonfinite");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, stop_keeps_the_last_good_state, 0, 2 * WAY_COUNT);
    tcase_add_loop_test(tc, bad_weights_are_seen_in_their_step, 0, 4);
    tcase_add_loop_test(tc, skip_leaves_an_update_out, 0, WAY_COUNT);
    tcase_add_loop_test(tc, skip_has_an_end, 0, 2);
    tcase_add_test(tc, few_of_many_are_told);
    tcase_add_test(tc, bad_checkpoints_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
