/* Class folders: every sub-folder of the root is a class. */
#include <stdio.h>
#include <stdlib.h>

#include "data/driver.h"
#include "data/files.h"

static bool probe(const MaeDatasetPath *path, const MaeDatasetOptions *opt)
{
    bool has_images = false, has_folders = false;

    if (!path->is_folder || opt->unlabelled)
        return false;
    mae_folder_scan(path->text, &has_images, &has_folders);
    return has_folders && !has_images;
}

/* Walk the classes. @param[out] ends [classes] samples up to the end of each. */
static MaeStatus walk_classes(MaeFiles *files, size_t *ends, const MaeFolders *classes,
                              const char *path, MaeError *err)
{
    for (size_t i = 0; i < classes->count; i++) {
        const size_t before = files->count, ignored = files->ignored;

        MAE_TRY(mae_files_walk(files, classes->names[i], err));
        ends[i] = files->count;
        if (ends[i] == before)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "dataset '%s': class folder '%s' holds no JPEG or PNG image "
                     "(%zu other files)",
                     path, classes->names[i], files->ignored - ignored);
    }
    return MAE_OK;
}

static MaeStatus label_samples(MaeDatasetContent *content, const size_t *ends,
                               size_t classes, const char *path, MaeError *err)
{
    const size_t count = ends[classes - 1];
    size_t sample = 0;

    content->labels = malloc(count * sizeof *content->labels);
    if (content->labels == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory for %zu labels", path,
                 count);
    for (size_t i = 0; i < classes; i++) {
        while (sample < ends[i])
            content->labels[sample++] = (int64_t)i;
    }
    content->info.count = count;
    return MAE_OK;
}

static MaeStatus open_folders(void *ctx, MaeDatasetContent *content,
                              const MaeDatasetPath *path, const MaeDatasetOptions *opt,
                              MaeError *err)
{
    MaeFiles *files = ctx;
    MaeFolders classes = {0};
    size_t *ends;
    MaeStatus status;

    MAE_TRY(mae_files_open(files, path->text, err));
    MAE_TRY(mae_folders_list(&classes, path->text, err));
    content->classes = classes.names; /* from here on the dataset's */
    content->info.classes = classes.count;
    if (classes.count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "folder '%s': expected class folders, found none",
                 path->text);
    ends = malloc(classes.count * sizeof *ends);
    if (ends == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory for %zu classes",
                 path->text, classes.count);
    status = walk_classes(files, ends, &classes, path->text, err);
    if (status == MAE_OK)
        status = label_samples(content, ends, classes.count, path->text, err);
    free(ends);
    mae_files_report(files, path->text, opt->log);
    return status;
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

static void close_folders(void *ctx)
{
    mae_files_close(ctx);
}

const MaeDatasetDriver mae_ds_folder = {
    .name = "folders",
    .ctx_size = sizeof(MaeFiles),
    .probe = probe,
    .open = open_folders,
    .load = load,
    .describe = describe,
    .close = close_folders,
};
