#include "data/tar_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/file.h"
#include "store/tar.h"

#define CLASSES_MEMBER "__classes__"
#define CLASSES_BYTES ((size_t)64 << 20)
#define MAX_CLASSES ((size_t)1 << 20)
#define LABEL_BYTES 32

/* A shard on its way into the index, and the sample whose members are being met. */
typedef struct Shard {
    MaeTarIndex *index;
    MaeTar tar;
    bool labels;
    char key[MAE_TAR_NAME]; /* "" before the first sample */
    bool has_image;
    MaeTarSample image;
    int64_t label; /* -1: none */
} Shard;

static MaeStatus out_of_memory(const Shard *shard, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for the index of %zu images",
             shard->tar.path, shard->index->count);
}

/* Make room for one more sample. */
static bool grow_samples(MaeTarIndex *index)
{
    const size_t capacity = index->capacity == 0 ? 1024 : 2 * index->capacity;
    MaeTarSample *samples;
    int64_t *labels;

    if (index->count < index->capacity)
        return true;
    samples = realloc(index->samples, capacity * sizeof *samples);
    if (samples != NULL)
        index->samples = samples;
    labels = realloc(index->labels, capacity * sizeof *labels);
    if (labels != NULL)
        index->labels = labels;
    if (samples == NULL || labels == NULL)
        return false;
    index->capacity = capacity;
    return true;
}

/* Keep a name. @param[out] at where it went. */
static bool add_name(MaeTarIndex *index, size_t *at, const char *name)
{
    const size_t size = strlen(name) + 1;

    if (index->names_capacity - index->names_size < size) {
        const size_t capacity = 2 * index->names_capacity + MAE_TAR_NAME;
        char *names = realloc(index->names, capacity);

        if (names == NULL)
            return false;
        index->names = names;
        index->names_capacity = capacity;
    }
    *at = index->names_size;
    memcpy(index->names + *at, name, size);
    index->names_size += size;
    return true;
}

/* All members of a key have been met. */
static MaeStatus end_sample(Shard *shard, MaeError *err)
{
    MaeTarIndex *index = shard->index;

    if (shard->has_image) {
        if (!grow_samples(index))
            return out_of_memory(shard, err);
        index->samples[index->count] = shard->image;
        index->labels[index->count++] = shard->label;
        index->labelled += shard->label >= 0;
        if (shard->label >= 0 && (size_t)shard->label > index->largest)
            index->largest = (size_t)shard->label;
    } else if (shard->key[0] != '\0' && index->incomplete++ == 0) {
        (void)snprintf(index->first_incomplete, sizeof index->first_incomplete, "%.127s",
                       shard->key);
    }
    shard->has_image = false;
    shard->label = -1;
    return MAE_OK;
}

/* Decimal digits, white space around them allowed. */
static MaeStatus take_label(Shard *shard, MaeError *err)
{
    const MaeTar *tar = &shard->tar;
    char text[LABEL_BYTES + 1] = "", *end = text;
    const size_t size = tar->length < LABEL_BYTES ? (size_t)tar->length : LABEL_BYTES;
    unsigned long long label = 0;

    if (shard->label >= 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: '%.100s': the sample has a .cls already",
                 tar->path, tar->name);
    MAE_TRY(mae_file_read_at(tar->fd, tar->path, text, size, tar->offset, err));
    if (text[strspn(text, " \t\r\n")] != '-')
        label = strtoull(text, &end, 10);
    if (tar->length > LABEL_BYTES || end == text || label >= MAX_CLASSES ||
        (size_t)(end - text) + strspn(end, " \t\r\n") != size)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: '%.100s': expected a class number of 0 to %zu, found \"%.32s\"",
                 tar->path, tar->name, MAX_CLASSES - 1, text);
    shard->label = (int64_t)label;
    return MAE_OK;
}

static MaeStatus take_image(Shard *shard, MaeError *err)
{
    const MaeTar *tar = &shard->tar;

    if (shard->has_image)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: '%.100s': the sample has an image already",
                 tar->path, tar->name);
    shard->image = (MaeTarSample){
        .offset = tar->offset, .size = tar->length, .shard = shard->index->shards};
    if (!add_name(shard->index, &shard->image.name, tar->name))
        return out_of_memory(shard, err);
    shard->has_image = true;
    return MAE_OK;
}

/* @param text content of the member; its lines are cut apart. */
static MaeStatus split_classes(Shard *shard, char *text, size_t size, MaeError *err)
{
    MaeTarIndex *index = shard->index;
    size_t lines = 0;

    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n' || (i + 1 == size && text[i] != '\n');
    if (lines == 0 || lines > MAX_CLASSES || memchr(text, '\0', size) != NULL)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: '%s': expected 1 to %zu lines of text, found %zu", shard->tar.path,
                 CLASSES_MEMBER, MAX_CLASSES, lines);
    index->classes = calloc(lines, sizeof *index->classes);
    if (index->classes == NULL)
        return out_of_memory(shard, err);
    index->class_count = lines;
    for (size_t i = 0; i < lines; i++) {
        const size_t length = strcspn(text, "\n");

        text[length] = '\0';
        index->classes[i] = strdup(text);
        if (index->classes[i] == NULL)
            return out_of_memory(shard, err);
        text += length + 1;
    }
    return MAE_OK;
}

static MaeStatus take_classes(Shard *shard, MaeError *err)
{
    const MaeTar *tar = &shard->tar;
    const size_t size = (size_t)tar->length;
    char *text;
    MaeStatus status;

    if (!shard->labels || shard->index->classes != NULL)
        return MAE_OK;
    if (tar->length > CLASSES_BYTES)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: '%s': %llu bytes, at most %zu are accepted",
                 tar->path, tar->name, (unsigned long long)tar->length, CLASSES_BYTES);
    text = calloc(1, size + 1);
    if (text == NULL)
        return out_of_memory(shard, err);
    status = mae_file_read_at(tar->fd, tar->path, text, size, tar->offset, err);
    if (status == MAE_OK)
        status = split_classes(shard, text, size, err);
    free(text);
    return status;
}

/* "__name__" in the root of the archive. */
static bool is_meta(const char *name)
{
    const size_t length = strlen(name);

    return strchr(name, '/') == NULL && length >= 4 && memcmp(name, "__", 2) == 0 &&
           strcmp(name + length - 2, "__") == 0;
}

/* A member of a sample: what is in front of and behind @p dot. */
static MaeStatus take_member(Shard *shard, const char *dot, MaeError *err)
{
    const char *name = shard->tar.name;
    const size_t length = (size_t)(dot - name);

    if (strncmp(name, shard->key, length) != 0 || shard->key[length] != '\0') {
        MAE_TRY(end_sample(shard, err));
        memcpy(shard->key, name, length);
        shard->key[length] = '\0';
    }
    if (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 ||
        strcasecmp(dot, ".png") == 0)
        return take_image(shard, err);
    if (shard->labels && strcasecmp(dot, ".cls") == 0)
        return take_label(shard, err);
    return MAE_OK;
}

static MaeStatus take(Shard *shard, MaeError *err)
{
    const char *name = shard->tar.name, *slash = strrchr(name, '/');
    const char *base = slash == NULL ? name : slash + 1, *dot = strchr(base, '.');

    if (!shard->tar.is_file)
        return MAE_OK;
    if (strcmp(name, CLASSES_MEMBER) == 0)
        return take_classes(shard, err);
    if (is_meta(name) || dot == NULL || dot == base)
        return MAE_OK;
    return take_member(shard, dot, err);
}

MaeStatus mae_tar_index_add(MaeTarIndex *index, int fd, uint64_t size, const char *path,
                            bool labels, MaeError *err)
{
    Shard *shard = calloc(1, sizeof *shard);
    bool found = true;
    MaeStatus status = MAE_OK;

    if (shard == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    shard->index = index;
    shard->labels = labels;
    shard->label = -1;
    mae_tar_begin(&shard->tar, fd, size, path);
    while (status == MAE_OK && found) {
        status = mae_tar_next(&shard->tar, &found, err);
        if (status == MAE_OK && found)
            status = take(shard, err);
    }
    if (status == MAE_OK)
        status = end_sample(shard, err);
    index->shards++;
    free(shard);
    return status;
}

const char *mae_tar_index_name(const MaeTarIndex *index, size_t sample)
{
    return index->names + index->samples[sample].name;
}

void mae_tar_index_done(MaeTarIndex *index)
{
    for (size_t i = 0; i < index->class_count; i++)
        free(index->classes[i]);
    free(index->classes);
    free(index->samples);
    free(index->labels);
    free(index->names);
    *index = (MaeTarIndex){.count = 0};
}
