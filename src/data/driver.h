/**
 * @file driver.h
 * What a kind of dataset implements; internal to data/.
 *
 * Adding one: export a MaeDatasetDriver from ds_x.c, add it to the registry in dataset.c
 * (first probe that accepts wins), write tests/data/test_ds_x.c.
 */
#ifndef MAE_DATA_DRIVER_H
#define MAE_DATA_DRIVER_H

#include "data/dataset.h"

/** The path of a dataset as probes see it: what it is and how it begins. */
typedef struct MaeDatasetPath {
    const char *text;       /* without a ":test" suffix */
    bool is_folder;         /* else a regular file */
    bool has_suffix;        /* ":test" or ":train" was cut off */
    bool test;              /* it was ":test" */
    unsigned char head[16]; /* first bytes of a file, zero-padded */
    size_t head_size;
    const void *given; /* what mae_dataset_open_given hands to open; else NULL */
} MaeDatasetPath;

/** What open finds out; the dataset owns the arrays (malloc). */
typedef struct MaeDatasetContent {
    MaeDatasetInfo info; /* channels 0: vary, to be found out by reading */
    int64_t *labels;     /* [count]; NULL if unlabelled */
    char **classes;      /* [classes] names; NULL: the numbers as text */
} MaeDatasetContent;

typedef struct MaeDatasetDriver {
    const char *name;
    size_t ctx_size; /* bytes of zeroed memory handed to open, read and close */

    /** True if this driver is to open the path; errors are open's to report. NULL in one
     * that is opened with mae_dataset_open_given. */
    bool (*probe)(const MaeDatasetPath *path, const MaeDatasetOptions *opt);

    /** On failure close is called on the half-built context, content is freed. */
    MaeStatus (*open)(void *ctx, MaeDatasetContent *content, const MaeDatasetPath *path,
                      const MaeDatasetOptions *opt, MaeError *err);

    /**
     * Bring in the JPEG or PNG that sample @p index is stored as; FORMAT if it is empty
     * or has more than @p max_size bytes. NULL: samples are not stored that way.
     * Thread-safe.
     */
    MaeStatus (*load)(const void *ctx, size_t index, MaeReadBuffer *buffer, size_t *size,
                      size_t max_size, MaeError *err);

    /** Deliver sample @p index as it is stored; used without load only. Thread-safe. */
    MaeStatus (*read)(void *ctx, size_t index, MaeImage *img, MaeError *err);

    /**
     * The data set that sample @p index is read from, and its number there. NULL: this
     * one; with it, load, read and describe are never called.
     */
    const MaeDataset *(*part)(const void *ctx, size_t *index);

    /** Write a sample's name for messages. */
    void (*describe)(const void *ctx, size_t index, char *text, size_t size);

    /** Accepts a zeroed or half-built context. */
    void (*close)(void *ctx);
} MaeDatasetDriver;

extern const MaeDatasetDriver mae_ds_folder, mae_ds_flat, mae_ds_idx, mae_ds_hdf5,
    mae_ds_tar;

/**
 * Open with a driver that needs more than a path.
 * @param text  stands for the path in messages.  @param given path->given of its open.
 */
MaeStatus mae_dataset_open_given(MaeDataset **ds, const MaeDatasetDriver *driver,
                                 const char *text, const void *given,
                                 const MaeDatasetOptions *opt, MaeError *err);

/** Make room for @p size bytes; NOMEM. What was in the buffer may be lost. */
MaeStatus mae_read_buffer_reserve(MaeReadBuffer *buffer, size_t size, MaeError *err);

#endif /* MAE_DATA_DRIVER_H */
