#include "train/fixture.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/checkpoint.h"
#include "store/json.h"

static void place_classes(const char *folder, const char *name, size_t each)
{
    char root[1024]; /* paths of fixture_folder do not last */

    (void)snprintf(root, sizeof root, "%s", fixture_folder(folder, name));
    fixture_classes(root, 3, each, 10, 12);
}

char *train_place(void)
{
    char *folder = mae_test_folder();

    place_classes(folder, "train", TRAIN_IMAGES / 3);
    place_classes(folder, "val", 3);
    return folder;
}

const char *train_kind(int i)
{
    static const char *const kinds[TRAIN_KINDS] = {
        "train.precision=f32 train.backend=openblas", "train.precision=f32",
        "train.precision=bf16"};

    return i < 2 || test_can_multiply(MAE_BF16) ? kinds[i] : NULL;
}

/* What hooks work on. */
typedef struct Session {
    TrainRun *run;
    const TrainSpec *spec;
    bool stop;
} Session;

static void on_log(void *ctx, MaeLogLevel level, const char *line)
{
    TrainRun *run = ((Session *)ctx)->run;
    const size_t used = strlen(run->log);

    (void)snprintf(run->log + used, sizeof run->log - used, "%s%s\n",
                   level == MAE_LOG_WARN ? "warning: " : "", line);
}

/* They begin after an epoch and hear of every image. */
static void note_evaluation(TrainRun *run, const MaeTrainProgress *p)
{
    const size_t used = strlen(run->evaluated);

    ck_assert(!p->epoch_done && p->step <= p->steps && p->epoch <= p->epochs);
    ck_assert(isnan(p->loss) && p->seconds_left >= 0.0);
    if (p->step == p->steps)
        (void)snprintf(run->evaluated + used, sizeof run->evaluated - used,
                       "%zu %s %zu\n", p->epoch, p->evaluated, p->steps);
}

static void on_progress(void *ctx, const MaeTrainProgress *progress)
{
    Session *session = ctx;
    const TrainSpec *spec = session->spec;

    if (progress->evaluated != NULL) {
        note_evaluation(session->run, progress);
        return;
    }
    if (progress->epoch_done) {
        session->run->epochs++;
        if (spec->at_evaluation != NULL)
            spec->at_evaluation(spec->ctx, session->run->epochs);
        if (session->run->epochs == spec->stop_in_evaluation)
            session->stop = true;
        return;
    }
    session->run->updates++;
    session->run->seconds_left = progress->seconds_left;
    if (spec->at_update != NULL)
        spec->at_update(spec->ctx, session->run->updates);
    if (session->run->updates == spec->stop_at)
        session->stop = true;
}

static bool asked_to_stop(void *ctx)
{
    return ((const Session *)ctx)->stop;
}

static const char *const BASE[] = {
    "model.img_size=8",        "model.patch_size=4",
    "model.embed_dim=16",      "model.depth=2",
    "model.num_heads=2",       "model.decoder_embed_dim=16",
    "model.decoder_depth=1",   "model.decoder_num_heads=2",
    "optim.lr=1e-3",           "train.epochs=2",
    "train.batch_size=4",      "train.log_every=1",
    "train.threads=1",         "data.workers=1",
    "train.save_minutes=none", "train.report=false",
};

enum { BASE_COUNT = sizeof BASE / sizeof *BASE, MOST = BASE_COUNT + 40 };

/* The configuration of a session. */
static void configure(MaeConfig *cfg, const TrainSpec *spec)
{
    char train[1200], out[1200], *words = strdup(spec->overrides ? spec->overrides : "");
    const char *list[MOST];
    size_t count = BASE_COUNT;
    MaeError err = {0};

    memcpy(list, BASE, sizeof BASE);
    (void)snprintf(train, sizeof train, "data.train=%s/train", spec->folder);
    (void)snprintf(out, sizeof out, "train.output_dir=%s/%s", spec->folder, spec->name);
    list[count++] = train;
    list[count++] = out;
    for (char *word = strtok(words, " "); word != NULL && count < MOST;
         word = strtok(NULL, " "))
        list[count++] = word;
    ck_assert_ok(mae_config_load(cfg,
                                 spec->finetune ? MAE_CONF_FINETUNE : MAE_CONF_PRETRAIN,
                                 NULL, list, count, &err));
    free(words);
}

void train_run(TrainRun *run, const TrainSpec *spec)
{
    Session session = {.run = run, .spec = spec};
    const MaeTrainHooks hooks = {
        .log = {.fn = on_log, .ctx = &session, .level = MAE_LOG_INFO},
        .progress = on_progress,
        .ctx = &session,
        .stop = asked_to_stop,
        .tool = "test",
    };
    MaeConfig *cfg = mae_test_alloc(sizeof *cfg);

    memset(run, 0, sizeof *run);
    configure(cfg, spec);
    if (spec->at_start != NULL)
        spec->at_start(spec->ctx);
    run->status = spec->finetune ? mae_finetune(cfg, &hooks, &run->result, &run->err)
                                 : mae_pretrain(cfg, &hooks, &run->result, &run->err);
    free(cfg);
}

void train_expect(TrainRun *run, const TrainSpec *spec, MaeStatus status)
{
    train_run(run, spec);
    ck_assert_msg(run->status == status, "%s %s: expected %s, got %s: %s\n%s", spec->name,
                  spec->overrides, mae_status_name(status), mae_status_name(run->status),
                  run->err.msg, run->log);
}

void train_copy(const char *folder, const char *from, const char *to)
{
    char command[3000];

    (void)snprintf(command, sizeof command, "cp -R '%s/%s' '%s/%s'", folder, from, folder,
                   to);
    ck_assert_int_eq(system(command), 0);
}

/* Replace a file by @p size bytes. */
static void replace(const char *path, const unsigned char *bytes, size_t size)
{
    ck_assert_int_eq(unlink(path), 0);
    mae_test_write(path, bytes, size);
}

void train_flip(const char *folder, const char *name)
{
    const char *path = fixture_path(folder, name);
    size_t size;
    unsigned char *bytes = mae_test_read(path, &size);

    ck_assert_msg(bytes != NULL, "%s is missing", path);
    bytes[size / 2] ^= 1;
    replace(path, bytes, size);
    free(bytes);
}

void train_truncate(const char *folder, const char *name, size_t size)
{
    const char *path = fixture_path(folder, name);
    size_t whole;
    unsigned char *bytes = mae_test_read(path, &whole);

    ck_assert_msg(bytes != NULL && size <= whole, "%s is missing or short", path);
    replace(path, bytes, size);
    free(bytes);
}

/* Every tensor of two checkpoints, bit by bit. */
static void compare_tensors(const MaeCkptReader *a, const MaeCkptReader *b)
{
    const size_t count = mae_ckpt_tensor_count(a, "");
    MaeError err = {0};

    ck_assert_uint_gt(count, 0);
    ck_assert_uint_eq(count, mae_ckpt_tensor_count(b, ""));
    for (size_t i = 0; i < count; i++) {
        MaeTensorInfo info;
        float *x, *y;
        size_t n = 1;

        mae_ckpt_tensor(a, "", i, &info);
        for (size_t d = 0; d < info.ndim; d++)
            n *= info.shape[d];
        x = mae_test_alloc(n * sizeof *x);
        y = mae_test_alloc(n * sizeof *y);
        ck_assert_ok(mae_ckpt_get_tensor(a, info.name, x, info.shape, info.ndim, &err));
        ck_assert_ok(mae_ckpt_get_tensor(b, info.name, y, info.shape, info.ndim, &err));
        mae_test_close(info.name, x, y, n, 0.0, 0.0);
        ck_assert_msg(memcmp(x, y, n * sizeof *x) == 0, "%s: bits differ", info.name);
        free(x);
        free(y);
    }
}

static void compare_checkpoints(const char *path_a, const char *path_b)
{
    static const char *const COUNTS[] = {"epoch", "batch", "step", "samples",
                                         "optim_steps"};
    static const char *const REALS[] = {"best", "loss_sum"};
    MaeCkptReader *a = NULL, *b = NULL;
    MaeError err = {0};

    ck_assert_ok(mae_ckpt_open(&a, path_a, &err));
    ck_assert_ok(mae_ckpt_open(&b, path_b, &err));
    for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        int64_t x, y;

        ck_assert_ok(mae_ckpt_get_int(a, COUNTS[i], &x, &err));
        ck_assert_ok(mae_ckpt_get_int(b, COUNTS[i], &y, &err));
        ck_assert_msg(x == y, "%s: %lld and %lld", COUNTS[i], (long long)x, (long long)y);
    }
    for (size_t i = 0; i < sizeof REALS / sizeof *REALS; i++) {
        double x, y;

        ck_assert_ok(mae_ckpt_get_real(a, REALS[i], &x, &err));
        ck_assert_ok(mae_ckpt_get_real(b, REALS[i], &y, &err));
        ck_assert_msg(memcmp(&x, &y, sizeof x) == 0, "%s: %.17g and %.17g", REALS[i], x,
                      y);
    }
    compare_tensors(a, b);
    mae_ckpt_close(a);
    mae_ckpt_close(b);
}

/* A log without what the wall clock wrote. Caller frees. */
static char *timeless(const char *path)
{
    size_t size, used = 0;
    char *text = (char *)mae_test_read(path, &size);
    char *out = mae_test_alloc(2 * size + 1);

    ck_assert_msg(text != NULL, "%s is missing", path);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        MaeJson *record = NULL;
        MaeError err = {0};
        char *clean;

        ck_assert_ok(mae_json_parse(&record, line, strlen(line), path, &err));
        mae_json_set_int(record, "images_per_second", 0);
        mae_json_set_int(record, "data_wait_seconds", 0);
        mae_json_set_int(record, "seconds", 0);
        clean = mae_json_dump(record, 0);
        used += (size_t)snprintf(out + used, 2 * size + 1 - used, "%s\n", clean);
        free(clean);
        mae_json_free(record);
    }
    free(text);
    return out;
}

void train_compare_states(const char *folder, const char *a, const char *b)
{
    char path[2][1200];

    (void)snprintf(path[0], sizeof path[0], "%s/%s/last.h5", folder, a);
    (void)snprintf(path[1], sizeof path[1], "%s/%s/last.h5", folder, b);
    compare_checkpoints(path[0], path[1]);
}

void train_compare(const char *folder, const char *a, const char *b)
{
    static const char *const LOGS[] = {"log.txt", "steps.jsonl"};
    char path[2][1200];

    for (size_t i = 0; i < sizeof LOGS / sizeof *LOGS; i++) {
        char *x, *y;

        (void)snprintf(path[0], sizeof path[0], "%s/%s/%s", folder, a, LOGS[i]);
        (void)snprintf(path[1], sizeof path[1], "%s/%s/%s", folder, b, LOGS[i]);
        x = timeless(path[0]);
        y = timeless(path[1]);
        ck_assert_msg(strlen(x) > 0, "%s is empty", path[0]);
        ck_assert_msg(strcmp(x, y) == 0, "%s:\n%s\n%s:\n%s", path[0], x, path[1], y);
        free(x);
        free(y);
    }
    train_compare_states(folder, a, b);
}

bool train_exists(const char *folder, const char *name)
{
    return access(fixture_path(folder, name), F_OK) == 0;
}

size_t train_entries(const char *folder, const char *name, bool hidden)
{
    DIR *dir = opendir(fixture_path(folder, name));
    const struct dirent *entry;
    size_t count = 0;

    ck_assert_msg(dir != NULL, "no folder %s", name);
    while ((entry = readdir(dir)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 (hidden || entry->d_name[0] != '.');
    (void)closedir(dir);
    return count;
}
