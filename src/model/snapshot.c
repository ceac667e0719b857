#include "model/snapshot.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A whole number of the architecture and where it lives. */
typedef struct SizeAttr {
    const char *name;
    size_t offset; /* of a size_t in MaeSnapshot */
    size_t min, max;
    bool autoencoder, classifier; /* kinds that have it */
} SizeAttr;

static const SizeAttr SIZES[] = {
    {"in_chans", offsetof(MaeSnapshot, arch.grid.channels), 1, 4096, true, true},
    {"img_height", offsetof(MaeSnapshot, arch.grid.height), 1, 1 << 20, true, true},
    {"img_width", offsetof(MaeSnapshot, arch.grid.width), 1, 1 << 20, true, true},
    {"patch_size", offsetof(MaeSnapshot, arch.grid.patch), 1, 1 << 16, true, true},
    {"embed_dim", offsetof(MaeSnapshot, arch.embed_dim), 1, 1 << 16, true, true},
    {"depth", offsetof(MaeSnapshot, arch.depth), 0, 1024, true, true},
    {"num_heads", offsetof(MaeSnapshot, arch.heads), 1, 1 << 16, true, true},
    {"decoder_embed_dim", offsetof(MaeSnapshot, arch.decoder_dim), 1, 1 << 16, true,
     false},
    {"decoder_depth", offsetof(MaeSnapshot, arch.decoder_depth), 0, 1024, true, false},
    {"decoder_num_heads", offsetof(MaeSnapshot, arch.decoder_heads), 1, 1 << 16, true,
     false},
    {"num_classes", offsetof(MaeSnapshot, arch.classes), 1, 1 << 24, false, true},
};

/** A counter of progress, or a number that tells data apart. */
typedef struct CountAttr {
    const char *name;
    size_t offset; /* of a uint64_t in MaeSnapshot */
    bool optional; /* 0 if it is not there, and then not written */
} CountAttr;

static const CountAttr COUNTS[] = {
    {"epoch", offsetof(MaeSnapshot, epoch), false},
    {"step", offsetof(MaeSnapshot, step), false},
    {"samples", offsetof(MaeSnapshot, samples), false},
    {"batch", offsetof(MaeSnapshot, batch), false},
    {"train_images", offsetof(MaeSnapshot, train_images), true},
    {"train_checksum", offsetof(MaeSnapshot, train_checksum), true},
    {"val_images", offsetof(MaeSnapshot, val_images), true},
    {"val_checksum", offsetof(MaeSnapshot, val_checksum), true},
    {"skipped", offsetof(MaeSnapshot, skipped), true},
    {"skipped_in_a_row", offsetof(MaeSnapshot, in_a_row), true},
};

/** A text. */
typedef struct TextAttr {
    const char *name;
    size_t offset; /* in MaeSnapshot: of a char[size], or of a char * if size is 0 */
    size_t size;
} TextAttr;

#define SHORT_TEXT(field)                                                                \
    {                                                                                    \
#field, offsetof(MaeSnapshot, field), sizeof((MaeSnapshot *)0)->field            \
    }

static const TextAttr TEXTS[] = {
    {"config", offsetof(MaeSnapshot, config), 0},
    {"history", offsetof(MaeSnapshot, history), 0},
    SHORT_TEXT(tool),
    SHORT_TEXT(version),
    SHORT_TEXT(backend),
};

/** A number with a fraction that every kind has. */
typedef struct RealAttr {
    const char *name;
    size_t offset; /* of a double in MaeSnapshot */
    double min, max;
} RealAttr;

static const RealAttr REALS[] = {
    {"mlp_ratio", offsetof(MaeSnapshot, arch.mlp_ratio), 0.0, 64.0},
    {"loss_sum", offsetof(MaeSnapshot, loss_sum), -DBL_MAX, DBL_MAX},
    {"best", offsetof(MaeSnapshot, best), -(double)INFINITY, DBL_MAX},
    {"seconds", offsetof(MaeSnapshot, seconds), 0.0, DBL_MAX},
};

#define COUNT_OF(list) (sizeof(list) / sizeof(list)[0])

static bool applies(const SizeAttr *attr, MaeSnapshotKind kind)
{
    return kind == MAE_SNAPSHOT_CLASSIFIER ? attr->classifier : attr->autoencoder;
}

const char *mae_snapshot_kind_name(MaeSnapshotKind kind)
{
    return kind == MAE_SNAPSHOT_CLASSIFIER ? "classifier" : "autoencoder";
}

void mae_snapshot_done(MaeSnapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    free(snapshot->mean);
    free(snapshot->std);
    free(snapshot->class_names);
    free(snapshot->config);
    free(snapshot->history);
    *snapshot = (MaeSnapshot){0};
}

/* Statistics of every channel, widened exactly. */
static void put_statistics(MaeCkptWriter *w, const char *name, const float *values,
                           double *wide, size_t channels)
{
    for (size_t i = 0; i < channels; i++)
        wide[i] = (double)values[i];
    mae_ckpt_put_reals(w, name, wide, channels);
}

static void put_progress(MaeCkptWriter *w, const MaeSnapshot *s)
{
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        const char *field = (const char *)s + TEXTS[i].offset;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): no field lies at NULL */
        const char *text = TEXTS[i].size > 0 ? field : *(const char *const *)field;

        mae_ckpt_put_text(w, TEXTS[i].name, text != NULL ? text : "");
    }
    for (size_t i = 0; i < COUNT_OF(COUNTS); i++) {
        const uint64_t *value = (const uint64_t *)((const char *)s + COUNTS[i].offset);

        if (!COUNTS[i].optional || *value != 0)
            mae_ckpt_put_int(w, COUNTS[i].name, (int64_t)*value);
    }
}

static void put_attributes(MaeCkptWriter *w, const MaeSnapshot *s, double *wide)
{
    const size_t channels = s->arch.grid.channels;

    mae_ckpt_put_text(w, "kind", mae_snapshot_kind_name(s->kind));
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        const size_t *value = (const size_t *)((const char *)s + SIZES[i].offset);

        if (applies(&SIZES[i], s->kind))
            mae_ckpt_put_int(w, SIZES[i].name, (int64_t)*value);
    }
    for (size_t i = 0; i < COUNT_OF(REALS); i++)
        mae_ckpt_put_real(w, REALS[i].name,
                          *(const double *)((const char *)s + REALS[i].offset));
    if (s->kind == MAE_SNAPSHOT_AUTOENCODER) {
        mae_ckpt_put_int(w, "norm_pix_loss", s->arch.norm_pix_loss);
        mae_ckpt_put_real(w, "mask_ratio", s->mask_ratio);
    } else {
        mae_ckpt_put_text(w, "pool", s->arch.pooling == MAE_POOL_CLS ? "cls" : "mean");
        mae_ckpt_put_text(w, "head", mae_arch_head_name(s->arch.head));
        if (s->class_names != NULL)
            mae_ckpt_put_texts(w, "class_names", (const char *const *)s->class_names,
                               s->arch.classes);
    }
    put_statistics(w, "mean", s->mean, wide, channels);
    put_statistics(w, "std", s->std, wide, channels);
    put_progress(w, s);
}

MaeStatus mae_snapshot_save(const char *path, const MaeSnapshot *snapshot,
                            const MaeParamTable *table, const float *weights,
                            const MaeOptim *optim, MaeError *err)
{
    const bool averaged = optim != NULL && optim->average != NULL;
    double *wide = calloc(snapshot->arch.grid.channels, sizeof *wide);
    MaeCkptWriter *w = NULL;
    MaeStatus status;

    if (wide == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    status = mae_ckpt_create(&w, path, err);
    if (status == MAE_OK) {
        put_attributes(w, snapshot, wide);
        mae_ckpt_put_table(w, "params", table, averaged ? optim->average : weights);
        if (optim != NULL)
            status = mae_snapshot_put_optim(w, table, weights, optim, err);
        if (status == MAE_OK)
            status = mae_ckpt_commit(w, err);
        else
            mae_ckpt_abort(w);
    }
    free(wide);
    return status;
}

static MaeStatus get_count(const MaeCkptReader *r, const char *name, uint64_t *value,
                           uint64_t min, uint64_t max, MaeError *err)
{
    int64_t number;

    MAE_TRY(mae_ckpt_get_int(r, name, &number, err));
    if (number < 0 || (uint64_t)number < min || (uint64_t)number > max)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected %llu to %llu, got %lld",
                 mae_ckpt_path(r), name, (unsigned long long)min, (unsigned long long)max,
                 (long long)number);
    *value = (uint64_t)number;
    return MAE_OK;
}

static MaeStatus get_real(const MaeCkptReader *r, const char *name, double *value,
                          double min, double max, MaeError *err)
{
    MAE_TRY(mae_ckpt_get_real(r, name, value, err));
    if (!(*value >= min && *value <= max))
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected %g to %g, got %g",
                 mae_ckpt_path(r), name, min, max, *value);
    return MAE_OK;
}

/* Attribute @p name must be @p first or @p second. @param[out] is_second which. */
static MaeStatus get_choice(const MaeCkptReader *r, const char *name, const char *first,
                            const char *second, bool *is_second, MaeError *err)
{
    const char *path = mae_ckpt_path(r);
    char *text = NULL;
    bool known;

    MAE_TRY(mae_ckpt_get_text(r, name, &text, err));
    *is_second = strcmp(text, second) == 0;
    known = *is_second || strcmp(text, first) == 0;
    if (!known)
        (void)mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                            "%s: %s: expected %s or %s, got \"%.40s\"", path, name, first,
                            second, text);
    free(text);
    return known ? MAE_OK : MAE_ERR_FORMAT;
}

/* One finite number per channel; above zero if @p positive. */
static MaeStatus get_statistics(const MaeCkptReader *r, const char *name, size_t channels,
                                bool positive, float **values, MaeError *err)
{
    const char *path = mae_ckpt_path(r);
    MaeStatus status = MAE_OK;
    double *wide = NULL;
    float *narrow;
    size_t n = 0;

    MAE_TRY(mae_ckpt_get_reals(r, name, &wide, &n, err));
    narrow = malloc(channels * sizeof *narrow);
    if (narrow == NULL)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "%s: out of memory", path);
    else if (n != channels)
        status = mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                               "%s: %s: expected %zu values, one per channel, got %zu",
                               path, name, channels, n);
    for (size_t i = 0; i < channels && status == MAE_OK; i++) {
        narrow[i] = (float)wide[i];
        if (!isfinite(narrow[i]) || (positive && !(narrow[i] > 0.0f)))
            status = mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                                   "%s: %s: expected a finite number%s, got %g", path,
                                   name, positive ? " above 0" : "", wide[i]);
    }
    free(wide);
    if (status == MAE_OK)
        *values = narrow;
    else
        free(narrow);
    return status;
}

static MaeStatus get_sizes(const MaeCkptReader *r, MaeSnapshot *s, MaeError *err)
{
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        const SizeAttr *attr = &SIZES[i];
        uint64_t value = 0;

        if (!applies(attr, s->kind))
            continue;
        MAE_TRY(get_count(r, attr->name, &value, attr->min, attr->max, err));
        *(size_t *)((char *)s + attr->offset) = (size_t)value;
    }
    return MAE_OK;
}

static MaeStatus get_classes(const MaeCkptReader *r, MaeSnapshot *s, MaeError *err)
{
    size_t n = 0;
    bool cls, probe = false;

    MAE_TRY(get_choice(r, "pool", "mean", "cls", &cls, err));
    s->arch.pooling = cls ? MAE_POOL_CLS : MAE_POOL_MEAN;
    if (mae_ckpt_has(r, "head"))
        MAE_TRY(get_choice(r, "head", mae_arch_head_name(MAE_HEAD_LINEAR),
                           mae_arch_head_name(MAE_HEAD_BATCHNORM), &probe, err));
    s->arch.head = probe ? MAE_HEAD_BATCHNORM : MAE_HEAD_LINEAR;
    if (!mae_ckpt_has(r, "class_names"))
        return MAE_OK;
    MAE_TRY(mae_ckpt_get_texts(r, "class_names", &s->class_names, &n, err));
    if (n != s->arch.classes)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: class_names: expected %zu names, got %zu",
                 mae_ckpt_path(r), s->arch.classes, n);
    return MAE_OK;
}

/* A text, cut to @p size bytes unless that is 0. */
static MaeStatus get_text(const MaeCkptReader *r, const TextAttr *attr, char *field,
                          MaeError *err)
{
    char *text = NULL;

    MAE_TRY(mae_ckpt_get_text(r, attr->name, &text, err));
    if (attr->size == 0) {
        *(char **)(void *)field = text;
        return MAE_OK;
    }
    (void)snprintf(field, attr->size, "%s", text);
    free(text);
    return MAE_OK;
}

static MaeStatus get_progress(const MaeCkptReader *r, MaeSnapshot *s, MaeError *err)
{
    char *base = (char *)s;

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        MAE_TRY(get_text(r, &TEXTS[i], base + TEXTS[i].offset, err));
    for (size_t i = 0; i < COUNT_OF(COUNTS); i++) {
        if (!COUNTS[i].optional || mae_ckpt_has(r, COUNTS[i].name))
            MAE_TRY(get_count(r, COUNTS[i].name,
                              (uint64_t *)(void *)(base + COUNTS[i].offset), 0, INT64_MAX,
                              err));
    }
    for (size_t i = 0; i < COUNT_OF(REALS); i++)
        MAE_TRY(get_real(r, REALS[i].name, (double *)(void *)(base + REALS[i].offset),
                         REALS[i].min, REALS[i].max, err));
    return MAE_OK;
}

static MaeStatus get_attributes(const MaeCkptReader *r, MaeSnapshot *s, MaeError *err)
{
    uint64_t flag = 0;
    bool classifier;

    MAE_TRY(get_choice(r, "kind", "autoencoder", "classifier", &classifier, err));
    s->kind = classifier ? MAE_SNAPSHOT_CLASSIFIER : MAE_SNAPSHOT_AUTOENCODER;
    MAE_TRY(get_sizes(r, s, err));
    if (classifier) {
        MAE_TRY(get_classes(r, s, err));
    } else {
        MAE_TRY(get_count(r, "norm_pix_loss", &flag, 0, 1, err));
        s->arch.norm_pix_loss = flag != 0;
        MAE_TRY(get_real(r, "mask_ratio", &s->mask_ratio, 0.0, 1.0, err));
    }
    MAE_TRY(get_statistics(r, "mean", s->arch.grid.channels, false, &s->mean, err));
    MAE_TRY(get_statistics(r, "std", s->arch.grid.channels, true, &s->std, err));
    if (mae_ckpt_has(r, "ema_decay"))
        MAE_TRY(get_real(r, "ema_decay", &s->ema_decay, 0.0, 1.0, err));
    return get_progress(r, s, err);
}

static MaeStatus check_model(const MaeCkptReader *r, const MaeSnapshot *s, MaeError *err)
{
    MaeSnapshotModel model;
    MaeError inner = {0};
    MaeStatus status = mae_snapshot_model_open(&model, s->kind, &s->arch, &inner);

    if (status != MAE_OK)
        MAE_FAIL(err, status, "%s: %s", mae_ckpt_path(r), inner.msg);
    /* Before anything is allocated for them. */
    status = mae_ckpt_match_table(r, "params", mae_snapshot_model_table(&model), err);
    mae_snapshot_model_close(&model);
    return status;
}

MaeStatus mae_snapshot_open(MaeCkptReader **reader, MaeSnapshot *snapshot,
                            const char *path, MaeError *err)
{
    MaeCkptReader *opened = NULL;
    MaeSnapshot read = {0};
    MaeStatus status;

    MAE_TRY(mae_ckpt_open(&opened, path, err));
    status = get_attributes(opened, &read, err);
    if (status == MAE_OK)
        status = check_model(opened, &read, err);
    if (status != MAE_OK) {
        mae_snapshot_done(&read);
        mae_ckpt_close(opened);
        return status;
    }
    *reader = opened;
    *snapshot = read;
    return MAE_OK;
}

MaeStatus mae_snapshot_expect(const MaeSnapshot *snapshot, MaeSnapshotKind kind,
                              const char *path, MaeError *err)
{
    if (snapshot->kind != kind)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected a checkpoint of %s %s, found %s %s",
                 path, kind == MAE_SNAPSHOT_AUTOENCODER ? "an" : "a",
                 mae_snapshot_kind_name(kind),
                 snapshot->kind == MAE_SNAPSHOT_AUTOENCODER ? "an" : "a",
                 mae_snapshot_kind_name(snapshot->kind));
    return MAE_OK;
}
