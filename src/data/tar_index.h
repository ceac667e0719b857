/**
 * @file tar_index.h
 * What is where in tar shards of images; internal to ds_tar.c.
 *
 * Naming is WebDataset's: a member's key is its name up to the first dot behind the last
 * slash, its extension the rest; members that follow one another and have the same key
 * are one sample. Taken are KEY.jpg, KEY.jpeg or KEY.png (one of them; upper case too)
 * and KEY.cls, the class as a decimal number. Other members of a sample are passed over.
 * A member "__classes__" (WebDataset takes names like it for meta data and skips them)
 * holds the names of the classes, one a line; the first one found counts.
 *
 * Memory   About 40 bytes and the name per sample; bounded by the length of the shards.
 * Errors   FORMAT, IO, NOMEM; messages name the shard and the member.
 * Threads  Built by one thread, read by any number.
 */
#ifndef MAE_DATA_TAR_INDEX_H
#define MAE_DATA_TAR_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Where the encoded image of a sample lies. */
typedef struct MaeTarSample {
    uint64_t offset, size; /* bytes in the shard */
    size_t name;           /* of the member, in MaeTarIndex.names */
    size_t shard;          /* as counted by mae_tar_index_add */
} MaeTarSample;

/** Zero-initialise. */
typedef struct MaeTarIndex {
    MaeTarSample *samples; /* [count] */
    int64_t *labels;       /* [count] -1: none given */
    size_t count, capacity;
    size_t labelled; /* samples with a label */
    size_t largest;  /* label */
    char *names;
    size_t names_size, names_capacity;
    char **classes; /* [class_count] names; NULL if no shard has them */
    size_t class_count;
    size_t shards;
    size_t incomplete; /* keys without an image */
    char first_incomplete[128];
} MaeTarIndex;

/**
 * Append the samples of a shard.
 * @param fd    open for reading.  @param path for messages.
 * @param labels false: KEY.cls and class names are passed over.
 */
MaeStatus mae_tar_index_add(MaeTarIndex *index, int fd, uint64_t size, const char *path,
                            bool labels, MaeError *err);

/** Name of a sample's image. */
const char *mae_tar_index_name(const MaeTarIndex *index, size_t sample);

/** Accepts a zeroed or half-built index. */
void mae_tar_index_done(MaeTarIndex *index);

#endif /* MAE_DATA_TAR_INDEX_H */
