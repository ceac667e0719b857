/* Models from checkpoints: of either kind, ready to use, or a classifier's encoder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/snapshot.h"
#include "nn/pos_embed.h"

MaeStatus mae_snapshot_model_open(MaeSnapshotModel *model, MaeSnapshotKind kind,
                                  const MaeArch *arch, MaeError *err)
{
    memset(model, 0, sizeof *model);
    model->kind = kind;
    return kind == MAE_SNAPSHOT_CLASSIFIER
               ? mae_classifier_open(&model->as.classifier, arch, err)
               : mae_autoencoder_open(&model->as.autoencoder, arch, err);
}

void mae_snapshot_model_close(MaeSnapshotModel *model)
{
    if (model == NULL)
        return;
    if (model->kind == MAE_SNAPSHOT_CLASSIFIER)
        mae_classifier_close(&model->as.classifier);
    else
        mae_autoencoder_close(&model->as.autoencoder);
}

const MaeParamTable *mae_snapshot_model_table(const MaeSnapshotModel *model)
{
    return model->kind == MAE_SNAPSHOT_CLASSIFIER ? &model->as.classifier.table
                                                  : &model->as.autoencoder.table;
}

float *mae_snapshot_alloc(const MaeParamTable *table)
{
    const size_t bytes = (table->total * sizeof(float) + MAE_ALIGN - 1) / MAE_ALIGN *
                         MAE_ALIGN; /* aligned_alloc wants a multiple */
    float *flat;

    if (table->total > SIZE_MAX / 2 / sizeof(float))
        return NULL;
    flat = aligned_alloc(MAE_ALIGN, bytes);
    if (flat != NULL)
        memset(flat, 0, bytes);
    return flat;
}

/* Everything behind open; what it made is in @p made for the caller to close. */
static MaeStatus load(MaeLoadedModel *made, const MaeCkptReader *reader, const char *path,
                      MaeError *err)
{
    const MaeParamTable *table;

    MAE_TRY(mae_snapshot_model_open(&made->model, made->snapshot.kind,
                                    &made->snapshot.arch, err));
    table = mae_snapshot_model_table(&made->model);
    made->weights = mae_snapshot_alloc(table);
    if (made->weights == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu weights", path,
                 table->total);
    return mae_snapshot_weights(reader, table, made->weights, err);
}

static MaeStatus open_loaded(MaeLoadedModel *loaded, const char *path, bool any,
                             MaeError *err)
{
    MaeLoadedModel made;
    MaeCkptReader *reader = NULL;
    MaeStatus status;

    memset(&made, 0, sizeof made);
    MAE_TRY(mae_snapshot_open(&reader, &made.snapshot, path, err));
    status =
        any ? MAE_OK
            : mae_snapshot_expect(&made.snapshot, MAE_SNAPSHOT_AUTOENCODER, path, err);
    if (status == MAE_OK)
        status = load(&made, reader, path, err);
    mae_ckpt_close(reader);
    if (status == MAE_OK)
        *loaded = made;
    else
        mae_loaded_model_close(&made);
    return status;
}

MaeStatus mae_loaded_model_open(MaeLoadedModel *loaded, const char *path, MaeError *err)
{
    return open_loaded(loaded, path, true, err);
}

MaeStatus mae_loaded_autoencoder_open(MaeLoadedModel *loaded, const char *path,
                                      MaeError *err)
{
    return open_loaded(loaded, path, false, err);
}

void mae_loaded_model_init(MaeLoadedModel *loaded, uint64_t seed)
{
    if (loaded->model.kind == MAE_SNAPSHOT_CLASSIFIER)
        mae_classifier_init(&loaded->model.as.classifier, loaded->weights, seed);
    else
        mae_autoencoder_init(&loaded->model.as.autoencoder, loaded->weights, seed);
}

void mae_loaded_model_close(MaeLoadedModel *loaded)
{
    if (loaded == NULL)
        return;
    free(loaded->weights);
    loaded->weights = NULL;
    mae_snapshot_model_close(&loaded->model);
    mae_snapshot_done(&loaded->snapshot);
}

static MaeStatus check_encoder(const MaeArch *want, const MaeArch *have, const char *path,
                               MaeError *err)
{
    const struct {
        const char *name;
        size_t want, have;
    } pairs[] = {
        {"in_chans", want->grid.channels, have->grid.channels},
        {"patch_size", want->grid.patch, have->grid.patch},
        {"embed_dim", want->embed_dim, have->embed_dim},
        {"depth", want->depth, have->depth},
        {"num_heads", want->heads, have->heads},
        {"hidden width of the MLP (embed_dim * mlp_ratio)",
         mae_arch_hidden(want, want->embed_dim), mae_arch_hidden(have, have->embed_dim)},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].want != pairs[i].have)
            MAE_FAIL(err, MAE_ERR_SHAPE, "%s: %s: expected %zu, got %zu", path,
                     pairs[i].name, pairs[i].want, pairs[i].have);
    return MAE_OK;
}

/* Resize the stored positions to the classifier's grid; @p pos [1+L,D]. */
static MaeStatus transfer_positions(const MaeCkptReader *reader, const MaeArch *have,
                                    const MaeArch *want, float *pos, MaeError *err)
{
    const MaePatchGrid *from = &have->grid, *to = &want->grid;
    const size_t width = have->embed_dim, shape[] = {1, 1 + mae_patch_count(from), width};
    float *stored = malloc(shape[1] * width * sizeof *stored);
    MaeStatus status;

    if (stored == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: pos_embed: out of memory",
                 mae_ckpt_path(reader));
    status = mae_ckpt_get_tensor(reader, "params/pos_embed", stored, shape, 3, err);
    if (status == MAE_OK)
        mae_pos_embed_resize(pos, to->height / to->patch, to->width / to->patch, stored,
                             from->height / from->patch, from->width / from->patch,
                             width);
    free(stored);
    return status;
}

static bool is_below(const char *name, const char *scope)
{
    const size_t n = strlen(scope);

    return strncmp(name, scope, n) == 0 && (name[n] == '.' || name[n] == '\0');
}

MaeStatus mae_snapshot_encoder(const MaeCkptReader *reader, const MaeSnapshot *snapshot,
                               const MaeClassifier *model, float *weights, MaeError *err)
{
    const MaeArch *have = &snapshot->arch, *want = &model->arch;
    const bool same_grid =
        have->grid.height == want->grid.height && have->grid.width == want->grid.width;
    const bool has_norm =
        snapshot->kind == MAE_SNAPSHOT_AUTOENCODER || have->pooling == MAE_POOL_CLS;
    char name[MAE_PARAM_NAME + 16];

    MAE_TRY(check_encoder(want, have, mae_ckpt_path(reader), err));
    for (size_t i = 0; i < model->table.count; i++) {
        const MaeParamEntry *entry = &model->table.entries[i];
        float *dst = weights + entry->at.off;

        if (is_below(entry->name, "head") || is_below(entry->name, "fc_norm") ||
            (is_below(entry->name, "norm") && !has_norm))
            continue;
        if (!same_grid && is_below(entry->name, "pos_embed")) {
            MAE_TRY(transfer_positions(reader, have, want, dst, err));
            continue;
        }
        (void)snprintf(name, sizeof name, "params/%s", entry->name);
        MAE_TRY(mae_ckpt_get_tensor(reader, name, dst, entry->shape, entry->ndim, err));
    }
    return mae_snapshot_expect_finite(reader, "params", &model->table, weights, err);
}
