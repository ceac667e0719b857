#include "train/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "store/file.h"
#include "store/output.h"
#include "train/generations.h"
#include "train/run_lock.h"

#define SET_ASIDE "before-" /* and a number */
#define STEPS "steps.jsonl"
#define EPOCHS "log.txt"
#define BEST "best.h5"
#define PREVIEWS "reconstructions"
#define SET_ASIDE_MOST 9999

/* They tell that a run came to something; the last one marks a run. */
static const char *const TELLING[] = {BEST, EPOCHS, STEPS};

typedef enum Content { CONTENT_EMPTY, CONTENT_FOREIGN, CONTENT_RUN } Content;

static MaeStatus join(char *path, size_t size, const char *folder, const char *name,
                      MaeError *err)
{
    const int n = snprintf(path, size, "%s/%s", folder, name);

    if (n < 0 || (size_t)n >= size)
        MAE_FAIL(err, MAE_ERR_ARG, "train.output_dir: path is too long: %.80s...",
                 folder);
    return MAE_OK;
}

MaeStatus mae_run_folder_file(const MaeRunFolder *folder, const char *name, char *path,
                              size_t size, MaeError *err)
{
    return join(path, size, folder->path, name, err);
}

/* Is the name "<prefix>N<suffix>", N as printed with at least @p digits? */
static bool is_numbered(const char *name, const char *prefix, int digits,
                        const char *suffix)
{
    char again[64];
    long n = -1;

    if (strncmp(name, prefix, strlen(prefix)) == 0)
        n = strtol(name + strlen(prefix), NULL, 10);
    (void)snprintf(again, sizeof again, "%s%0*ld%s", prefix, digits, n, suffix);
    return n >= 0 && strcmp(name, again) == 0;
}

static bool is_preview(const char *name)
{
    return is_numbered(name, "epoch-", 4, ".png");
}

/* The folder of what was left of a run without a checkpoint. */
static bool is_set_aside(const char *name)
{
    return is_numbered(name, SET_ASIDE, 1, "");
}

static bool is_run_file(const char *name)
{
    static const char *const names[] = {
        "config.yaml", EPOCHS,          STEPS,           BEST,
        "report.html", "confusion.csv", "confusion.png", "summary.json"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return mae_generation_is(name) || is_numbered(name, "nonfinite-", 1, ".json") ||
           strncmp(name, "events.out.tfevents.", 20) == 0;
}

/*
 * Is there a run, something else, or nothing in the folder? What marks a run is a file
 * that nobody else writes: a config.yaml may be the user's.
 */
static MaeStatus look(const char *path, Content *content, MaeError *err)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    if (dir == NULL)
        return mae_file_fail(err, path, "cannot read the folder", errno);
    *content = CONTENT_EMPTY;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, STEPS) == 0 || mae_generation_is(entry->d_name))
            *content = CONTENT_RUN;
        else if (entry->d_name[0] != '.' && !is_set_aside(entry->d_name) &&
                 *content == CONTENT_EMPTY)
            *content = CONTENT_FOREIGN;
    }
    (void)closedir(dir);
    return MAE_OK;
}

static MaeStatus choose(MaeRunFolder *folder, const MaeConfig *cfg, MaeError *err)
{
    const char *resume = cfg->train.resume;
    Content content = CONTENT_EMPTY;

    MAE_TRY(look(folder->path, &content, err));
    if (content == CONTENT_FOREIGN && !cfg->train.overwrite)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "train.output_dir: %s is not empty and holds no run; choose another folder "
            "or add train.overwrite=true",
            folder->path);
    if (content == CONTENT_RUN && strcmp(resume, "none") == 0 && !cfg->train.overwrite)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "train.output_dir: %s holds a run; choose another folder, or "
                 "train.resume=auto to go on, or add train.overwrite=true to replace it",
                 folder->path);
    if (strcmp(resume, "none") == 0)
        return MAE_OK;
    if (strcmp(resume, "auto") == 0) {
        if (!cfg->train.overwrite)
            MAE_TRY(mae_generation_find(folder, err));
        folder->lost =
            content == CONTENT_RUN && !cfg->train.overwrite && folder->resume[0] == '\0';
        return MAE_OK;
    }
    if (access(resume, F_OK) != 0 && errno == ENOENT)
        MAE_FAIL(err, MAE_ERR_ARG, "train.resume: %s does not exist", resume);
    MAE_TRY(mae_ckpt_verify(resume, err));
    memcpy(folder->resume, resume, sizeof cfg->train.resume);
    return mae_generation_look(folder, err);
}

MaeStatus mae_run_folder_open(MaeRunFolder *folder, const MaeConfig *cfg,
                              const MaeLog *log, MaeError *err)
{
    MaeStatus status;

    *folder = (MaeRunFolder){.log = log, .lock = -1, .keep = cfg->train.keep};
    memcpy(folder->path, cfg->train.output_dir, sizeof cfg->train.output_dir);
    folder->made = access(folder->path, F_OK) != 0;
    MAE_TRY(mae_file_make_folders(folder->path, err));
    status = mae_run_lock_take(&folder->lock, folder->path, err);
    if (status == MAE_OK)
        status = choose(folder, cfg, err);
    if (status != MAE_OK)
        mae_run_folder_close(folder);
    return status;
}

MaeStatus mae_run_folder_newest(MaeRunFolder *folder, MaeError *err)
{
    if (folder->saved)
        MAE_TRY(mae_generation_find(folder, err));
    if (folder->resume[0] == '\0')
        MAE_FAIL(err, MAE_ERR_ARG, "%s holds no checkpoint yet", folder->path);
    return MAE_OK;
}

static void close_logs(MaeRunFolder *folder)
{
    mae_jsonl_close(folder->epochs);
    mae_jsonl_close(folder->steps);
    mae_events_close(folder->events);
    folder->epochs = folder->steps = NULL;
    folder->events = NULL;
}

void mae_run_folder_close(MaeRunFolder *folder)
{
    if (folder == NULL)
        return;
    close_logs(folder);
    mae_run_lock_release(&folder->lock, folder->path);
    if (folder->made)
        (void)rmdir(
            folder->path); /* fails, as it should, once there is something in it */
    folder->made = false;
}

#define OLD_TEMP ".tmp" /* as earlier versions called it */

/* The name of a file whose temporary file this may be; else the name itself. */
static bool is_temporary(const char *name, char base[256])
{
    const bool ours = mae_text_ends(name, MAE_OUTPUT_TEMP);
    const bool temporary = ours || mae_text_ends(name, OLD_TEMP);
    const size_t end = ours        ? sizeof MAE_OUTPUT_TEMP - 1
                       : temporary ? sizeof OLD_TEMP - 1
                                   : 0;

    (void)snprintf(base, 256, "%.*s", (int)(strlen(name) - end), name);
    return temporary;
}

/*
 * Remove what crashed saves left and, if @p all, the files of an earlier run: one that
 * stayed could be taken for a state of the new one.
 */
static MaeStatus clean(const char *folder, bool (*is_ours)(const char *name), bool all,
                       MaeError *err)
{
    char file[MAE_CONFIG_PATH + 320], base[256];
    MaeStatus status = MAE_OK;
    const struct dirent *entry;
    DIR *dir = opendir(folder);

    if (dir == NULL)
        return errno == ENOENT
                   ? MAE_OK
                   : mae_file_fail(err, folder, "cannot read the folder", errno);
    while (status == MAE_OK && (entry = readdir(dir)) != NULL) {
        const bool temporary = is_temporary(entry->d_name, base);

        if (!is_ours(base) || !(temporary || all))
            continue;
        status = join(file, sizeof file, folder, entry->d_name, err);
        if (status == MAE_OK && unlink(file) != 0)
            status = mae_file_fail(err, file, "cannot remove", errno);
    }
    (void)closedir(dir);
    return status;
}

/* Make the folder that what is left of a run goes to. */
static MaeStatus make_aside(const char *folder, char *path, size_t size, MaeError *err)
{
    for (int n = 1; n <= SET_ASIDE_MOST; n++) {
        char name[32];

        (void)snprintf(name, sizeof name, SET_ASIDE "%d", n);
        MAE_TRY(join(path, size, folder, name, err));
        if (mkdir(path, 0777) == 0)
            return MAE_OK;
        if (errno != EEXIST)
            break;
    }
    return mae_file_fail(err, path, "cannot make the folder", errno);
}

/* Move a file, which may be missing, to another folder. */
static MaeStatus move(const char *from, const char *to, const char *name, MaeError *err)
{
    char old[MAE_CONFIG_PATH + 320], path[MAE_CONFIG_PATH + 320];

    MAE_TRY(join(old, sizeof old, from, name, err));
    MAE_TRY(join(path, sizeof path, to, name, err));
    if (rename(old, path) != 0 && errno != ENOENT)
        return mae_file_fail(err, old, "cannot move", errno);
    return MAE_OK;
}

static bool tells(const char *name)
{
    for (size_t i = 0; i < sizeof TELLING / sizeof *TELLING; i++) {
        if (strcmp(name, TELLING[i]) == 0)
            return true;
    }
    return false;
}

/* All files of a run; what tells that there is one to be set aside goes last. */
static MaeStatus move_all(const char *from, const char *to, MaeError *err)
{
    MaeStatus status = MAE_OK;
    const struct dirent *entry;
    DIR *dir = opendir(from);

    if (dir == NULL)
        return mae_file_fail(err, from, "cannot read the folder", errno);
    while (status == MAE_OK && (entry = readdir(dir)) != NULL) {
        if (is_run_file(entry->d_name) && !tells(entry->d_name))
            status = move(from, to, entry->d_name, err);
    }
    (void)closedir(dir);
    MAE_TRY(status);
    MAE_TRY(move(from, to, PREVIEWS, err));
    for (size_t i = 0; i < sizeof TELLING / sizeof *TELLING; i++)
        MAE_TRY(move(from, to, TELLING[i], err));
    return MAE_OK;
}

static bool has_bytes(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && info.st_size > 0;
}

/* Did a run come as far as to a line of a log? */
static bool has_something(const char *folder)
{
    char path[MAE_CONFIG_PATH + 32];

    for (size_t i = 0; i < sizeof TELLING / sizeof *TELLING; i++) {
        if (join(path, sizeof path, folder, TELLING[i], NULL) == MAE_OK &&
            has_bytes(path))
            return true;
    }
    return false;
}

/* A run is there, but nothing to go on from: its logs are all that is left of it. */
static MaeStatus set_aside(const MaeRunFolder *folder, MaeError *err)
{
    char aside[MAE_CONFIG_PATH + 32];

    if (!has_something(folder->path)) {
        mae_log(folder->log, MAE_LOG_WARN, "no checkpoint in %s: the run begins anew",
                folder->path);
        return MAE_OK;
    }
    MAE_TRY(clean(folder->path, is_run_file, false, err));
    MAE_TRY(make_aside(folder->path, aside, sizeof aside, err));
    MAE_TRY(move_all(folder->path, aside, err));
    mae_log(folder->log, MAE_LOG_WARN,
            "no checkpoint in %s: the run begins anew; what was there is now in %s",
            folder->path, aside);
    return MAE_OK;
}

static MaeStatus write_config(const MaeRunFolder *folder, const MaeConfig *cfg,
                              MaeError *err)
{
    char path[MAE_CONFIG_PATH + 32];
    char *text = NULL;
    MaeStatus status;

    MAE_TRY(join(path, sizeof path, folder->path, "config.yaml", err));
    MAE_TRY(mae_config_text(cfg, &text, err));
    status = mae_file_write_atomic(path, text, strlen(text), err);
    free(text);
    return status;
}

/* Values that follow from data and checkpoints have to be such that can be read again:
 * the run could not go on. */
static MaeStatus check_config(const MaeConfig *cfg, MaeError *err)
{
    MaeConfig again;
    char *text = NULL;
    MaeStatus status;

    MAE_TRY(mae_config_text(cfg, &text, err));
    status = mae_config_parse_text(&again, cfg->tool, "config.yaml", text, strlen(text),
                                   NULL, 0, err);
    free(text);
    return status;
}

/* A state that was saved while the log could not be read has none of it: what the folder
 * has of the epochs behind it is the log. */
static MaeStatus put_history(const char *log, const MaeSnapshot *from, MaeError *err)
{
    const char *history = from->history != NULL ? from->history : "";

    return history[0] == '\0' && has_bytes(log)
               ? mae_jsonl_cut(log, "epoch", (int64_t)from->epoch, err)
               : mae_file_write_atomic(log, history, strlen(history), err);
}

MaeStatus mae_run_folder_begin(MaeRunFolder *folder, const MaeConfig *cfg,
                               const MaeSnapshot *from, MaeError *err)
{
    const int64_t step = (int64_t)from->step;
    char log[MAE_CONFIG_PATH + 32], steps[MAE_CONFIG_PATH + 32];
    char previews[MAE_CONFIG_PATH + 32];
    const bool anew = folder->resume[0] == '\0';

    MAE_TRY(check_config(cfg, err));
    MAE_TRY(join(log, sizeof log, folder->path, EPOCHS, err));
    MAE_TRY(join(steps, sizeof steps, folder->path, STEPS, err));
    MAE_TRY(join(previews, sizeof previews, folder->path, PREVIEWS, err));
    close_logs(folder);
    if (folder->lost)
        MAE_TRY(set_aside(folder, err));
    folder->lost = false;
    MAE_TRY(clean(folder->path, is_run_file, anew, err));
    MAE_TRY(clean(previews, is_preview, anew, err));
    MAE_TRY(mae_jsonl_cut(steps, "step", step, err));
    MAE_TRY(mae_jsonl_open(&folder->steps, steps, err)); /* first: it marks a run */
    MAE_TRY(write_config(folder, cfg, err));
    MAE_TRY(put_history(log, from, err));
    MAE_TRY(mae_jsonl_open(&folder->epochs, log, err));
    MAE_TRY(mae_events_cut(folder->path, step, err));
    return mae_events_open(&folder->events, folder->path, err);
}

/* A log that cannot be written is no reason to lose the run; tell once. */
static void note_log(MaeRunFolder *folder, MaeStatus status, const MaeError *why)
{
    if (status != MAE_OK && !folder->log_failed)
        mae_log(folder->log, MAE_LOG_WARN, "%s; training goes on", why->msg);
    folder->log_failed = status != MAE_OK;
}

void mae_run_folder_epoch(MaeRunFolder *folder, MaeJson *record, uint64_t step)
{
    static const char *const scalars[] = {
        "train_loss", "val_loss",      "test_loss",     "test_acc1",
        "test_acc5",  "test_macro_f1", "raw_test_acc1", "images_per_second"};
    MaeError why = {0};
    MaeStatus status = mae_jsonl_append(folder->epochs, record, &why);

    for (size_t i = 0; i < sizeof scalars / sizeof *scalars && status == MAE_OK; i++) {
        char tag[64];
        double value;

        if (!mae_json_get_real(record, scalars[i], &value))
            continue;
        (void)snprintf(tag, sizeof tag, "epoch/%s", scalars[i]);
        status =
            mae_events_scalar(folder->events, tag, (int64_t)step, (float)value, &why);
    }
    mae_json_free(record);
    note_log(folder, status, &why);
}

static MaeStatus log_step(MaeRunFolder *folder, const MaeJson *record, MaeError *err)
{
    static const char *const scalars[] = {"loss", "lr", "grad_norm"};
    int64_t step = 0;

    MAE_TRY(mae_jsonl_append(folder->steps, record, err));
    (void)mae_json_get_int(record, "step", &step);
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        char tag[64];
        double value = 0.0;

        (void)snprintf(tag, sizeof tag, "step/%s", scalars[i]);
        (void)mae_json_get_real(record, scalars[i], &value);
        MAE_TRY(mae_events_scalar(folder->events, tag, step, (float)value, err));
    }
    return MAE_OK;
}

void mae_run_folder_step(MaeRunFolder *folder, uint64_t step, double epoch, double loss,
                         double lr, double grad_norm)
{
    MaeJson *record = mae_json_object();
    MaeError why = {0};

    mae_json_set_int(record, "step", (int64_t)step);
    mae_json_set_real(record, "epoch", epoch);
    mae_json_set_real(record, "loss", loss);
    mae_json_set_real(record, "lr", lr);
    mae_json_set_real(record, "grad_norm", grad_norm);
    note_log(folder, log_step(folder, record, &why), &why);
    mae_json_free(record);
}
