/* The MNIST family: one IDX file of images, one of labels. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "data/driver.h"
#include "data/idx.h"

typedef struct Mnist {
    MaeIdx images;
    char name[128]; /* of the file, for messages */
} Mnist;

/* "emnist-letters-train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", ... */
static bool is_images_file(const char *name, bool test)
{
    static const char *const sets[2][2] = {{"train-images", "train-images"},
                                           {"t10k-images", "test-images"}};
    static const char *const ends[] = {"-idx3-ubyte", ".idx3-ubyte", "-idx3-ubyte.gz",
                                       ".idx3-ubyte.gz"};

    for (size_t i = 0; i < 8; i++) {
        char pattern[32];

        snprintf(pattern, sizeof pattern, "%s%s", sets[test][i / 4], ends[i % 4]);
        if (name[0] != '.' && mae_text_ends(name, pattern))
            return true;
    }
    return false;
}

/* Count matching files. @param[out] found [2][256] the first two, in byte order. */
static size_t find_images(const char *folder, bool test, char found[2][256])
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;

    found[0][0] = found[1][0] = '\0';
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;

        if (!is_images_file(name, test))
            continue;
        if (count == 0 || strcmp(name, found[0]) < 0) {
            memcpy(found[1], found[0], sizeof found[1]);
            snprintf(found[0], sizeof found[0], "%s", name);
        } else if (count == 1 || strcmp(name, found[1]) < 0) {
            snprintf(found[1], sizeof found[1], "%s", name);
        }
        count++;
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

static bool probe(const MaeDatasetPath *path, const MaeDatasetOptions *opt)
{
    static const unsigned char magic[3] = {0, 0, 8}, gzip[2] = {0x1f, 0x8b};
    char found[2][256];

    (void)opt;
    if (!path->is_folder)
        return memcmp(path->head, magic, 3) == 0 || memcmp(path->head, gzip, 2) == 0;
    return find_images(path->text, false, found) > 0 ||
           find_images(path->text, true, found) > 0;
}

/* The file of images. @param[out] file malloc'ed path. */
static MaeStatus images_path(char **file, const MaeDatasetPath *path, MaeError *err)
{
    const size_t size = strlen(path->text) + 258;
    char found[2][256] = {"", ""};
    const size_t count = path->is_folder ? find_images(path->text, path->test, found) : 1;

    if (count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "dataset '%s': no %s-images-idx3-ubyte[.gz] in this folder (\"DIR\" "
                 "means the training set, \"DIR:test\" the test set)",
                 path->text, path->test ? "t10k" : "train");
    if (count > 1)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "dataset '%s': holds %zu sets of images ('%s', '%s', ...): name the file",
            path->text, count, found[0], found[1]);
    *file = malloc(size);
    if (*file == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory", path->text);
    snprintf(*file, size, "%s%s%s", path->text, path->is_folder ? "/" : "", found[0]);
    return MAE_OK;
}

/* Last occurrence of @p part in the file name of @p path. */
static char *find_last(char *path, const char *part)
{
    char *slash = strrchr(path, '/');
    char *found = NULL;

    for (char *at = slash == NULL ? path : slash; (at = strstr(at, part)) != NULL; at++)
        found = at;
    return found;
}

/*
 * Name of the labels that go with a file of images: "images-idx3" becomes "labels-idx1",
 * with or without ".gz". @param labels room for the name and 4 bytes more.
 */
static bool labels_path(char *labels, const char *images)
{
    char *part, *idx;

    strcpy(labels, images);
    part = find_last(labels, "images");
    idx = find_last(labels, "idx3");
    if (part == NULL)
        return false;
    memcpy(part, "labels", 6);
    if (idx != NULL)
        idx[3] = '1';
    if (access(labels, F_OK) == 0)
        return true;
    if (mae_text_ends(labels, ".gz"))
        labels[strlen(labels) - 3] = '\0';
    else
        strcat(labels, ".gz");
    return access(labels, F_OK) == 0;
}

static MaeStatus take_labels(MaeDatasetContent *content, const MaeIdx *idx,
                             const char *path, MaeError *err)
{
    const size_t count = content->info.count;
    unsigned char *bytes;
    MaeStatus status;

    if (idx->dims[0] != count)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %zu labels for %zu images", path, idx->dims[0],
                 count);
    bytes = malloc(count);
    content->labels = malloc(count * sizeof *content->labels);
    if (bytes == NULL || content->labels == NULL) {
        free(bytes);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu labels", path, count);
    }
    status = mae_idx_fetch(idx, 0, count, bytes, err);
    for (size_t i = 0; status == MAE_OK && i < count; i++) {
        content->labels[i] = bytes[i];
        if (bytes[i] >= content->info.classes)
            content->info.classes = (size_t)bytes[i] + 1;
    }
    free(bytes);
    return status;
}

static MaeStatus read_labels(MaeDatasetContent *content, const char *images,
                             const MaeLog *log, MaeError *err)
{
    char *path = malloc(strlen(images) + 4);
    MaeIdx idx = {0};
    MaeStatus status = MAE_OK;

    if (path == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", images);
    if (labels_path(path, images)) {
        status = mae_idx_open(&idx, path, 1, err);
        if (status == MAE_OK)
            status = take_labels(content, &idx, path, err);
        mae_idx_close(&idx);
    } else {
        mae_log(log, MAE_LOG_WARN, "dataset '%s': no file of labels goes with it",
                images);
    }
    free(path);
    return status;
}

static MaeStatus open_mnist(void *ctx, MaeDatasetContent *content,
                            const MaeDatasetPath *path, const MaeDatasetOptions *opt,
                            MaeError *err)
{
    Mnist *mnist = ctx;
    char *file = NULL;
    const char *slash;
    MaeStatus status;

    MAE_TRY(images_path(&file, path, err));
    slash = strrchr(file, '/');
    snprintf(mnist->name, sizeof mnist->name, "%s", slash == NULL ? file : slash + 1);
    status = mae_idx_open(&mnist->images, file, 3, err);
    content->info.count = mnist->images.dims[0];
    content->info.height = mnist->images.dims[1];
    content->info.width = mnist->images.dims[2];
    content->info.channels = 1;
    if (status == MAE_OK && !opt->unlabelled)
        status = read_labels(content, file, opt->log, err);
    free(file);
    return status;
}

static MaeStatus read_mnist(void *ctx, size_t index, MaeImage *img, MaeError *err)
{
    const MaeIdx *idx = &((Mnist *)ctx)->images;

    MAE_TRY(mae_image_reshape(img, idx->dims[1], idx->dims[2], 1, MAE_PIXEL_U8, err));
    return mae_idx_fetch(idx, index, 1, img->data, err);
}

static void describe(const void *ctx, size_t index, char *text, size_t size)
{
    snprintf(text, size, "%s[%zu]", ((const Mnist *)ctx)->name, index);
}

static void close_mnist(void *ctx)
{
    mae_idx_close(&((Mnist *)ctx)->images);
}

const MaeDatasetDriver mae_ds_idx = {
    .name = "idx",
    .ctx_size = sizeof(Mnist),
    .probe = probe,
    .open = open_mnist,
    .read = read_mnist,
    .describe = describe,
    .close = close_mnist,
};
