#include "eval/gallery.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/file.h"

/* A gallery in the making. */
typedef struct Hanging {
    MaeGallery *gallery;
    const MaeTransform *transform;
    size_t values; /* of an image: C*H*W */
    bool integer;  /* no image has f32 pixels so far */
    MaeImage img;  /* the one being hung */
    MaeTransformScratch scratch;
} Hanging;

/* Forward a failure that does not know which image it is about. */
static MaeStatus blame(const char *name, const MaeError *why, MaeError *err)
{
    return mae_error_set(err, why->status, why->file, why->line, "%s: %s", name,
                         why->msg);
}

static MaeStatus no_memory(size_t count, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_NOMEM, "gallery: out of memory for %zu images", count);
}

static MaeStatus hanging_open(Hanging *h, MaeGallery *gallery,
                              const MaeTransform *transform, size_t count, MaeError *err)
{
    const MaeTransform *t = transform;

    *gallery = (MaeGallery){0};
    *h = (Hanging){.gallery = gallery, .transform = t, .integer = true};
    MAE_TRY(mae_transform_check(t, err));
    if (count == 0 || count > MAE_GALLERY_MAX)
        MAE_FAIL(err, MAE_ERR_ARG, "gallery: expected 1 to %d images, got %zu",
                 MAE_GALLERY_MAX, count);
    if (t->out_h > SIZE_MAX / sizeof(float) / MAE_GALLERY_MAX / t->out_w / t->channels)
        return no_memory(count, err);
    h->values = t->channels * t->out_h * t->out_w;
    gallery->images = malloc(count * h->values * sizeof *gallery->images);
    gallery->names = calloc(count, sizeof *gallery->names);
    if (gallery->images == NULL || gallery->names == NULL)
        return no_memory(count, err);
    return MAE_OK;
}

/* Transform h->img into the next place. */
static MaeStatus hang(Hanging *h, const char *name, MaeError *err)
{
    MaeGallery *g = h->gallery;
    const MaeDraw draw = {.sample = g->count};
    MaeError why = {0};

    h->integer = h->integer && h->img.type != MAE_PIXEL_F32;
    if (mae_transform_apply(h->transform, g->images + g->count * h->values, &h->img,
                            &h->scratch, draw, &why) != MAE_OK)
        return blame(name, &why, err);
    g->names[g->count] = strdup(name);
    if (g->names[g->count] == NULL)
        return no_memory(g->count + 1, err);
    g->count++;
    return MAE_OK;
}

/* Settle the range, release what was needed meanwhile. */
static MaeStatus hanging_close(Hanging *h, MaeStatus status)
{
    mae_image_done(&h->img);
    mae_transform_scratch_done(&h->scratch);
    if (status != MAE_OK) {
        mae_gallery_close(h->gallery);
        return status;
    }
    h->gallery->high = h->integer ? 1.0f : 0.0f;
    return MAE_OK;
}

MaeStatus mae_gallery_picture(MaeImage *img, const char *path, size_t channels,
                              const MaeImageLimits *limits, MaeError *err)
{
    const size_t most = mae_image_limits(limits).max_memory;
    MaeError why = {0};
    unsigned char *bytes;
    size_t size;
    MaeStatus status;

    MAE_TRY(mae_file_read_all(path, most, &bytes, &size, err));
    status = mae_image_decode(img, bytes, size, limits, &why);
    free(bytes);
    if (status == MAE_OK)
        status = mae_image_channels(img, channels, &why);
    return status == MAE_OK ? MAE_OK : blame(path, &why, err);
}

static MaeStatus hang_file(Hanging *h, const char *path, const MaeImageLimits *limits,
                           MaeError *err)
{
    MAE_TRY(mae_gallery_picture(&h->img, path, h->transform->channels, limits, err));
    return hang(h, path, err);
}

MaeStatus mae_gallery_files(MaeGallery *gallery, const MaeTransform *transform,
                            const char *const *paths, size_t count,
                            const MaeImageLimits *limits, MaeError *err)
{
    Hanging h;
    MaeStatus status = hanging_open(&h, gallery, transform, count, err);

    for (size_t i = 0; i < count && status == MAE_OK; i++)
        status = hang_file(&h, paths[i], limits, err);
    return hanging_close(&h, status);
}

static MaeStatus hang_sample(Hanging *h, const MaeDataset *ds, size_t index,
                             MaeReadBuffer *buffer, MaeError *err)
{
    char name[512];
    MaeError why = {0};

    mae_dataset_name(ds, index, name, sizeof name);
    if (mae_dataset_read(ds, index, &h->img, buffer, &why) != MAE_OK)
        return blame(name, &why, err);
    return hang(h, name, err);
}

static MaeStatus keep_samples(MaeGallery *gallery, const size_t *samples, size_t count,
                              MaeError *err)
{
    gallery->samples = malloc(count * sizeof *samples);
    if (gallery->samples == NULL)
        return no_memory(count, err);
    memcpy(gallery->samples, samples, count * sizeof *samples);
    return MAE_OK;
}

MaeStatus mae_gallery_samples(MaeGallery *gallery, const MaeTransform *transform,
                              const MaeDataset *ds, const size_t *samples, size_t count,
                              MaeError *err)
{
    MaeReadBuffer buffer = {0};
    Hanging h;
    MaeStatus status = hanging_open(&h, gallery, transform, count, err);

    if (status == MAE_OK)
        status = keep_samples(gallery, samples, count, err);
    for (size_t i = 0; i < count && status == MAE_OK; i++)
        status = hang_sample(&h, ds, samples[i], &buffer, err);
    mae_read_buffer_done(&buffer);
    return hanging_close(&h, status);
}

/* Every total/count-th sample. */
MaeStatus mae_gallery_spread(MaeGallery *gallery, const MaeTransform *transform,
                             const MaeDataset *ds, size_t count, MaeError *err)
{
    const size_t total = mae_dataset_info(ds)->count;
    const size_t shown = count < total ? count : total;
    size_t samples[MAE_GALLERY_MAX];

    for (size_t i = 0; i < shown && i < MAE_GALLERY_MAX; i++)
        samples[i] = total / shown * i + total % shown * i / shown;
    return mae_gallery_samples(gallery, transform, ds, samples, shown, err);
}

MaeStatus mae_gallery_dataset(MaeGallery *gallery, const MaeTransform *transform,
                              const char *path, size_t count,
                              const MaeImageLimits *limits, const MaeLog *log,
                              MaeError *err)
{
    const MaeDatasetOptions opt = {.in_chans = transform->channels,
                                   .unlabelled = true,
                                   .limits = mae_image_limits(limits),
                                   .log = log};
    MaeDataset *ds;
    MaeStatus status;

    *gallery = (MaeGallery){0};
    MAE_TRY(mae_dataset_open(&ds, path, &opt, err));
    status = mae_gallery_spread(gallery, transform, ds, count, err);
    mae_dataset_close(ds);
    return status;
}

void mae_gallery_close(MaeGallery *gallery)
{
    if (gallery == NULL)
        return;
    for (size_t i = 0; gallery->names != NULL && i < gallery->count; i++)
        free(gallery->names[i]);
    free(gallery->names);
    free(gallery->images);
    free(gallery->samples);
    *gallery = (MaeGallery){0};
}
