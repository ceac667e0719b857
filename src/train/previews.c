/* Part of run_folder.h: the previews of a run. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/file.h"
#include "train/run_folder.h"

#define FOLDER "reconstructions"
#define MOST_CHOSEN 64

MaeStatus mae_run_folder_preview(const MaeRunFolder *folder, size_t epoch, char *path,
                                 size_t size, MaeError *err)
{
    char name[64];

    MAE_TRY(mae_run_folder_file(folder, FOLDER, path, size, err));
    MAE_TRY(mae_file_make_folders(path, err));
    (void)snprintf(name, sizeof name, FOLDER "/epoch-%04zu.png", epoch);
    return mae_run_folder_file(folder, name, path, size, err);
}

/* Epoch of a file as mae_run_folder_preview names it, 0 for another. */
static size_t epoch_of(const char *name)
{
    char again[64];
    size_t epoch = 0;

    if (strncmp(name, "epoch-", 6) == 0)
        epoch = (size_t)strtoul(name + 6, NULL, 10);
    (void)snprintf(again, sizeof again, "epoch-%04zu.png", epoch);
    return strcmp(name, again) == 0 ? epoch : 0;
}

typedef void (*EpochFn)(void *ctx, size_t epoch);

static void each_epoch(const char *path, EpochFn fn, void *ctx)
{
    const struct dirent *entry;
    DIR *dir = opendir(path);

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        if (epoch_of(entry->d_name) > 0)
            fn(ctx, epoch_of(entry->d_name));
    }
    (void)closedir(dir);
}

/* Epochs from the first to the last one, and those nearest to places between them. */
typedef struct Choice {
    size_t first, last;
    size_t most;
    size_t chosen[MOST_CHOSEN]; /* [most]; 0: none yet */
} Choice;

static void note_ends(void *ctx, size_t epoch)
{
    Choice *choice = ctx;

    if (choice->first == 0 || epoch < choice->first)
        choice->first = epoch;
    if (epoch > choice->last)
        choice->last = epoch;
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

static void note_nearest(void *ctx, size_t epoch)
{
    Choice *choice = ctx;
    const size_t gaps = choice->most > 1 ? choice->most - 1 : 1;

    for (size_t i = 0; i < choice->most; i++) {
        const size_t back = (choice->last - choice->first) / gaps * (gaps - i) +
                            (choice->last - choice->first) % gaps * (gaps - i) / gaps;
        const size_t wanted = choice->last - back;
        const size_t old = choice->chosen[i];

        if (old == 0 || distance(epoch, wanted) < distance(old, wanted))
            choice->chosen[i] = epoch;
    }
}

size_t mae_run_folder_previews(const MaeRunFolder *folder, size_t *epochs, size_t most)
{
    Choice choice = {.most = most < MOST_CHOSEN ? most : MOST_CHOSEN};
    char path[MAE_CONFIG_PATH + 32];
    size_t count = 0;

    if (mae_run_folder_file(folder, FOLDER, path, sizeof path, NULL) != MAE_OK)
        return 0;
    each_epoch(path, note_ends, &choice);
    each_epoch(path, note_nearest, &choice);
    for (size_t i = 0; i < choice.most && choice.chosen[i] > 0; i++) {
        if (count == 0 || epochs[count - 1] < choice.chosen[i])
            epochs[count++] = choice.chosen[i];
    }
    return count;
}
