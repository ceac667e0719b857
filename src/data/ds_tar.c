/* Tar shards of images, named as WebDataset does; see tar_index.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "data/driver.h"
#include "data/files.h"
#include "data/tar_index.h"
#include "store/file.h"
#include "store/tar.h"

#define KEPT_OPEN 64 /* shards with a descriptor of their own; others open for a read */
#define SHARE 8      /* of the descriptors that a process may have, for one data set */

typedef struct Shard {
    char *path;
    int fd; /* -1: opened when read */
} Shard;

typedef struct Shards {
    Shard *shards; /* [count] in byte order of their names */
    size_t count;
    MaeTarIndex index;
} Shards;

static bool is_shard(const char *name)
{
    return name[0] != '.' && mae_text_ends(name, ".tar");
}

static bool holds_shards(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool found = false;

    while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
        found = is_shard(entry->d_name);
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* A folder counts if it has no images and no sub-folders beside the shards. */
static bool probe(const MaeDatasetPath *path, const MaeDatasetOptions *opt)
{
    unsigned char block[MAE_TAR_BLOCK];
    bool images = false, folders = false, found;
    int fd;

    (void)opt;
    if (path->is_folder) {
        if (!holds_shards(path->text))
            return false;
        mae_folder_scan(path->text, &images, &folders);
        return !images && !folders;
    }
    fd = open(path->text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    found = fd >= 0 && pread(fd, block, sizeof block, 0) == (ssize_t)sizeof block &&
            mae_tar_sniff(block);
    if (fd >= 0)
        close(fd);
    return found;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const Shard *)a)->path, ((const Shard *)b)->path);
}

/* Append "folder/name", or @p folder itself without a name. */
static MaeStatus add_shard(Shards *set, const char *folder, const char *name,
                           MaeError *err)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    Shard *shards = realloc(set->shards, (set->count + 1) * sizeof *shards);
    char *path = malloc(size);

    if (shards != NULL)
        set->shards = shards;
    if (shards == NULL || path == NULL) {
        free(path);
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory for its shards",
                 folder);
    }
    (void)snprintf(path, size, "%s%s%s", folder, name[0] == '\0' ? "" : "/", name);
    set->shards[set->count++] = (Shard){path, -1};
    return MAE_OK;
}

static MaeStatus list_shards(Shards *set, const MaeDatasetPath *path, MaeError *err)
{
    DIR *dir;
    const struct dirent *entry;
    MaeStatus status = MAE_OK;

    if (!path->is_folder)
        return add_shard(set, path->text, "", err);
    dir = opendir(path->text);
    if (dir == NULL)
        MAE_FAIL(err, MAE_ERR_IO, "dataset '%s': cannot be opened: %s", path->text,
                 strerror(errno));
    while (status == MAE_OK && (entry = readdir(dir)) != NULL) {
        if (is_shard(entry->d_name))
            status = add_shard(set, path->text, entry->d_name, err);
    }
    closedir(dir);
    if (status == MAE_OK)
        qsort(set->shards, set->count, sizeof *set->shards, by_path);
    return status;
}

static size_t kept_open(void)
{
    const long limit = sysconf(_SC_OPEN_MAX);

    return limit >= 0 && limit < SHARE * KEPT_OPEN ? (size_t)limit / SHARE : KEPT_OPEN;
}

static MaeStatus index_shard(Shards *set, size_t i, bool labels, MaeError *err)
{
    Shard *shard = &set->shards[i];
    uint64_t size = 0;
    int fd = -1;
    MaeStatus status;

    MAE_TRY(mae_file_open(shard->path, &fd, &size, err));
    status = mae_tar_index_add(&set->index, fd, size, shard->path, labels, err);
    if (i < kept_open())
        shard->fd = fd;
    else
        close(fd);
    return status;
}

static void describe(const void *ctx, size_t index, char *text, size_t size)
{
    const Shards *set = ctx;
    const char *path = set->shards[set->index.samples[index].shard].path;
    const char *slash = strrchr(path, '/');

    if (set->count == 1)
        (void)snprintf(text, size, "%s", mae_tar_index_name(&set->index, index));
    else
        (void)snprintf(text, size, "%s:%s", slash == NULL ? path : slash + 1,
                       mae_tar_index_name(&set->index, index));
}

/* All samples have a label or none has. */
static MaeStatus check_labels(const Shards *set, const char *path, MaeError *err)
{
    const MaeTarIndex *index = &set->index;
    size_t bad = 0;
    char name[256];

    if (index->labelled == 0 ||
        (index->labelled == index->count &&
         (index->classes == NULL || index->largest < index->class_count)))
        return MAE_OK;
    while (index->labels[bad] >= 0 && (index->labelled < index->count ||
                                       (size_t)index->labels[bad] < index->class_count))
        bad++;
    describe(set, bad, name, sizeof name);
    if (index->labelled < index->count)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "dataset '%s': '%.200s' has no .cls, as %zu of %zu images have (members "
                 "of a sample follow one another)",
                 path, name, index->labelled, index->count);
    MAE_FAIL(err, MAE_ERR_FORMAT, "dataset '%s': '%.200s' is of class %lld, of %zu names",
             path, name, (long long)index->labels[bad], index->class_count);
}

/* Hand labels and names of classes over. */
static void take_labels(MaeDatasetContent *content, MaeTarIndex *index)
{
    if (index->labelled == 0)
        return;
    content->labels = index->labels;
    content->info.classes = index->largest + 1;
    index->labels = NULL;
    if (index->classes == NULL)
        return;
    content->classes = index->classes;
    content->info.classes = index->class_count;
    index->classes = NULL;
    index->class_count = 0;
}

static MaeStatus open_shards(void *ctx, MaeDatasetContent *content,
                             const MaeDatasetPath *path, const MaeDatasetOptions *opt,
                             MaeError *err)
{
    Shards *set = ctx;
    MaeTarIndex *index = &set->index;

    MAE_TRY(list_shards(set, path, err));
    for (size_t i = 0; i < set->count; i++)
        MAE_TRY(index_shard(set, i, !opt->unlabelled, err));
    if (index->incomplete > 0)
        mae_log(opt->log, MAE_LOG_WARN,
                "dataset '%s': %zu samples without a JPEG or PNG image, first '%s'",
                path->text, index->incomplete, index->first_incomplete);
    if (index->count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "dataset '%s': expected images KEY.jpg, KEY.jpeg or KEY.png, found none",
                 path->text);
    content->info.count = index->count;
    MAE_TRY(check_labels(set, path->text, err));
    take_labels(content, index);
    return MAE_OK;
}

static MaeStatus load(const void *ctx, size_t index, MaeReadBuffer *buffer, size_t *size,
                      size_t max_size, MaeError *err)
{
    const Shards *set = ctx;
    const MaeTarSample *sample = &set->index.samples[index];
    const Shard *shard = &set->shards[sample->shard];
    int fd = shard->fd;
    MaeStatus status;

    if (sample->size == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "the file is empty");
    if (sample->size > max_size)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%llu bytes exceed the limit of %zu for an image",
                 (unsigned long long)sample->size, max_size);
    MAE_TRY(mae_read_buffer_reserve(buffer, (size_t)sample->size, err));
    if (fd < 0)
        MAE_TRY(mae_file_open(shard->path, &fd, NULL, err));
    *size = (size_t)sample->size;
    status = mae_file_read_at(fd, shard->path, buffer->data, *size, sample->offset, err);
    if (fd != shard->fd)
        close(fd);
    return status;
}

static void close_shards(void *ctx)
{
    Shards *set = ctx;

    for (size_t i = 0; i < set->count; i++) {
        if (set->shards[i].fd >= 0)
            close(set->shards[i].fd);
        free(set->shards[i].path);
    }
    free(set->shards);
    mae_tar_index_done(&set->index);
}

const MaeDatasetDriver mae_ds_tar = {
    .name = "tar",
    .ctx_size = sizeof(Shards),
    .probe = probe,
    .open = open_shards,
    .load = load,
    .describe = describe,
    .close = close_shards,
};
