/* A folder of unlabelled images, nested folders included. */
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
