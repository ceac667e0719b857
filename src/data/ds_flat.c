/* A folder of unlabelled images, nested folders included; or single files. */
#include <stdio.h>

#include "data/driver.h"
#include "data/files.h"

static bool probe(const MaeDatasetPath *path, const MaeDatasetOptions *opt)
{
    (void)opt;
    return path->is_folder;
}

static MaeStatus open_flat(void *ctx, MaeDatasetContent *content,
                           const MaeDatasetPath *path, const MaeDatasetOptions *opt,
                           MaeError *err)
{
    MaeFiles *files = ctx;

    MAE_TRY(mae_files_open(files, path->text, err));
    MAE_TRY(mae_files_walk(files, "", err));
    mae_files_report(files, path->text, opt->log);
    content->info.count = files->count;
    if (files->count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "folder '%s': expected JPEG or PNG images, found none (%zu other files)",
                 path->text, files->ignored);
    return MAE_OK;
}

static MaeStatus load(const void *ctx, size_t index, MaeReadBuffer *buffer, size_t *size,
                      size_t max_size, MaeError *err)
{
    return mae_files_load(ctx, index, buffer, size, max_size, err);
}

static void describe(const void *ctx, size_t index, char *text, size_t size)
{
    snprintf(text, size, "%s", mae_files_name(ctx, index));
}

static void close_flat(void *ctx)
{
    mae_files_close(ctx);
}

const MaeDatasetDriver mae_ds_flat = {
    .name = "flat",
    .ctx_size = sizeof(MaeFiles),
    .probe = probe,
    .open = open_flat,
    .load = load,
    .describe = describe,
    .close = close_flat,
};

/* --- single files ----------------------------------------------------------------- */

typedef struct Paths {
    const char *const *paths;
    size_t count;
} Paths;

static MaeStatus open_files(void *ctx, MaeDatasetContent *content,
                            const MaeDatasetPath *path, const MaeDatasetOptions *opt,
                            MaeError *err)
{
    const Paths *given = path->given;

    (void)opt;
    MAE_TRY(mae_files_open(ctx, ".", err));
    for (size_t i = 0; i < given->count; i++)
        MAE_TRY(mae_files_add(ctx, given->paths[i], err));
    content->info.count = given->count;
    return MAE_OK;
}

static const MaeDatasetDriver single_files = {
    .name = "files",
    .ctx_size = sizeof(MaeFiles),
    .open = open_files,
    .load = load,
    .describe = describe,
    .close = close_flat,
};

MaeStatus mae_dataset_open_files(MaeDataset **ds, const char *const *paths, size_t count,
                                 const MaeDatasetOptions *opt, MaeError *err)
{
    const Paths given = {paths, count};

    if (count == 0)
        MAE_FAIL(err, MAE_ERR_ARG, "files: expected at least one image");
    return mae_dataset_open_given(ds, &single_files, paths[0], &given, opt, err);
}
