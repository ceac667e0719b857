/**
 * @file pseudo.h
 * Pseudo-labels: what a trained classifier says of unlabelled images, as a table that
 * training reads (see joined.h).
 *
 *   # data: "my/unlabelled"
 *   # images: 60000
 *   # checkpoint: "runs/teacher/best.h5"
 *   sample,name,label,class,confidence
 *   17,"cat/18.jpg",3,"cat",0.981034756
 *
 * sample is the image's number in the data set opened as unlabelled, name what it is
 * called there, label the class's number. Rows may come in any order, CRLF and comments
 * are fine, an "# images:" must be true.
 *
 * Source   Lee 2013, "Pseudo-Label"; Xie et al. 2019, arXiv:1911.04252 (noisy student).
 * Memory   16 bytes a sample of the data set while reading, then for each row; a file of
 *          more rows than the data set has samples holds one twice and is refused there.
 * Errors   ARG: no such file, or its names, classes or number of images are those of
 *          other data; FORMAT: what is no such table. Messages name file and line.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_DATA_PSEUDO_H
#define MAE_DATA_PSEUDO_H

#include <stdint.h>

#include "data/joined.h"
#include "store/csv.h"

/** Longest name of a sample, its NUL included; longer ones are cut. */
#define MAE_PSEUDO_NAME 4096

/** One row. */
typedef struct MaePseudoLabel {
    size_t sample;
    size_t label;
    const char *class_name; /* of label */
    double confidence;      /* 0 to 1 */
} MaePseudoLabel;

/** Begin a table: complete once mae_output_commit has succeeded. */
MaeStatus mae_pseudo_create(MaeOutput *out, const char *path, const MaeDataset *ds,
                            const char *data, const char *checkpoint, MaeError *err);

/** Append a row about a sample of @p ds. */
void mae_pseudo_add(MaeOutput *out, const MaeDataset *ds, const MaePseudoLabel *row);

/**
 * Read and check a table, all of it.
 * @param[out] chosen ascending samples, at least one; freed by mae_pseudo_done; untouched
 * on failure.
 * @param ds      the data set that it is about.
 * @param classes that labels refer to, with names.
 */
MaeStatus mae_pseudo_read(MaeChosen *chosen, const char *path, const MaeDataset *ds,
                          const MaeClasses *classes, MaeError *err);

/** Free what mae_pseudo_read has made; accepts a zeroed object. */
void mae_pseudo_done(MaeChosen *chosen);

/** CRC-32C of the file, but 1 instead of 0: says whether it is still the same. */
MaeStatus mae_pseudo_checksum(uint32_t *sum, const char *path, MaeError *err);

#endif /* MAE_DATA_PSEUDO_H */
