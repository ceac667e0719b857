#include "train/generations.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/file.h"
#include "store/output.h"

#define LAST "last.h5"
#define PREVIOUS "previous.h5"
#define BEST "best.h5"
#define SAVES_MAY_FAIL 2 /* the next failure in a row ends the run */
#define HISTORY_MAX ((size_t)256 << 20)

enum { PATH_SIZE = MAE_CONFIG_PATH + 96, TEMP_SIZE = PATH_SIZE + 16, NAME_SIZE = 64 };

static void print_checkpoint(char name[NAME_SIZE], long number)
{
    (void)snprintf(name, NAME_SIZE, "checkpoint-%ld.h5", number);
}

/* N of checkpoint-N.h5, or -1. */
static long checkpoint_number(const char *name)
{
    char again[NAME_SIZE];
    long n = -1;

    if (strncmp(name, "checkpoint-", 11) == 0)
        n = strtol(name + 11, NULL, 10);
    print_checkpoint(again, n);
    return n >= 0 && strcmp(name, again) == 0 ? n : -1;
}

bool mae_generation_is(const char *name)
{
    return strcmp(name, LAST) == 0 || strcmp(name, PREVIOUS) == 0 ||
           checkpoint_number(name) >= 0;
}

/* The checkpoint-N.h5 of a folder with N in a range. */
typedef struct Numbers {
    long smallest, largest; /* -1: there is none */
    size_t count;
} Numbers;

static MaeStatus count_numbers(const MaeRunFolder *folder, long below, Numbers *numbers,
                               MaeError *err)
{
    DIR *dir = opendir(folder->path);
    const struct dirent *entry;

    if (dir == NULL)
        return mae_file_fail(err, folder->path, "cannot read the folder", errno);
    *numbers = (Numbers){.smallest = -1, .largest = -1};
    while ((entry = readdir(dir)) != NULL) {
        const long n = checkpoint_number(entry->d_name);

        if (n < 0 || n >= below)
            continue;
        numbers->count++;
        if (numbers->smallest < 0 || n < numbers->smallest)
            numbers->smallest = n;
        if (n > numbers->largest)
            numbers->largest = n;
    }
    (void)closedir(dir);
    return MAE_OK;
}

/* The path of a checkpoint; "" if there is none. */
typedef struct Found {
    char path[MAE_CONFIG_PATH + 32];
} Found;

static bool is_found(const Found *found)
{
    return found->path[0] != '\0';
}

/* Take a checkpoint if it is whole; one that cannot be looked at is not missing. */
static MaeStatus try_checkpoint(const MaeRunFolder *folder, const char *name,
                                Found *found, MaeError *why, MaeError *err)
{
    Found here;

    MAE_TRY(mae_run_folder_file(folder, name, here.path, sizeof here.path, err));
    if (access(here.path, F_OK) != 0 && errno == ENOENT)
        return MAE_OK;
    if (mae_ckpt_verify(here.path, why) == MAE_OK) {
        *found = here;
        return MAE_OK;
    }
    if (why->status == MAE_ERR_NOMEM)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s", why->msg);
    mae_log(folder->log, MAE_LOG_WARN, "%s; trying an older checkpoint", why->msg);
    return MAE_OK;
}

/* The checkpoint-N.h5 of the largest N that is whole. */
static MaeStatus try_numbers(const MaeRunFolder *folder, Found *found, MaeError *why,
                             MaeError *err)
{
    Numbers older = {.largest = LONG_MAX};
    char name[NAME_SIZE];

    while (!is_found(found)) {
        MAE_TRY(count_numbers(folder, older.largest, &older, err));
        if (older.count == 0)
            break;
        print_checkpoint(name, older.largest);
        MAE_TRY(try_checkpoint(folder, name, found, why, err));
    }
    return MAE_OK;
}

/* Of a whole checkpoint; -1 if it does not say. */
static int64_t step_of(const Found *found)
{
    MaeCkptReader *reader = NULL;
    int64_t step = -1;

    if (mae_ckpt_open(&reader, found->path, NULL) == MAE_OK)
        (void)mae_ckpt_get_int(reader, "step", &step, NULL);
    mae_ckpt_close(reader);
    return step;
}

/* The later one of previous.h5 and the newest checkpoint-N.h5. */
static MaeStatus fall_back(const MaeRunFolder *folder, Found *found, MaeError *why,
                           MaeError *err)
{
    Found numbered = {.path = ""};

    MAE_TRY(try_checkpoint(folder, PREVIOUS, found, why, err));
    MAE_TRY(try_numbers(folder, &numbered, why, err));
    if (!is_found(found) || (is_found(&numbered) && step_of(&numbered) > step_of(found)))
        *found = numbered;
    return MAE_OK;
}

MaeStatus mae_generation_find(MaeRunFolder *folder, MaeError *err)
{
    Found found = {.path = ""};
    MaeError why = {0};

    MAE_TRY(try_checkpoint(folder, LAST, &found, &why, err));
    folder->last_is_whole = is_found(&found);
    if (!is_found(&found))
        MAE_TRY(fall_back(folder, &found, &why, err));
    if (!is_found(&found) && why.status != MAE_OK)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: no checkpoint can be read (%.300s); train.resume=none "
                 "train.overwrite=true starts anew",
                 folder->path, why.msg);
    memcpy(folder->resume, found.path, sizeof folder->resume);
    return MAE_OK;
}

MaeStatus mae_generation_look(MaeRunFolder *folder, MaeError *err)
{
    char last[PATH_SIZE];

    MAE_TRY(mae_run_folder_file(folder, LAST, last, sizeof last, err));
    folder->last_is_whole = mae_ckpt_verify(last, NULL) == MAE_OK;
    return MAE_OK;
}

/* log.txt so far, malloc'ed. */
static MaeStatus read_history(const MaeRunFolder *folder, char **history, MaeError *err)
{
    char path[PATH_SIZE];
    unsigned char *bytes = NULL;
    size_t size = 0;

    MAE_TRY(mae_run_folder_file(folder, "log.txt", path, sizeof path, err));
    MAE_TRY(mae_file_read_all(path, HISTORY_MAX, &bytes, &size, err));
    *history = (char *)bytes;
    return MAE_OK;
}

/* Give a file a second name; not all file systems can. */
static MaeStatus link_as(const char *path, const char *name, MaeError *err)
{
    (void)unlink(name);
    return link(path, name) == 0 ? MAE_OK
                                 : mae_file_fail(err, name, "cannot link", errno);
}

/* Let @p temp replace @p path, or remove it. */
static MaeStatus move_to(const char *temp, const char *path, MaeError *err)
{
    if (rename(temp, path) != 0) {
        const int number = errno;

        (void)unlink(temp);
        return mae_file_fail(err, path, "cannot rename", number);
    }
    return MAE_OK;
}

static MaeStatus name_also(const char *saved, const char *path, MaeError *err)
{
    char temp[TEMP_SIZE];

    (void)snprintf(temp, sizeof temp, "%s" MAE_OUTPUT_TEMP, path);
    MAE_TRY(link_as(saved, temp, err));
    MAE_TRY(move_to(temp, path, err));
    return mae_file_sync_folder(path, err);
}

/* Remove the oldest checkpoint-N.h5 until keep are left; those above @p newest, left from
 * before the run went back to an older one, do not count. */
static MaeStatus prune(const MaeRunFolder *folder, long newest, MaeError *err)
{
    char path[PATH_SIZE], name[NAME_SIZE];
    Numbers kept;

    for (;;) {
        MAE_TRY(count_numbers(folder, newest + 1, &kept, err));
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): counted */
        if (kept.count <= folder->keep)
            return MAE_OK;
        print_checkpoint(name, kept.smallest);
        MAE_TRY(mae_run_folder_file(folder, name, path, sizeof path, err));
        if (unlink(path) != 0)
            return mae_file_fail(err, path, "cannot remove", errno);
    }
}

/* One write; the other names are links to it. last.h5 comes last: if the run is killed in
 * between, it goes back to the state before and does everything again. */
static MaeStatus save_names(MaeRunFolder *folder, const MaeSnapshot *snapshot,
                            const MaeParamTable *table, const float *weights,
                            const MaeOptim *optim, MaeSaveAs as, MaeError *err)
{
    char first[PATH_SIZE], path[PATH_SIZE], number[NAME_SIZE];
    const char *names[3];
    size_t count = 0;

    print_checkpoint(number, (long)snapshot->epoch);
    if (as.best)
        names[count++] = BEST;
    if (as.checkpoint)
        names[count++] = number;
    names[count++] = LAST;
    MAE_TRY(mae_run_folder_file(folder, names[0], first, sizeof first, err));
    folder->best_failed = as.best;
    MAE_TRY(mae_snapshot_save(first, snapshot, table, weights, optim, err));
    folder->best_failed = false;
    for (size_t i = 1; i < count; i++) {
        MAE_TRY(mae_run_folder_file(folder, names[i], path, sizeof path, err));
        if (name_also(first, path, NULL) != MAE_OK)
            MAE_TRY(mae_snapshot_save(path, snapshot, table, weights, optim, err));
    }
    return MAE_OK;
}

/*
 * Save beside what last.h5 holds now, which is then previous.h5: while the new state is
 * written it has a temporary name, so there are two older ones at any time. A last.h5
 * that may be damaged takes nothing's place.
 */
static MaeStatus save_beside(MaeRunFolder *folder, const MaeSnapshot *snapshot,
                             const MaeParamTable *table, const float *weights,
                             const MaeOptim *optim, MaeSaveAs as, MaeError *err)
{
    char last[PATH_SIZE], previous[PATH_SIZE], temp[TEMP_SIZE];
    MaeError why = {0};
    MaeStatus status, linked = MAE_OK;

    MAE_TRY(mae_run_folder_file(folder, LAST, last, sizeof last, err));
    MAE_TRY(mae_run_folder_file(folder, PREVIOUS, previous, sizeof previous, err));
    (void)snprintf(temp, sizeof temp, "%s" MAE_OUTPUT_TEMP, previous);
    if (folder->last_is_whole)
        linked = link_as(last, temp, &why);
    status = save_names(folder, snapshot, table, weights, optim, as, err);
    if (folder->last_is_whole && linked == MAE_OK) {
        if (status == MAE_OK)
            linked = move_to(temp, previous, &why);
        else
            (void)unlink(temp);
    }
    if (linked != MAE_OK && !folder->link_failed)
        mae_log(folder->log, MAE_LOG_WARN, "%s; %s stays as it is", why.msg, PREVIOUS);
    folder->link_failed = linked != MAE_OK;
    folder->last_is_whole = folder->last_is_whole || status == MAE_OK;
    return status;
}

static MaeStatus save_all(MaeRunFolder *folder, const MaeSnapshot *snapshot,
                          const MaeParamTable *table, const float *weights,
                          const MaeOptim *optim, MaeSaveAs as, MaeError *err)
{
    MaeSnapshot full = *snapshot;
    MaeError why = {0};
    MaeStatus status;

    if (read_history(folder, &full.history, &why) != MAE_OK)
        mae_log(folder->log, MAE_LOG_WARN, "%s; saving without the log", why.msg);
    status = save_beside(folder, &full, table, weights, optim, as, err);
    free(full.history);
    if (status == MAE_OK && as.checkpoint &&
        prune(folder, (long)snapshot->epoch, &why) != MAE_OK)
        mae_log(folder->log, MAE_LOG_WARN, "%s", why.msg);
    return status;
}

MaeStatus mae_run_folder_save(MaeRunFolder *folder, const MaeSnapshot *snapshot,
                              const MaeParamTable *table, const float *weights,
                              const MaeOptim *optim, MaeSaveAs as, MaeError *err)
{
    MaeError why = {0};
    const MaeStatus status = save_all(folder, snapshot, table, weights, optim, as, &why);

    if (status == MAE_OK) {
        folder->failed = 0;
        folder->saved = true;
        return MAE_OK;
    }
    if (status == MAE_ERR_COMM) /* the other ranks are gone */
        MAE_FAIL(err, status, "%s", why.msg);
    if (as.must)
        MAE_FAIL(err, status, "%.400s (the state is not saved)", why.msg);
    if (++folder->failed > SAVES_MAY_FAIL)
        MAE_FAIL(err, status, "%.400s (saving failed %d times in a row)", why.msg,
                 folder->failed);
    mae_log(folder->log, MAE_LOG_WARN,
            "%s; older checkpoints are intact, training goes on", why.msg);
    return MAE_OK;
}
