#include "common/feature_source.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"
#include "data/identity.h"
#include "kernel/rows.h"
#include "store/crc32c.h"

const char *const feature_poolings[] = {"mean", "cls", "both", NULL};
const char *const feature_norms[] = {"model", "none", NULL};
const char *const feature_precisions[] = {"auto", "f32", "bf16", NULL};

/* --- which features --------------------------------------------------------------- */

static MaeStatus add(MaeEmbedSpec *spec, size_t layer, MaePooling pooling,
                     MaeEmbedNorm norm, MaeError *err)
{
    if (spec->count == MAE_EMBED_FEATURES)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "--layers: expected at most %d features in one pass; name fewer layers",
                 MAE_EMBED_FEATURES);
    spec->features[spec->count++] = (MaeEmbedFeature){layer, pooling, norm};
    return MAE_OK;
}

static MaeStatus add_layer(MaeEmbedSpec *spec, size_t layer, const FeatureChoice *choice,
                           MaeEmbedNorm norm, MaeError *err)
{
    const size_t depth = spec->encoder->trunk.depth;

    if (layer > depth)
        MAE_FAIL(err, MAE_ERR_ARG, "--layers: expected 0 to %zu, got %zu", depth, layer);
    if (spec->count > 0 && layer <= spec->features[spec->count - 1].layer)
        MAE_FAIL(err, MAE_ERR_ARG, "--layers: expected rising numbers, got %zu after %zu",
                 layer, spec->features[spec->count - 1].layer);
    if (choice->pooling != FEATURE_CLS)
        MAE_TRY(add(spec, layer, MAE_POOL_MEAN, norm, err));
    if (choice->pooling != FEATURE_MEAN)
        MAE_TRY(add(spec, layer, MAE_POOL_CLS, norm, err));
    return MAE_OK;
}

static MaeStatus add_list(MaeEmbedSpec *spec, const FeatureChoice *choice,
                          MaeEmbedNorm norm, MaeError *err)
{
    const char *at = choice->layers;
    char *end;

    for (;; at = end + 1) {
        unsigned long layer;

        errno = 0;
        layer = strtoul(at, &end, 10);
        if (!isdigit((unsigned char)*at) || errno != 0 || (*end != ',' && *end != '\0'))
            MAE_FAIL(err, MAE_ERR_ARG,
                     "--layers: expected last, all or numbers as in 3,6,12, got '%s'",
                     choice->layers);
        MAE_TRY(add_layer(spec, layer, choice, norm, err));
        if (*end == '\0')
            return MAE_OK;
    }
}

static MaeStatus choose(MaeEmbedSpec *spec, const MaeLoadedModel *loaded,
                        const FeatureChoice *choice, MaeError *err)
{
    const MaeArch *arch = &loaded->snapshot.arch;
    const bool pooled = loaded->snapshot.kind == MAE_SNAPSHOT_CLASSIFIER &&
                        arch->pooling == MAE_POOL_MEAN;
    const MaeEmbedNorm norm = choice->norm == FEATURE_NORM_NONE ? MAE_EMBED_NORM_NONE
                              : pooled                          ? MAE_EMBED_NORM_POOLED
                                                                : MAE_EMBED_NORM_TOKENS;

    *spec = mae_features_spec(loaded);
    if (choice->layers == NULL)
        return MAE_OK;
    if (strcmp(choice->layers, "last") == 0)
        return add_layer(spec, arch->depth, choice, norm, err);
    if (strcmp(choice->layers, "all") != 0)
        return add_list(spec, choice, norm, err);
    for (size_t layer = 0; layer <= arch->depth; layer++)
        MAE_TRY(add_layer(spec, layer, choice, norm, err));
    return MAE_OK;
}

/* The feature that a classifier's head sees; behind the others if it is none of them. */
static MaeStatus add_head(MaeEmbedSpec *spec, size_t *head, const MaeClassifier *model,
                          MaeError *err)
{
    const MaeEmbedFeature seen = mae_embed_spec_classifier(model).features[0];

    for (*head = 0; *head < spec->count; (*head)++) {
        const MaeEmbedFeature *f = &spec->features[*head];

        if (f->layer == seen.layer && f->pooling == seen.pooling && f->norm == seen.norm)
            return MAE_OK;
    }
    return add(spec, seen.layer, seen.pooling, seen.norm, err);
}

/* --- the source ------------------------------------------------------------------- */

const MaeClassifier *feature_source_classifier(const FeatureSource *source)
{
    const MaeSnapshotModel *model = &source->loaded.model;

    return model->kind == MAE_SNAPSHOT_CLASSIFIER ? &model->as.classifier : NULL;
}

static MaeStatus expect_head(const FeatureSource *source, const char *checkpoint,
                             MaeError *err)
{
    if (source->choice->layers == NULL && feature_source_classifier(source) == NULL)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%.200s: expected a classifier, found a pretrained encoder without "
                 "classes; give it some: mae-finetune CONFIG.yaml "
                 "finetune.checkpoint=%.200s",
                 checkpoint, checkpoint);
    return MAE_OK;
}

/* What the run's configuration says of evaluation, if there is one that can be read. A
 * checkpoint that somebody else wrote must not raise limits. */
static void take_config(FeatureSource *source)
{
    const MaeSnapshot *snapshot = &source->loaded.snapshot;
    const MaeConfTool tool =
        snapshot->kind == MAE_SNAPSHOT_CLASSIFIER ? MAE_CONF_FINETUNE : MAE_CONF_PRETRAIN;
    const char *text = snapshot->config != NULL ? snapshot->config : "";
    MaeConfig cfg;

    if (mae_config_parse_text(&cfg, tool, "checkpoint", text, strlen(text), NULL, 0,
                              NULL) != MAE_OK)
        return;
    if (cfg.data.eval_crop > 0.0)
        source->transform.eval_crop = cfg.data.eval_crop;
    source->exif = cfg.data.exif_orientation;
}

MaeStatus feature_source_open(FeatureSource *source, MaeTool *tool,
                              const char *checkpoint, const FeatureChoice *choice,
                              MaeError *err)
{
    const bool bf16 = choice->precision == FEATURE_BF16 ||
                      (choice->precision == FEATURE_AUTO && mae_gemm_native(MAE_BF16));
    MaeGemmOptions options = {.operand = bf16 ? MAE_BF16 : MAE_F32};

    *source = (FeatureSource){.tool = tool, .choice = choice};
    MAE_TRY(mae_tool_expect(checkpoint, err));
    MAE_TRY(mae_loaded_model_open(&source->loaded, checkpoint, err));
    MAE_TRY(expect_head(source, checkpoint, err));
    MAE_TRY(choose(&source->spec, &source->loaded, choice, err));
    if (choice->head && feature_source_classifier(source) != NULL)
        MAE_TRY(add_head(&source->spec, &source->head, feature_source_classifier(source),
                         err));
    if (choice->random)
        mae_loaded_model_init(&source->loaded, tool->args.seed);
    source->transform = mae_features_transform(&source->loaded);
    take_config(source);
    MAE_TRY(mae_pool_open(&source->pool, mae_comm_threads(tool->comm, tool->args.threads),
                          err));
    options.threads = mae_pool_threads(source->pool);
    MAE_TRY(mae_gemm_open(&source->gemm, &options, err));
    return mae_embedder_open(&source->embedder, &source->spec, source->loaded.weights,
                             &(MaeCompute){.pool = source->pool, .gemm = source->gemm},
                             err);
}

void feature_source_close(FeatureSource *source)
{
    mae_embedder_close(&source->embedder);
    mae_gemm_close(source->gemm);
    mae_pool_close(source->pool);
    mae_loaded_model_close(&source->loaded);
    *source = (FeatureSource){0};
}

MaeDatasetOptions feature_source_options(const FeatureSource *source)
{
    return (MaeDatasetOptions){
        .in_chans = source->loaded.snapshot.arch.grid.channels,
        .exif = source->exif,
        .limits = source->choice->limits,
        .log = mae_tool_leads(source->tool) ? &source->tool->log : NULL,
    };
}

MaeStatus feature_source_dataset(const FeatureSource *source, MaeDataset **ds,
                                 const char *path, bool labelled, MaeError *err)
{
    const MaeDatasetOptions options = feature_source_options(source);

    MAE_TRY(mae_dataset_open(ds, path, &options, err));
    if (labelled && !mae_dataset_info(*ds)->labelled)
        MAE_FAIL(
            err, MAE_ERR_FORMAT,
            "%s: expected labels (a folder of class folders, or a file with labels), "
            "found none",
            path);
    return MAE_OK;
}

MaeStatus feature_source_same_classes(const FeatureSource *source, const MaeClasses *data,
                                      MaeError *err)
{
    const MaeSnapshot *snapshot = &source->loaded.snapshot;
    const MaeClasses model = {
        .what = "checkpoint",
        .path = source->tool->args.operands[0],
        .count = snapshot->arch.classes,
        .names = (const char *const *)snapshot->class_names,
    };

    if (feature_source_classifier(source) == NULL)
        return MAE_OK;
    return mae_classes_expect_same(&model, data, err);
}

MaeFeaturesOptions feature_source_reading(FeatureSource *source, const char *label)
{
    MaeTool *tool = source->tool;
    const MaeWatch none = {.fn = NULL};

    return (MaeFeaturesOptions){
        .comm = tool->comm,
        .batch = source->choice->batch,
        .workers = source->choice->workers,
        .max_bad_fraction = 0.01,
        .log = &tool->log,
        .watch = mae_tool_leads(tool) ? mae_terminal_watch(&tool->terminal, label) : none,
    };
}

/* Rows of all ranks go into one table: they are of one model, one way to compute and one
 * data set. */
static MaeStatus expect_alike(const FeatureSource *source, const MaeDataset *ds,
                              MaeError *err)
{
    MaeComm *comm = source->tool->comm;
    const MaeLoadedModel *loaded = &source->loaded;
    const size_t total = mae_snapshot_model_table(&loaded->model)->total;
    MaeIdentity images = {.count = 0};
    char text[160];

    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    MAE_TRY(mae_comm_agree(comm, mae_identity_take(&images, ds, err), err));
    (void)snprintf(text, sizeof text, "%llu %llx", (unsigned long long)images.count,
                   (unsigned long long)images.checksum);
    MAE_TRY(mae_comm_same(comm, "the images", text, err));
    (void)snprintf(text, sizeof text, "%08x",
                   mae_crc32c(0, loaded->weights, total * sizeof *loaded->weights));
    MAE_TRY(mae_comm_same(comm, "the weights", text, err));
    (void)snprintf(text, sizeof text, "%s %s %s", mae_gemm_backend(source->gemm),
                   mae_dtype_name(mae_gemm_operand(source->gemm)), mae_rows_isa());
    return mae_comm_same(comm, "the processor and the library for products", text, err);
}

MaeStatus feature_source_read(FeatureSource *source, MaeFeatures *features,
                              const MaeDataset *ds, const char *label,
                              const size_t *indices, size_t count, MaeError *err)
{
    MaeFeaturesOptions options = feature_source_reading(source, label);

    options.indices = indices;
    options.index_count = count;
    MAE_TRY(expect_alike(source, ds, err));
    MAE_TRY(mae_features_read(features, &source->embedder, ds, &source->transform,
                              &options, err));
    mae_terminal_progress_end(&source->tool->terminal);
    return MAE_OK;
}
