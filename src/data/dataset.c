#include "data/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/driver.h"

#define CHANNEL_PROBES 16
#define MAX_CLASSES ((size_t)1 << 20)

/* The first whose probe accepts a path opens it. */
static const MaeDatasetDriver *const drivers[] = {
    &mae_ds_idx, &mae_ds_hdf5, &mae_ds_tar, &mae_ds_folder, &mae_ds_flat,
};

struct MaeDataset {
    const MaeDatasetDriver *driver;
    void *ctx;
    MaeDatasetContent content;
    MaeImageLimits limits;
    bool exif;
};

static const char *kind_of(mode_t mode)
{
    return S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Cut ":test" or ":train" off a path that does not exist as written. */
static bool cut_suffix(char *text, MaeDatasetPath *path)
{
    static const char *const suffixes[] = {":test", ":train"};
    const size_t length = strlen(text);

    for (size_t i = 0; i < 2; i++) {
        const size_t cut = strlen(suffixes[i]);

        if (length > cut && strcmp(text + length - cut, suffixes[i]) == 0) {
            text[length - cut] = '\0';
            path->test = i == 0;
            path->has_suffix = true;
            return true;
        }
    }
    return false;
}

static MaeStatus read_head(MaeDatasetPath *path, MaeError *err)
{
    const int fd = open(path->text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        MAE_FAIL(err, MAE_ERR_IO, "dataset '%s': cannot be opened: %s", path->text,
                 strerror(errno));
    got = read(fd, path->head, sizeof path->head);
    close(fd);
    if (got < 0)
        MAE_FAIL(err, MAE_ERR_IO, "dataset '%s': cannot be read: %s", path->text,
                 strerror(errno));
    path->head_size = (size_t)got;
    return MAE_OK;
}

/* Find out what @p text leads to. @param text shortened if it ends in a suffix. */
static MaeStatus examine(MaeDatasetPath *path, char *text, MaeError *err)
{
    struct stat st;
    int rc = stat(text, &st);

    *path = (MaeDatasetPath){.text = text};
    if (rc != 0 && errno == ENOENT && cut_suffix(text, path))
        rc = stat(text, &st);
    if (rc != 0)
        MAE_FAIL(err, errno == ENOENT || errno == ENOTDIR ? MAE_ERR_ARG : MAE_ERR_IO,
                 "dataset '%s': %s", text, strerror(errno));
    path->is_folder = S_ISDIR(st.st_mode);
    if (!path->is_folder && !S_ISREG(st.st_mode))
        MAE_FAIL(err, MAE_ERR_ARG, "dataset '%s': expected a folder or a file, found %s",
                 text, kind_of(st.st_mode));
    return path->is_folder ? MAE_OK : read_head(path, err);
}

static MaeStatus no_driver(const MaeDatasetPath *path, MaeError *err)
{
    const bool image = mae_image_sniff(path->head, path->head_size) != MAE_IMAGE_UNKNOWN;

    MAE_FAIL(
        err, MAE_ERR_FORMAT,
        "dataset '%s': expected a folder of images, a tar, IDX or HDF5 file, found %s",
        path->text,
        image                  ? "a single image (give its folder)"
        : path->head_size == 0 ? "an empty file"
                               : "a file of another kind");
}

/* Can images of @p have channels be delivered with @p want? */
static bool channels_fit(size_t have, size_t want)
{
    return have == want || (have == 1 && want == 3) || (have == 3 && want == 1);
}

/* A sample with the channels it is stored with. What must be turned is decoded whole:
 * boxes refer to what is upright. */
static MaeStatus read_stored(const MaeDataset *ds, size_t index,
                             const MaeChooser *chooser, MaeImage *img,
                             MaeReadBuffer *buffer, MaeError *err)
{
    size_t size = 0;
    int orientation;

    if (ds->driver->load == NULL)
        return ds->driver->read(ds->ctx, index, img, err);
    MAE_TRY(mae_dataset_load(ds, index, buffer, &size, err));
    orientation = ds->exif ? mae_image_orientation(buffer->data, size) : 1;
    if (orientation == 1)
        return mae_image_decode_part(img, buffer->data, size, &ds->limits, chooser, err);
    MAE_TRY(mae_image_decode(img, buffer->data, size, &ds->limits, err));
    return mae_image_orient(img, orientation, err);
}

/* Decode a few samples: all grey is 1 channel, anything else 3. */
static MaeStatus find_channels(MaeDataset *ds, const char *path, MaeError *err)
{
    const size_t count = ds->content.info.count;
    const size_t probes = count < CHANNEL_PROBES ? count : CHANNEL_PROBES;
    MaeImage img = {0};
    MaeReadBuffer buffer = {0};
    MaeError first = {0}, later;
    size_t channels = 0;

    for (size_t i = 0; i < probes; i++) {
        MaeError *why = first.status == MAE_OK ? &first : &later;

        if (read_stored(ds, i * count / probes, NULL, &img, &buffer, why) == MAE_OK &&
            img.channels > channels)
            channels = img.channels;
    }
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
    if (channels == 0)
        MAE_FAIL(err, first.status, "dataset '%s': none of %zu images can be read: %s",
                 path, probes, first.msg);
    ds->content.info.channels = channels;
    return MAE_OK;
}

static MaeStatus settle_channels(MaeDataset *ds, const char *path, size_t want,
                                 MaeError *err)
{
    MaeDatasetInfo *info = &ds->content.info;

    if (want == 0)
        return info->channels == 0 ? find_channels(ds, path, err) : MAE_OK;
    if (info->channels == 0 ? want != 1 && want != 3
                            : !channels_fit(info->channels, want))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "dataset '%s': in_chans %zu cannot be made of images with %s channels",
                 path, want,
                 info->channels == 0   ? "1 or 3"
                 : info->channels == 1 ? "1"
                 : info->channels == 3 ? "3"
                                       : "other numbers of");
    info->channels = want;
    return MAE_OK;
}

/* Names for classes that are numbers only. */
static MaeStatus name_classes(MaeDatasetContent *content, const char *path, MaeError *err)
{
    if (content->info.classes > MAX_CLASSES)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "dataset '%s': largest label %zu, expected at most %zu", path,
                 content->info.classes - 1, MAX_CLASSES - 1);
    content->classes = calloc(content->info.classes + 1, sizeof *content->classes);
    for (size_t i = 0; content->classes != NULL && i < content->info.classes; i++) {
        char *name = content->classes[i] = malloc(24);

        if (name == NULL)
            MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory for its classes",
                     path);
        snprintf(name, 24, "%zu", i);
    }
    if (content->classes == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory for its classes", path);
    return MAE_OK;
}

static MaeStatus find_driver(MaeDataset *ds, const MaeDatasetPath *path,
                             const MaeDatasetOptions *opt, MaeError *err)
{
    for (size_t i = 0; ds->driver == NULL && i < sizeof drivers / sizeof *drivers; i++) {
        if (drivers[i]->probe(path, opt))
            ds->driver = drivers[i];
    }
    if (ds->driver == NULL)
        return no_driver(path, err);
    if (path->has_suffix && ds->driver != &mae_ds_idx)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "dataset '%s': ':test' and ':train' are for folders of IDX files, "
                 "this one is '%s'",
                 path->text, ds->driver->name);
    return MAE_OK;
}

static MaeStatus open_content(MaeDataset *ds, const MaeDatasetPath *path,
                              const MaeDatasetOptions *opt, MaeError *err)
{
    MaeDatasetInfo *info = &ds->content.info;

    ds->ctx = calloc(1, ds->driver->ctx_size);
    if (ds->ctx == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory", path->text);
    info->kind = ds->driver->name;
    info->encoded = ds->driver->load != NULL;
    MAE_TRY(ds->driver->open(ds->ctx, &ds->content, path, opt, err));
    info->labelled = ds->content.labels != NULL;
    if (info->labelled && ds->content.classes == NULL)
        MAE_TRY(name_classes(&ds->content, path->text, err));
    return settle_channels(ds, path->text, opt->in_chans, err);
}

/* @param driver NULL: found by its probe. */
static MaeStatus open_any(MaeDataset **out, const MaeDatasetDriver *driver,
                          MaeDatasetPath *path, const MaeDatasetOptions *options,
                          MaeError *err)
{
    const MaeDatasetOptions opt = options != NULL ? *options : (MaeDatasetOptions){0};
    MaeDataset *ds = calloc(1, sizeof *ds);
    MaeStatus status = MAE_OK;

    if (ds == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory", path->text);
    *ds = (MaeDataset){
        .driver = driver, .limits = mae_image_limits(&opt.limits), .exif = opt.exif};
    if (driver == NULL)
        status = find_driver(ds, path, &opt, err);
    if (status == MAE_OK)
        status = open_content(ds, path, &opt, err);
    if (status == MAE_OK)
        *out = ds;
    else
        mae_dataset_close(ds);
    return status;
}

MaeStatus mae_dataset_open(MaeDataset **ds, const char *path_text,
                           const MaeDatasetOptions *opt, MaeError *err)
{
    char *text = strdup(path_text);
    MaeDatasetPath path;
    MaeStatus status;

    if (text == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory", path_text);
    status = examine(&path, text, err);
    if (status == MAE_OK)
        status = open_any(ds, NULL, &path, opt, err);
    free(text);
    return status;
}

MaeStatus mae_dataset_open_given(MaeDataset **ds, const MaeDatasetDriver *driver,
                                 const char *text, const void *given,
                                 const MaeDatasetOptions *opt, MaeError *err)
{
    MaeDatasetPath path = {.text = text, .given = given};

    return open_any(ds, driver, &path, opt, err);
}

void mae_dataset_close(MaeDataset *ds)
{
    if (ds == NULL)
        return;
    if (ds->ctx != NULL)
        ds->driver->close(ds->ctx);
    for (size_t i = 0; ds->content.classes != NULL && i < ds->content.info.classes; i++)
        free(ds->content.classes[i]);
    free(ds->content.classes);
    free(ds->content.labels);
    free(ds->ctx);
    free(ds);
}

const MaeDatasetInfo *mae_dataset_info(const MaeDataset *ds)
{
    return &ds->content.info;
}

int64_t mae_dataset_label(const MaeDataset *ds, size_t index)
{
    return ds->content.labels == NULL ? -1 : ds->content.labels[index];
}

const char *mae_dataset_class(const MaeDataset *ds, size_t label)
{
    return ds->content.classes[label];
}

/* The data set that holds a sample. @param[in,out] index becomes its number there. */
static const MaeDataset *holder(const MaeDataset *ds, size_t *index)
{
    return ds->driver->part != NULL ? ds->driver->part(ds->ctx, index) : ds;
}

void mae_dataset_name(const MaeDataset *ds, size_t index, char *text, size_t size)
{
    ds = holder(ds, &index);
    ds->driver->describe(ds->ctx, index, text, size);
}

static MaeStatus check_finite(const MaeImage *img, MaeError *err)
{
    const float *pixels = img->data;
    const size_t row = img->width * img->channels, n = img->height * row;

    for (size_t i = 0; img->type == MAE_PIXEL_F32 && i < n; i++) {
        if (!isfinite(pixels[i]))
            MAE_FAIL(err, MAE_ERR_NUMERIC, "pixel (%zu, %zu) channel %zu is %g", i / row,
                     i % row / img->channels, i % img->channels, (double)pixels[i]);
    }
    return MAE_OK;
}

MaeStatus mae_dataset_read(const MaeDataset *ds, size_t index, MaeImage *img,
                           MaeReadBuffer *buffer, MaeError *err)
{
    return mae_dataset_read_part(ds, index, NULL, img, buffer, err);
}

MaeStatus mae_dataset_read_part(const MaeDataset *ds, size_t index,
                                const MaeChooser *chooser, MaeImage *img,
                                MaeReadBuffer *buffer, MaeError *err)
{
    ds = holder(ds, &index);
    MAE_TRY(read_stored(ds, index, chooser, img, buffer, err));
    MAE_TRY(mae_image_channels(img, ds->content.info.channels, err));
    return check_finite(img, err);
}

/* One pixel: a decoder that can stop early reads little more than the header. */
static MaePart corner(const void *ctx, size_t height, size_t width)
{
    (void)ctx;
    (void)height;
    (void)width;
    return (MaePart){.box = {0, 0, 1, 1}, .shrink = 1};
}

MaeStatus mae_dataset_peek(const MaeDataset *ds, size_t index, MaeImage *img,
                           MaeReadBuffer *buffer, MaeError *err)
{
    const MaeChooser chooser = {.choose = corner};

    return mae_dataset_read_part(ds, index, &chooser, img, buffer, err);
}

MaeStatus mae_dataset_load(const MaeDataset *ds, size_t index, MaeReadBuffer *buffer,
                           size_t *size, MaeError *err)
{
    ds = holder(ds, &index);
    if (!ds->content.info.encoded)
        MAE_FAIL(err, MAE_ERR_ARG, "images of kind '%s' are not stored as files",
                 ds->driver->name);
    return ds->driver->load(ds->ctx, index, buffer, size, ds->limits.max_memory, err);
}

MaeStatus mae_read_buffer_reserve(MaeReadBuffer *buffer, size_t size, MaeError *err)
{
    const size_t capacity = size + size / 4;
    unsigned char *data;

    if (size <= buffer->capacity)
        return MAE_OK;
    data = realloc(buffer->data, capacity);
    if (data == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for a file of %zu bytes", size);
    buffer->data = data;
    buffer->capacity = capacity;
    return MAE_OK;
}

void mae_read_buffer_done(MaeReadBuffer *buffer)
{
    free(buffer->data);
    *buffer = (MaeReadBuffer){0};
}
