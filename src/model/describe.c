#include "model/describe.h"

#include <math.h>
#include <string.h>

#include "model/card.h"

static void set_architecture(MaeJson *root, const MaeSnapshot *s)
{
    const bool autoencoder = s->kind == MAE_SNAPSHOT_AUTOENCODER;
    MaeJson *model = mae_json_object(), *size = mae_json_array();

    mae_json_append(size, mae_json_int((int64_t)s->arch.grid.height));
    mae_json_append(size, mae_json_int((int64_t)s->arch.grid.width));
    mae_json_set(model, "img_size", size);
    for (const MaeCardSize *row = mae_card_sizes; row->own != NULL; row++) {
        const char *field = (const char *)&s->arch + row->offset;

        if (!row->autoencoder || autoencoder)
            mae_json_set_int(model, row->own,
                             (int64_t) * (const size_t *)(const void *)field);
    }
    mae_json_set_real(model, "mlp_ratio", s->arch.mlp_ratio);
    if (autoencoder) {
        mae_json_set_bool(model, "norm_pix_loss", s->arch.norm_pix_loss);
        mae_json_set_real(model, "mask_ratio", s->mask_ratio);
    } else {
        mae_json_set_int(model, "num_classes", (int64_t)s->arch.classes);
        mae_json_set_text(model, "pool",
                          s->arch.pooling == MAE_POOL_CLS ? "cls" : "mean");
        mae_json_set_text(model, "head", mae_arch_head_name(s->arch.head));
    }
    mae_json_set(root, "model", model);
}

static void set_parameters(MaeJson *root, const MaeParamTable *table)
{
    const size_t trainable = mae_param_trainable(table);
    const size_t total = mae_param_elements(table);
    MaeJson *object = mae_json_object();

    mae_json_set_int(object, "total", (int64_t)total);
    mae_json_set_int(object, "trainable", (int64_t)trainable);
    mae_json_set_int(object, "fixed", (int64_t)(total - trainable));
    mae_json_set(root, "parameters", object);
}

static MaeJson *list_of(const float *values, size_t count)
{
    MaeJson *list = mae_json_array();

    for (size_t i = 0; i < count; i++)
        mae_json_append(list, mae_json_real((double)values[i]));
    return list;
}

static void set_data(MaeJson *root, const MaeSnapshot *s)
{
    MaeJson *object = mae_json_object(), *names;

    mae_json_set(object, "mean", list_of(s->mean, s->arch.grid.channels));
    mae_json_set(object, "std", list_of(s->std, s->arch.grid.channels));
    mae_json_set(root, "data", object);
    if (s->class_names == NULL)
        return;
    names = mae_json_array();
    for (size_t i = 0; i < s->arch.classes; i++)
        mae_json_append(names, mae_json_text(s->class_names[i]));
    mae_json_set(root, "class_names", names);
}

static void set_progress(MaeJson *root, const MaeSnapshot *s)
{
    MaeJson *object = mae_json_object(), *metrics = NULL;
    size_t size;
    const char *line = mae_describe_last_line(s->history, &size);

    mae_json_set_int(object, "epoch", (int64_t)s->epoch);
    mae_json_set_int(object, "step", (int64_t)s->step);
    mae_json_set_int(object, "samples", (int64_t)s->samples);
    mae_json_set_int(object, "batch", (int64_t)s->batch);
    mae_json_set_real(object, "seconds", s->seconds);
    mae_json_set_real(object, "best", s->best);
    mae_json_set(root, "progress", object);
    if (line != NULL && mae_json_parse(&metrics, line, size, "history", NULL) == MAE_OK)
        mae_json_set(root, "metrics", metrics);
}

static void set_origin(MaeJson *root, const MaeSnapshot *s)
{
    MaeJson *object = mae_json_object();

    mae_json_set_text(object, "tool", s->tool);
    mae_json_set_text(object, "version", s->version);
    mae_json_set_text(object, "backend", s->backend);
    mae_json_set(root, "origin", object);
}

const char *mae_describe_last_line(const char *history, size_t *size)
{
    const char *end = history == NULL ? NULL : strrchr(history, '\n');
    const char *begin = end;

    if (end == NULL)
        return NULL;
    while (begin > history && begin[-1] != '\n')
        begin--;
    *size = (size_t)(end - begin);
    return begin;
}

MaeJson *mae_describe_snapshot(const MaeSnapshot *snapshot, const MaeParamTable *table)
{
    MaeJson *root = mae_json_object();

    mae_json_set_text(root, "kind", mae_snapshot_kind_name(snapshot->kind));
    set_architecture(root, snapshot);
    set_parameters(root, table);
    if (snapshot->ema_decay > 0.0)
        mae_json_set_real(root, "ema_decay", snapshot->ema_decay);
    set_data(root, snapshot);
    set_progress(root, snapshot);
    set_origin(root, snapshot);
    return root;
}

/* Two passes in double, so that a large mean costs no digits. */
static MaeJson *describe_tensor(const MaeParamEntry *entry, const float *values)
{
    const size_t n = entry->at.count;
    MaeJson *object = mae_json_object(), *shape = mae_json_array();
    double sum = 0.0, squares = 0.0, min = (double)INFINITY, max = -(double)INFINITY;

    for (size_t i = 0; i < n; i++) {
        sum += (double)values[i];
        min = fmin(min, (double)values[i]);
        max = fmax(max, (double)values[i]);
    }
    for (size_t i = 0; i < n; i++) {
        const double d = (double)values[i] - sum / (double)n;

        squares += d * d;
    }
    for (size_t i = 0; i < entry->ndim; i++)
        mae_json_append(shape, mae_json_int((int64_t)entry->shape[i]));
    mae_json_set_text(object, "name", entry->name);
    mae_json_set(object, "shape", shape);
    mae_json_set_real(object, "mean", sum / (double)n);
    mae_json_set_real(object, "std", sqrt(squares / (double)n));
    mae_json_set_real(object, "min", min);
    mae_json_set_real(object, "max", max);
    return object;
}

MaeJson *mae_describe_tensors(const MaeParamTable *table, const float *weights)
{
    MaeJson *list = mae_json_array();

    for (size_t i = 0; i < table->count; i++)
        mae_json_append(list, describe_tensor(&table->entries[i],
                                              weights + table->entries[i].at.off));
    return list;
}
