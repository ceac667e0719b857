#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/convert.h"
#include "model/import_shapes.h"

#define MASK_RATIO 0.75 /* of the paper, if nobody says */

/** Everything that an import opens, released in one place. */
typedef struct Import {
    const MaeConvertOptions *options;
    MaeSafetensors *tensors;
    MaeImportFile file;
    MaeCard card;
    MaeSnapshot snapshot;
    MaeSnapshotModel model;
    bool has_model;
    MaeNameMap names;
    float *weights; /* [table->total] */
} Import;

/* Unused by the models here, and present in files of theirs. */
static const char *const IGNORED[] = {"vit.pooler.dense.weight", "vit.pooler.dense.bias"};

static MaeStatus out_of_memory(const Import *x, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", x->file.path);
}

static MaeStatus read_card(Import *x, const char *in, MaeError *err)
{
    const MaeConvertOptions *options = x->options;

    MAE_TRY(mae_card_read(&x->card, in, options->log, err));
    for (size_t i = 0; i < options->override_count; i++)
        MAE_TRY(mae_card_override(&x->card, options->overrides[i], err));
    return MAE_OK;
}

/* Numbers per channel, @p fallback if the card has none. */
static MaeStatus take_statistics(const Import *x, const char *name,
                                 const MaeCardList *list, float fallback, float **values,
                                 MaeError *err)
{
    const size_t channels = x->snapshot.arch.grid.channels;

    if (list->values != NULL && list->count != channels)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "%s: %s: expected %zu values, one per channel, got %zu", x->file.path,
                 name, channels, list->count);
    *values = malloc(channels * sizeof **values);
    if (*values == NULL)
        return out_of_memory(x, err);
    for (size_t i = 0; i < channels; i++)
        (*values)[i] = list->values != NULL ? (float)list->values[i] : fallback;
    return MAE_OK;
}

/* Defaults that may be wrong are said. */
static void warn_unknown(const Import *x)
{
    const MaeLog *log = x->options->log;

    if (x->card.mean.values == NULL || x->card.std.values == NULL)
        mae_log(log, MAE_LOG_WARN,
                "%s: mean or std unknown, 0 and 1 taken; if the model was trained on "
                "normalised images, add data.mean=[...] and data.std=[...] (or imagenet)",
                x->file.path);
    if (x->snapshot.kind == MAE_SNAPSHOT_AUTOENCODER && !x->card.has_norm_pix_loss)
        mae_log(log, MAE_LOG_WARN,
                "%s: norm_pix_loss unknown, false taken; otherwise add "
                "model.norm_pix_loss=true",
                x->file.path);
}

static MaeStatus take_classes(Import *x, MaeError *err)
{
    MaeSnapshot *s = &x->snapshot;

    if (s->kind != MAE_SNAPSHOT_CLASSIFIER || x->card.class_names == NULL)
        return MAE_OK;
    if (x->card.class_count != s->arch.classes)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "%s: the head has %zu classes, but config.json names %zu", x->file.path,
                 s->arch.classes, x->card.class_count);
    s->class_names = x->card.class_names;
    x->card.class_names = NULL;
    return MAE_OK;
}

static MaeStatus describe(Import *x, MaeError *err)
{
    MaeSnapshot *s = &x->snapshot;
    const bool known = x->card.mean.values != NULL && x->card.std.values != NULL;

    MAE_TRY(mae_import_arch(&x->file, &x->card, &s->kind, &s->arch, err));
    s->mask_ratio = x->card.has_mask_ratio ? x->card.mask_ratio : MASK_RATIO;
    s->best = -(double)INFINITY;
    MAE_TRY(take_statistics(x, "mean", &x->card.mean, 0.0f, &s->mean, err));
    MAE_TRY(take_statistics(x, "std", &x->card.std, 1.0f, &s->std, err));
    MAE_TRY(take_classes(x, err));
    warn_unknown(x);
    (void)snprintf(s->tool, sizeof s->tool, "%s", x->options->tool);
    (void)snprintf(s->version, sizeof s->version, "%s", x->options->version);
    s->config = mae_card_yaml(s, known);
    s->history = calloc(1, 1);
    return s->config == NULL || s->history == NULL ? out_of_memory(x, err) : MAE_OK;
}

static bool is_ignored(const char *name)
{
    for (size_t i = 0; i < sizeof IGNORED / sizeof IGNORED[0]; i++)
        if (strcmp(name, IGNORED[i]) == 0)
            return true;
    return false;
}

/* Names and shapes of the file against the model's. */
static MaeStatus match(const Import *x, MaeError *err)
{
    size_t count, kept = 0;
    const MaeTensorInfo *list = mae_safetensors_list(x->tensors, &count);
    MaeTensorInfo *found = malloc((count + 1) * sizeof *found);
    MaeStatus status;

    if (found == NULL)
        return out_of_memory(x, err);
    for (size_t i = 0; i < count; i++) {
        if (!is_ignored(list[i].name))
            found[kept++] = list[i];
        else
            mae_log(x->options->log, MAE_LOG_WARN, "%s: %s is not used", x->file.path,
                    list[i].name);
    }
    status = mae_tensor_match(x->file.path, &x->names.table, found, kept, err);
    free(found);
    return status;
}

static MaeStatus read_tensor(const Import *x, size_t index, MaeError *err)
{
    const MaeParamEntry *entry = &x->names.table.entries[index];
    float *dst = x->weights + x->names.offsets[index];

    MAE_TRY(mae_safetensors_read(
        x->tensors, mae_safetensors_find(x->tensors, entry->name), dst, err));
    for (size_t i = 0; i < entry->at.count; i++)
        if (!isfinite(dst[i]))
            MAE_FAIL(err, MAE_ERR_NUMERIC, "%s: %s: element %zu is %g", x->file.path,
                     entry->name, i, (double)dst[i]);
    return MAE_OK;
}

static MaeStatus read_tensors(Import *x, MaeError *err)
{
    const MaeParamTable *table;
    MaeError inner = {0};
    MaeStatus status;

    MAE_TRY(mae_snapshot_model_open(&x->model, x->snapshot.kind, &x->snapshot.arch, err));
    x->has_model = true;
    table = mae_snapshot_model_table(&x->model);
    status = mae_names_open(&x->names, table, x->file.naming, &inner);
    if (status != MAE_OK)
        MAE_FAIL(err, status, "%s: %s", x->file.path, inner.msg);
    MAE_TRY(match(x, err));
    x->weights = mae_snapshot_alloc(table);
    if (x->weights == NULL)
        return out_of_memory(x, err);
    for (size_t i = 0; i < x->names.table.count; i++)
        MAE_TRY(read_tensor(x, i, err));
    return MAE_OK;
}

static MaeStatus run(Import *x, const char *in, const char *out, MaeError *err)
{
    MAE_TRY(mae_safetensors_open(&x->tensors, in, err));
    x->file = (MaeImportFile){.path = in, .tensors = x->tensors};
    MAE_TRY(mae_import_naming(&x->file, err));
    MAE_TRY(read_card(x, in, err));
    MAE_TRY(describe(x, err));
    MAE_TRY(read_tensors(x, err));
    MAE_TRY(mae_snapshot_save(out, &x->snapshot, mae_snapshot_model_table(&x->model),
                              x->weights, NULL, err));
    mae_log(x->options->log, MAE_LOG_INFO, "wrote %s: %s, %zu tensors with %s names", out,
            mae_snapshot_kind_name(x->snapshot.kind), x->names.table.count,
            x->file.naming == MAE_NAMES_HF ? "Hugging Face's" : "MAE's and timm's");
    return MAE_OK;
}

MaeStatus mae_import(const char *in, const char *out, const MaeConvertOptions *options,
                     MaeError *err)
{
    Import x;
    MaeStatus status;

    memset(&x, 0, sizeof x);
    x.options = options;
    status = run(&x, in, out, err);
    free(x.weights);
    mae_names_close(&x.names);
    if (x.has_model)
        mae_snapshot_model_close(&x.model);
    mae_snapshot_done(&x.snapshot);
    mae_card_done(&x.card);
    mae_safetensors_close(x.tensors);
    return status;
}
