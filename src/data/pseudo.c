#include "data/pseudo.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "store/crc32c.h"
#include "store/file.h"

enum { SAMPLE, NAME, LABEL, CLASS, CONFIDENCE, COLUMNS, BLOCK = 65536 };

static const char *const columns[COLUMNS] = {"sample", "name", "label", "class",
                                             "confidence"};

#define IMAGES "# images: "

/* --- writing ---------------------------------------------------------------------- */

static void put(MaeOutput *out, const char *text)
{
    mae_output_append(out, text, strlen(text));
}

static void put_comment(MaeOutput *out, const char *what, const char *text)
{
    char line[MAE_PSEUDO_NAME + 32];

    (void)snprintf(line, sizeof line, "# %s: \"%s\"", what, text);
    mae_text_tame(line);
    put(out, line);
    put(out, "\n");
}

MaeStatus mae_pseudo_create(MaeOutput *out, const char *path, const MaeDataset *ds,
                            const char *data, const char *checkpoint, MaeError *err)
{
    char line[64];

    MAE_TRY(mae_output_open(out, path, NULL, err));
    put_comment(out, "data", data);
    (void)snprintf(line, sizeof line, IMAGES "%zu\n", mae_dataset_info(ds)->count);
    put(out, line);
    put_comment(out, "checkpoint", checkpoint);
    for (size_t i = 0; i < COLUMNS; i++) {
        put(out, columns[i]);
        put(out, i + 1 < COLUMNS ? "," : "\n");
    }
    return MAE_OK;
}

void mae_pseudo_add(MaeOutput *out, const MaeDataset *ds, const MaePseudoLabel *row)
{
    char text[MAE_PSEUDO_NAME];

    (void)snprintf(text, sizeof text, "%zu,", row->sample);
    put(out, text);
    mae_dataset_name(ds, row->sample, text, sizeof text);
    mae_csv_text(out, text);
    (void)snprintf(text, sizeof text, ",%zu,", row->label);
    put(out, text);
    mae_csv_text(out, row->class_name);
    (void)mae_text_format(text, sizeof text, ",%.9g\n", row->confidence);
    put(out, text);
}

/* --- reading ---------------------------------------------------------------------- */

/* A table being read. */
typedef struct Table {
    MaeCsvReader csv;
    const MaeDataset *ds;
    const MaeClasses *classes;
    size_t images;   /* of the data set */
    size_t rows;     /* read so far */
    int64_t *labels; /* [images]; -1: no row so far */
    bool headed;     /* the names of the columns were there */
} Table;

static MaeStatus expect_images(const Table *t, const char *text, MaeError *err)
{
    char *end;
    const unsigned long long images = strtoull(text, &end, 10);

    if (*end != '\0' || images != t->images)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s:%zu: labels of a data set of %.20s images, data.unlabelled has %zu",
                 t->csv.path, t->csv.line, text, t->images);
    return MAE_OK;
}

static MaeStatus expect_columns(Table *t, MaeError *err)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        if (t->csv.count != COLUMNS || strcmp(t->csv.fields[i], columns[i]) != 0)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s:%zu: expected the columns sample,name,label,class,confidence, "
                     "found %zu, the first '%.40s'",
                     t->csv.path, t->csv.line, t->csv.count, t->csv.fields[0]);
    }
    t->headed = true;
    return MAE_OK;
}

/* A whole number below @p end. */
static MaeStatus read_number(const Table *t, size_t column, size_t end, size_t *number,
                             MaeError *err)
{
    const char *text = t->csv.fields[column];
    char *rest;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &rest, 10);
    if (!isdigit((unsigned char)*text) || *rest != '\0' || errno != 0 || value >= end)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s:%zu: %s: expected 0 to %zu, found '%.40s'",
                 t->csv.path, t->csv.line, columns[column], end - 1, text);
    *number = (size_t)value;
    return MAE_OK;
}

static MaeStatus check_confidence(const Table *t, MaeError *err)
{
    const char *text = t->csv.fields[CONFIDENCE];
    double value;

    if (!mae_text_real(text, &value) || !(value >= 0.0 && value <= 1.0))
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s:%zu: confidence: expected 0 to 1, found '%.40s'", t->csv.path,
                 t->csv.line, text);
    return MAE_OK;
}

/* Other data would be trained on with labels that are not theirs. */
static MaeStatus check_names(const Table *t, size_t sample, size_t label, MaeError *err)
{
    const char *class_name = mae_classes_name(t->classes, label);
    char name[MAE_PSEUDO_NAME];

    mae_dataset_name(t->ds, sample, name, sizeof name);
    if (strcmp(name, t->csv.fields[NAME]) != 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s:%zu: sample %zu is '%.90s' here, in data.unlabelled '%.90s': labels "
                 "of other data",
                 t->csv.path, t->csv.line, sample, t->csv.fields[NAME], name);
    if (strcmp(class_name, t->csv.fields[CLASS]) != 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s:%zu: class %zu is '%.60s' here, in %s '%.60s': labels of a model of "
                 "other classes",
                 t->csv.path, t->csv.line, label, t->csv.fields[CLASS], t->classes->what,
                 class_name);
    return MAE_OK;
}

static MaeStatus read_row(Table *t, MaeError *err)
{
    size_t sample, label;

    if (t->csv.count != COLUMNS)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s:%zu: expected %d fields, found %zu",
                 t->csv.path, t->csv.line, COLUMNS, t->csv.count);
    MAE_TRY(read_number(t, SAMPLE, t->images, &sample, err));
    MAE_TRY(read_number(t, LABEL, t->classes->count, &label, err));
    MAE_TRY(check_confidence(t, err));
    if (t->labels[sample] >= 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s:%zu: sample %zu has a row already", t->csv.path,
                 t->csv.line, sample);
    MAE_TRY(check_names(t, sample, label, err));
    t->labels[sample] = (int64_t)label;
    t->rows++;
    return MAE_OK;
}

static MaeStatus read_record(Table *t, MaeError *err)
{
    const char *first = t->csv.fields[0];
    const size_t length = strlen(IMAGES);

    if (t->csv.comment)
        return strncmp(first, IMAGES, length) == 0 ? expect_images(t, first + length, err)
                                                   : MAE_OK;
    return t->headed ? read_row(t, err) : expect_columns(t, err);
}

static MaeStatus read_table(Table *t, MaeError *err)
{
    t->labels = malloc(t->images * sizeof *t->labels);
    if (t->labels == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu labels", t->csv.path,
                 t->images);
    for (size_t i = 0; i < t->images; i++)
        t->labels[i] = -1;
    for (;;) {
        MAE_TRY(mae_csv_next(&t->csv, err));
        if (t->csv.count == 0)
            break;
        MAE_TRY(read_record(t, err));
    }
    if (t->rows == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: expected pseudo-labels, found none",
                 t->csv.path);
    return MAE_OK;
}

/* From a label for each sample to those that have one. */
static MaeStatus gather(MaeChosen *chosen, const Table *t, MaeError *err)
{
    size_t *samples = malloc(t->rows * sizeof *samples), count = 0;
    int64_t *labels = malloc(t->rows * sizeof *labels);

    if (samples == NULL || labels == NULL) {
        free(samples);
        free(labels);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu labels", t->csv.path,
                 t->rows);
    }
    for (size_t i = 0; i < t->images; i++) {
        if (t->labels[i] >= 0) {
            samples[count] = i;
            labels[count++] = t->labels[i];
        }
    }
    *chosen = (MaeChosen){samples, labels, count};
    return MAE_OK;
}

static MaeStatus expect_file(const char *path, MaeError *err)
{
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        MAE_FAIL(err, MAE_ERR_ARG, "data.pseudo_labels: %s does not exist", path);
    return MAE_OK;
}

MaeStatus mae_pseudo_read(MaeChosen *chosen, const char *path, const MaeDataset *ds,
                          const MaeClasses *classes, MaeError *err)
{
    Table t = {.ds = ds, .classes = classes, .images = mae_dataset_info(ds)->count};
    MaeStatus status;

    MAE_TRY(expect_file(path, err));
    MAE_TRY(mae_csv_open(&t.csv, path, err));
    status = read_table(&t, err);
    if (status == MAE_OK)
        status = gather(chosen, &t, err);
    mae_csv_close(&t.csv);
    free(t.labels);
    return status;
}

void mae_pseudo_done(MaeChosen *chosen)
{
    free(chosen->samples);
    free(chosen->labels);
    *chosen = (MaeChosen){.count = 0};
}

MaeStatus mae_pseudo_checksum(uint32_t *sum, const char *path, MaeError *err)
{
    unsigned char block[BLOCK];
    uint64_t size, at = 0;
    uint32_t crc = 0;
    MaeStatus status = MAE_OK;
    int fd;

    MAE_TRY(expect_file(path, err));
    MAE_TRY(mae_file_open(path, &fd, &size, err));
    while (at < size && status == MAE_OK) {
        const size_t part = size - at < BLOCK ? (size_t)(size - at) : BLOCK;

        status = mae_file_read_at(fd, path, block, part, at, err);
        if (status == MAE_OK)
            crc = mae_crc32c(crc, block, part);
        at += part;
    }
    (void)close(fd);
    if (status == MAE_OK)
        *sum = crc != 0 ? crc : 1;
    return status;
}
