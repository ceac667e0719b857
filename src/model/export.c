#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/card.h"
#include "model/convert.h"
#include "model/names.h"
#include "model/snapshot.h"
#include "store/file.h"
#include "store/safetensors.h"

#define BESIDE_LIMIT ((size_t)4 << 20) /* bytes of a file that may be compared */

/** A file written beside the tensors. */
typedef struct Beside {
    char *path; /* owned */
    char *text; /* owned */
    bool exists;
    bool written;
} Beside;

/** Everything that an export opens, released in one place. */
typedef struct Export {
    const MaeConvertOptions *options;
    MaeCkptReader *reader;
    MaeSnapshot snapshot;
    MaeSnapshotModel model;
    bool has_model;
    MaeNameMap names;
    float *weights; /* [table->total] */
    Beside files[2];
    size_t file_count;
} Export;

static MaeStatus out_of_memory(const char *path, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
}

/*
 * The same classifier with a head that other programs know: a batch norm folded into the
 * linear layer. The tables agree up to the head.
 */
static MaeStatus fold_head(Export *x, const char *in, MaeError *err)
{
    MaeArch arch = x->snapshot.arch;
    MaeSnapshotModel plain;
    const MaeClassifier *from = &x->model.as.classifier, *to = &plain.as.classifier;
    float *weights;

    arch.head = MAE_HEAD_LINEAR;
    MAE_TRY(mae_snapshot_model_open(&plain, x->snapshot.kind, &arch, err));
    weights = mae_snapshot_alloc(&to->table);
    if (weights == NULL) {
        mae_snapshot_model_close(&plain);
        return out_of_memory(in, err);
    }
    memcpy(weights, x->weights, to->head.weight.off * sizeof *weights);
    mae_classifier_fold(from, x->weights, weights + to->head.weight.off,
                        weights + to->head.bias.off);
    mae_snapshot_model_close(&x->model);
    free(x->weights);
    x->model = plain;
    x->weights = weights;
    x->snapshot.arch.head = MAE_HEAD_LINEAR;
    mae_log(x->options->log, MAE_LOG_INFO,
            "%s: the batch norm of the linear probe is folded into the exported head",
            in);
    return MAE_OK;
}

/* The model and its weights, as they will be named. */
static MaeStatus load(Export *x, const char *in, MaeError *err)
{
    const MaeParamTable *table;

    MAE_TRY(mae_snapshot_model_open(&x->model, x->snapshot.kind, &x->snapshot.arch, err));
    x->has_model = true;
    table = mae_snapshot_model_table(&x->model);
    x->weights = mae_snapshot_alloc(table);
    if (x->weights == NULL)
        return out_of_memory(in, err);
    MAE_TRY(mae_snapshot_weights(x->reader, table, x->weights, err));
    return x->snapshot.arch.head == MAE_HEAD_BATCHNORM ? fold_head(x, in, err) : MAE_OK;
}

static MaeStatus read_checkpoint(Export *x, const char *in, MaeError *err)
{
    MaeError inner = {0};
    MaeStatus status;

    MAE_TRY(mae_snapshot_open(&x->reader, &x->snapshot, in, err));
    if (x->options->override_count > 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: a checkpoint says itself what it is; \"%s\" is for safetensors", in,
                 x->options->overrides[0]);
    MAE_TRY(load(x, in, err));
    status = mae_names_open(&x->names, mae_snapshot_model_table(&x->model),
                            x->options->naming, &inner);
    if (status != MAE_OK)
        MAE_FAIL(err, status, "%s: %s", in, inner.msg);
    return MAE_OK;
}

static MaeStatus plan_file(Export *x, const char *out, const char *name, char *text,
                           MaeError *err)
{
    Beside *file = &x->files[x->file_count++];
    unsigned char *bytes = NULL;
    size_t size = 0;
    bool same;

    *file = (Beside){.path = mae_card_beside(out, name), .text = text};
    if (file->path == NULL || text == NULL)
        return out_of_memory(out, err);
    file->exists = access(file->path, F_OK) == 0;
    if (!file->exists || x->options->overwrite)
        return MAE_OK;
    MAE_TRY(mae_file_read_all(file->path, BESIDE_LIMIT, &bytes, &size, err));
    same = size == strlen(text) && memcmp(bytes, text, size) == 0;
    free(bytes);
    if (!same)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s exists and describes another model; choose another folder, or "
                 "--overwrite",
                 file->path);
    return MAE_OK;
}

static MaeStatus plan_files(Export *x, const char *out, MaeError *err)
{
    const MaeNaming naming = x->options->naming;

    MAE_TRY(plan_file(x, out, "config.json", mae_card_config(&x->snapshot, naming), err));
    if (naming == MAE_NAMES_HF)
        MAE_TRY(plan_file(x, out, "preprocessor_config.json",
                          mae_card_preprocessor(&x->snapshot), err));
    return MAE_OK;
}

static MaeStatus write_tensors(const Export *x, const char *out, MaeError *err)
{
    const MaeParamTable *table = &x->names.table;
    MaeSafetensorsItem *items = calloc(table->count, sizeof *items);
    MaeStatus status;

    if (items == NULL)
        return out_of_memory(out, err);
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];

        items[i].info = (MaeTensorInfo){.name = entry->name, .ndim = entry->ndim};
        memcpy(items[i].info.shape, entry->shape, sizeof entry->shape);
        items[i].data = x->weights + x->names.offsets[i];
    }
    status = mae_safetensors_write(out, items, table->count, err);
    free(items);
    return status;
}

/* The tensors last, so that they are never there without their description. */
static MaeStatus write_all(Export *x, const char *out, MaeError *err)
{
    for (size_t i = 0; i < x->file_count; i++) {
        Beside *file = &x->files[i];

        MAE_TRY(mae_file_write_atomic(file->path, file->text, strlen(file->text), err));
        file->written = true;
    }
    return write_tensors(x, out, err);
}

/* @param keep false: files that this export created disappear. */
static void close_export(Export *x, bool keep)
{
    for (size_t i = 0; i < x->file_count; i++) {
        if (!keep && x->files[i].written && !x->files[i].exists)
            (void)unlink(x->files[i].path);
        free(x->files[i].path);
        free(x->files[i].text);
    }
    free(x->weights);
    mae_names_close(&x->names);
    if (x->has_model)
        mae_snapshot_model_close(&x->model);
    mae_snapshot_done(&x->snapshot);
    mae_ckpt_close(x->reader);
}

MaeStatus mae_export(const char *in, const char *out, const MaeConvertOptions *options,
                     MaeError *err)
{
    Export x;
    MaeStatus status;

    memset(&x, 0, sizeof x);
    x.options = options;
    status = read_checkpoint(&x, in, err);
    if (status == MAE_OK)
        status = plan_files(&x, out, err);
    if (status == MAE_OK)
        status = write_all(&x, out, err);
    if (status == MAE_OK)
        mae_log(options->log, MAE_LOG_INFO, "wrote %s (%zu tensors) and %s%s", out,
                x.names.table.count, x.files[0].path,
                x.file_count > 1 ? ", preprocessor_config.json" : "");
    close_export(&x, status == MAE_OK);
    return status;
}
