#define _GNU_SOURCE /* flock */
#include "train/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file.h"

#define SAVES_MAY_FAIL 2 /* the next failure in a row ends the run */
#define HISTORY_MAX ((size_t)256 << 20)

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

/* N of checkpoint-N.h5, or -1. */
static long checkpoint_number(const char *name)
{
    int end = 0;
    long n = -1;

    if (sscanf(name, "checkpoint-%9ld.h5%n", &n, &end) != 1 || end == 0 ||
        name[end] != '\0')
        return -1;
    return n;
}

static bool is_run_file(const char *name)
{
    static const char *const names[] = {"config.yaml", "log.txt",      "steps.jsonl",
                                        "last.h5",     "best.h5",      "summary.json",
                                        "report.html", "confusion.csv"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return checkpoint_number(name) >= 0 || strncmp(name, "events.out.tfevents.", 20) == 0;
}

/* Is there a run, something else, or nothing in the folder? */
static MaeStatus look(const char *path, Content *content, MaeError *err)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    if (dir == NULL)
        return mae_file_fail(err, path, "cannot read the folder", errno);
    *content = CONTENT_EMPTY;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, "config.yaml") == 0 ||
            strcmp(entry->d_name, "last.h5") == 0)
            *content = CONTENT_RUN;
        else if (entry->d_name[0] != '.' && *content == CONTENT_EMPTY)
            *content = CONTENT_FOREIGN;
    }
    (void)closedir(dir);
    return MAE_OK;
}

static MaeStatus take_lock(MaeRunFolder *folder, MaeError *err)
{
    char path[MAE_CONFIG_PATH + 32], owner[32] = "";
    ssize_t n;

    MAE_TRY(join(path, sizeof path, folder->path, ".lock", err));
    folder->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (folder->lock < 0)
        return mae_file_fail(err, path, "cannot create", errno);
    if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0) {
        n = pread(folder->lock, owner, sizeof owner - 1, 0);
        owner[n > 0 ? (size_t)n : 0] = '\0';
        owner[strcspn(owner, "\n")] = '\0';
        MAE_FAIL(err, MAE_ERR_ARG, "%s: another run (process %s) is using this folder",
                 folder->path, owner);
    }
    n = snprintf(owner, sizeof owner, "%ld\n", (long)getpid());
    if (ftruncate(folder->lock, 0) != 0 || pwrite(folder->lock, owner, (size_t)n, 0) != n)
        return mae_file_fail(err, path, "cannot write", errno);
    return MAE_OK;
}

/* Newest valid checkpoint: last.h5, then checkpoint-N.h5 from the largest N down. */
static MaeStatus find_checkpoint(MaeRunFolder *folder, MaeError *err)
{
    char path[MAE_CONFIG_PATH + 32], name[64] = "last.h5";
    long below = 1000000000;
    MaeError why = {0};

    while (name[0] != '\0') {
        const struct dirent *entry;
        long best = -1;
        DIR *dir;

        MAE_TRY(join(path, sizeof path, folder->path, name, err));
        if (access(path, F_OK) == 0) {
            if (mae_ckpt_verify(path, &why) == MAE_OK) {
                memcpy(folder->resume, path, sizeof folder->resume);
                return MAE_OK;
            }
            mae_log(folder->log, MAE_LOG_WARN, "%s; trying an older checkpoint", why.msg);
        }
        dir = opendir(folder->path);
        if (dir == NULL)
            return mae_file_fail(err, folder->path, "cannot read the folder", errno);
        while ((entry = readdir(dir)) != NULL) {
            const long n = checkpoint_number(entry->d_name);

            if (n < below && n > best)
                best = n;
        }
        (void)closedir(dir);
        below = best;
        name[0] = '\0';
        if (best >= 0)
            (void)snprintf(name, sizeof name, "checkpoint-%ld.h5", best);
    }
    if (why.status != MAE_OK)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: no checkpoint can be read (%.300s); train.resume=none "
                 "train.overwrite=true starts anew",
                 folder->path, why.msg);
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
    if (strcmp(resume, "auto") == 0)
        return cfg->train.overwrite ? MAE_OK : find_checkpoint(folder, err);
    MAE_TRY(mae_ckpt_verify(resume, err));
    memcpy(folder->resume, resume, sizeof cfg->train.resume);
    return MAE_OK;
}

MaeStatus mae_run_folder_open(MaeRunFolder *folder, const MaeConfig *cfg,
                              const MaeLog *log, MaeError *err)
{
    MaeStatus status;

    *folder = (MaeRunFolder){.log = log, .lock = -1, .keep = cfg->train.keep};
    memcpy(folder->path, cfg->train.output_dir, sizeof cfg->train.output_dir);
    MAE_TRY(mae_file_make_folders(folder->path, err));
    status = take_lock(folder, err);
    if (status == MAE_OK)
        status = choose(folder, cfg, err);
    if (status != MAE_OK)
        mae_run_folder_close(folder);
    return status;
}

void mae_run_folder_close(MaeRunFolder *folder)
{
    if (folder == NULL)
        return;
    mae_jsonl_close(folder->epochs);
    mae_jsonl_close(folder->steps);
    mae_events_close(folder->events);
    if (folder->lock >= 0)
        (void)close(folder->lock);
    folder->epochs = folder->steps = NULL;
    folder->events = NULL;
    folder->lock = -1;
}

/* Remove what an earlier run and crashed saves left; nothing that is not ours. */
static MaeStatus clean(const MaeRunFolder *folder, const char *below, bool all,
                       MaeError *err)
{
    char path[MAE_CONFIG_PATH + 32], file[MAE_CONFIG_PATH + 320];
    const struct dirent *entry;
    DIR *dir;

    MAE_TRY(join(path, sizeof path, folder->path, below, err));
    dir = opendir(path);
    if (dir == NULL)
        return MAE_OK;
    while ((entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name, *dot = strrchr(name, '.');
        char base[256];

        (void)snprintf(base, sizeof base, "%.*s", (int)(dot != NULL ? dot - name : 0),
                       name);
        if (!(dot != NULL && strcmp(dot, ".tmp") == 0 && is_run_file(base)) &&
            !(all && (is_run_file(name) || strncmp(name, "epoch-", 6) == 0)))
            continue;
        if (join(file, sizeof file, path, name, NULL) == MAE_OK)
            (void)unlink(file);
    }
    (void)closedir(dir);
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

MaeStatus mae_run_folder_begin(MaeRunFolder *folder, const MaeConfig *cfg,
                               const char *history, uint64_t step, MaeError *err)
{
    char log[MAE_CONFIG_PATH + 32], steps[MAE_CONFIG_PATH + 32];
    const bool anew = folder->resume[0] == '\0';

    MAE_TRY(join(log, sizeof log, folder->path, "log.txt", err));
    MAE_TRY(join(steps, sizeof steps, folder->path, "steps.jsonl", err));
    MAE_TRY(clean(folder, ".", anew, err));
    MAE_TRY(clean(folder, "reconstructions", anew, err));
    MAE_TRY(write_config(folder, cfg, err));
    MAE_TRY(mae_file_write_atomic(log, history, strlen(history), err));
    MAE_TRY(mae_jsonl_cut(steps, "step", (int64_t)step, err));
    MAE_TRY(mae_events_cut(folder->path, (int64_t)step, err));
    MAE_TRY(mae_jsonl_open(&folder->epochs, log, err));
    MAE_TRY(mae_jsonl_open(&folder->steps, steps, err));
    return mae_events_open(&folder->events, folder->path, err);
}

MaeStatus mae_run_folder_history(const MaeRunFolder *folder, char **history,
                                 MaeError *err)
{
    char path[MAE_CONFIG_PATH + 32];
    unsigned char *bytes = NULL;
    size_t size = 0;

    MAE_TRY(join(path, sizeof path, folder->path, "log.txt", err));
    MAE_TRY(mae_file_read_all(path, HISTORY_MAX, &bytes, &size, err));
    *history = (char *)bytes;
    return MAE_OK;
}

MaeStatus mae_run_folder_epoch(MaeRunFolder *folder, MaeJson *record, uint64_t step,
                               MaeError *err)
{
    static const char *const scalars[] = {"train_loss", "val_loss",  "test_loss",
                                          "test_acc1",  "test_acc5", "images_per_second"};
    MaeStatus status = mae_jsonl_append(folder->epochs, record, err);

    for (size_t i = 0; i < sizeof scalars / sizeof *scalars && status == MAE_OK; i++) {
        char tag[64];
        double value;

        if (!mae_json_get_real(record, scalars[i], &value))
            continue;
        (void)snprintf(tag, sizeof tag, "epoch/%s", scalars[i]);
        status = mae_events_scalar(folder->events, tag, (int64_t)step, (float)value, err);
    }
    mae_json_free(record);
    return status;
}

MaeStatus mae_run_folder_step(MaeRunFolder *folder, uint64_t step, double epoch,
                              double loss, double lr, double grad_norm, MaeError *err)
{
    MaeJson *record = mae_json_object();
    MaeStatus status;

    mae_json_set_int(record, "step", (int64_t)step);
    mae_json_set_real(record, "epoch", epoch);
    mae_json_set_real(record, "loss", loss);
    mae_json_set_real(record, "lr", lr);
    mae_json_set_real(record, "grad_norm", grad_norm);
    status = mae_jsonl_append(folder->steps, record, err);
    mae_json_free(record);
    MAE_TRY(status);
    MAE_TRY(
        mae_events_scalar(folder->events, "step/loss", (int64_t)step, (float)loss, err));
    MAE_TRY(mae_events_scalar(folder->events, "step/lr", (int64_t)step, (float)lr, err));
    return mae_events_scalar(folder->events, "step/grad_norm", (int64_t)step,
                             (float)grad_norm, err);
}

/* Give last.h5 another name, atomically; file systems without hard links get a copy. */
static MaeStatus name_also(const char *last, const char *path, MaeError *err)
{
    char temp[MAE_CONFIG_PATH + 96];

    (void)snprintf(temp, sizeof temp, "%s.tmp", path);
    (void)unlink(temp);
    if (link(last, temp) != 0)
        return mae_file_fail(err, temp, "cannot link", errno);
    if (rename(temp, path) != 0) {
        const int error = errno;

        (void)unlink(temp);
        return mae_file_fail(err, path, "cannot rename", error);
    }
    return mae_file_sync_folder(path, err);
}

static void prune(const MaeRunFolder *folder)
{
    for (;;) {
        char path[MAE_CONFIG_PATH + 64], name[64];
        const struct dirent *entry;
        DIR *dir = opendir(folder->path);
        long oldest = -1;
        size_t count = 0;

        if (dir == NULL)
            return;
        while ((entry = readdir(dir)) != NULL) {
            const long n = checkpoint_number(entry->d_name);

            if (n < 0)
                continue;
            count++;
            if (oldest < 0 || n < oldest)
                oldest = n;
        }
        (void)closedir(dir);
        if (count <= folder->keep)
            return;
        (void)snprintf(name, sizeof name, "checkpoint-%ld.h5", oldest);
        if (join(path, sizeof path, folder->path, name, NULL) != MAE_OK ||
            unlink(path) != 0)
            return;
    }
}

static MaeStatus save_all(MaeRunFolder *folder, const MaeSnapshot *snapshot,
                          const MaeParamTable *table, const float *weights,
                          const MaeOptim *optim, MaeSaveAs as, MaeError *err)
{
    char last[MAE_CONFIG_PATH + 32], path[MAE_CONFIG_PATH + 64], name[64];

    MAE_TRY(join(last, sizeof last, folder->path, "last.h5", err));
    MAE_TRY(mae_snapshot_save(last, snapshot, table, weights, optim, err));
    if (as.best) {
        MAE_TRY(join(path, sizeof path, folder->path, "best.h5", err));
        if (name_also(last, path, NULL) != MAE_OK)
            MAE_TRY(mae_snapshot_save(path, snapshot, table, weights, optim, err));
    }
    if (as.checkpoint) {
        (void)snprintf(name, sizeof name, "checkpoint-%llu.h5",
                       (unsigned long long)snapshot->epoch);
        MAE_TRY(join(path, sizeof path, folder->path, name, err));
        if (name_also(last, path, NULL) != MAE_OK)
            MAE_TRY(mae_snapshot_save(path, snapshot, table, weights, optim, err));
        prune(folder);
    }
    return MAE_OK;
}

MaeStatus mae_run_folder_save(MaeRunFolder *folder, const MaeSnapshot *snapshot,
                              const MaeParamTable *table, const float *weights,
                              const MaeOptim *optim, MaeSaveAs as, MaeError *err)
{
    MaeError why = {0};
    const MaeStatus status = save_all(folder, snapshot, table, weights, optim, as, &why);

    if (status == MAE_OK) {
        folder->failed = 0;
        return MAE_OK;
    }
    if (++folder->failed > SAVES_MAY_FAIL)
        MAE_FAIL(err, status, "%.400s (saving failed %d times in a row)", why.msg,
                 folder->failed);
    mae_log(folder->log, MAE_LOG_WARN,
            "%s; older checkpoints are intact, training goes on", why.msg);
    return MAE_OK;
}

MaeStatus mae_run_folder_preview(const MaeRunFolder *folder, size_t epoch, char *path,
                                 size_t size, MaeError *err)
{
    char name[64];

    MAE_TRY(join(path, size, folder->path, "reconstructions", err));
    MAE_TRY(mae_file_make_folders(path, err));
    (void)snprintf(name, sizeof name, "reconstructions/epoch-%04zu.png", epoch);
    return join(path, size, folder->path, name, err);
}
