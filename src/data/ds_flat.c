/* A folder of unlabelled images, nested folders included. */
#include <stdio.h>

#include "data/driver.h"
#include "data/files.h"

typedef struct Flat {
    MaeFiles files;
    MaeImageLimits limits;
    bool exif;
} Flat;

static bool probe(const MaeDatasetPath *path, const MaeDatasetOptions *opt)
{
    (void)opt;
    return path->is_folder;
}

static MaeStatus open_flat(void *ctx, MaeDatasetContent *content,
                           const MaeDatasetPath *path, const MaeDatasetOptions *opt,
                           MaeError *err)
{
    Flat *flat = ctx;

    flat->limits = *opt->limits;
    flat->exif = opt->exif;
    MAE_TRY(mae_files_open(&flat->files, path->text, err));
    MAE_TRY(mae_files_walk(&flat->files, "", err));
    mae_files_report(&flat->files, path->text, opt->log);
    content->info.count = flat->files.count;
    if (flat->files.count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "folder '%s': expected JPEG or PNG images, found none (%zu other files)",
                 path->text, flat->files.ignored);
    return MAE_OK;
}

static MaeStatus read_flat(void *ctx, size_t index, const MaeChooser *chooser,
                           MaeImage *img, MaeReadBuffer *buffer, MaeError *err)
{
    const Flat *flat = ctx;

    return mae_files_decode(&flat->files, index, chooser, img, buffer, &flat->limits,
                            flat->exif, err);
}

static void describe(const void *ctx, size_t index, char *text, size_t size)
{
    snprintf(text, size, "%s", mae_files_name(&((const Flat *)ctx)->files, index));
}

static void close_flat(void *ctx)
{
    mae_files_close(&((Flat *)ctx)->files);
}

const MaeDatasetDriver mae_ds_flat = {
    .name = "flat",
    .ctx_size = sizeof(Flat),
    .probe = probe,
    .open = open_flat,
    .read = read_flat,
    .describe = describe,
    .close = close_flat,
};
