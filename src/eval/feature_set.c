#include "eval/feature_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/available.h"
#include "kernel/rows.h"

#define BATCH 64

void mae_features_done(MaeFeatures *features)
{
    if (features == NULL)
        return;
    free(features->values);
    free(features->labels);
    free(features->samples);
    *features = (MaeFeatures){0};
}

static MaeStatus allocate(MaeFeatures *f, const MaeEmbedSpec *spec, size_t count,
                          MaeError *err)
{
    const size_t width = spec->encoder->trunk.width;
    const double bytes = (double)count * (double)spec->count * (double)width * 4.0 +
                         (double)count * (sizeof *f->labels + sizeof *f->samples);
    const double most = 0.75 * (double)mae_available_memory();

    if (bytes > most)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "features: %zu images x %zu features x %zu numbers take %.0f MB, at most "
            "%.0f MB are free for them; ask for fewer layers or images",
            count, spec->count, width, bytes / 1e6, most / 1e6);
    *f = (MaeFeatures){.values = malloc(count * spec->count * width * sizeof *f->values),
                       .labels = malloc(count * sizeof *f->labels),
                       .samples = malloc(count * sizeof *f->samples),
                       .features = spec->count,
                       .width = width};
    if (f->values == NULL || f->labels == NULL || f->samples == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "features: out of memory for %zu images", count);
    return MAE_OK;
}

/* --- one pass --------------------------------------------------------------------- */

/* Images are finite, so the weights are at fault. */
static MaeStatus check(const MaeFeatureRows *rows, const MaeDataset *ds, MaeError *err)
{
    for (size_t i = 0; i < rows->count; i++) {
        char name[128];

        if (mae_rows_finite(rows->values + i * rows->stride, rows->stride))
            continue;
        mae_dataset_name(ds, rows->samples[i], name, sizeof name);
        MAE_FAIL(
            err, MAE_ERR_NUMERIC,
            "features of %s: expected finite numbers, got NaN or infinity; the weights "
            "of the model are damaged or too large",
            name);
    }
    return MAE_OK;
}

static MaeStatus read_all(float *values, const MaeEmbedder *embedder,
                          const MaeDataset *ds, MaeLoader *loader, size_t total,
                          const MaeFeaturesOptions *options, const MaeFeatureSink *sink,
                          MaeError *err)
{
    MaeFeatureRows rows = {.values = values,
                           .stride = embedder->spec.count *
                                     embedder->spec.encoder->trunk.width};
    size_t done = 0;

    for (;;) {
        const MaeBatch *batch;
        MaeStatus status;

        MAE_TRY(mae_loader_next(loader, &batch, err));
        if (batch == NULL)
            return MAE_OK;
        mae_embedder_run(embedder, values, batch->images, batch->size);
        rows.samples = batch->samples;
        rows.labels = batch->labels;
        rows.count = batch->size;
        done += batch->size;
        status = check(&rows, ds, err);
        if (status == MAE_OK)
            status = sink->take(sink->ctx, &rows, err);
        mae_loader_release(loader, batch);
        MAE_TRY(status);
        if (options->watch.fn != NULL)
            options->watch.fn(options->watch.ctx, done, total);
        if (options->stop != NULL && options->stop(options->stop_ctx))
            MAE_FAIL(err, MAE_ERR_INTERRUPTED, "features: asked to stop");
    }
}

static size_t images_of(const MaeDataset *ds, const MaeFeaturesOptions *options)
{
    return options->indices != NULL ? options->index_count : mae_dataset_info(ds)->count;
}

MaeStatus mae_features_each(const MaeEmbedder *embedder, const MaeDataset *ds,
                            const MaeTransform *transform,
                            const MaeFeaturesOptions *options, const MaeFeatureSink *sink,
                            size_t *bad, MaeError *err)
{
    const size_t total = images_of(ds, options);
    const size_t asked = options->batch > 0 ? options->batch : BATCH;
    const size_t batch = asked < total ? asked : total;
    const MaeEmbedSpec *spec = &embedder->spec;
    const MaeLoaderOptions loading = {
        .sampler = {.indices = options->indices,
                    .count = total,
                    .batch_size = batch,
                    .world = 1},
        .workers = options->workers,
        .max_bad_fraction = options->max_bad_fraction,
        .log = options->log,
    };
    MaeLoader *loader = NULL;
    float *values =
        malloc(batch * spec->count * spec->encoder->trunk.width * sizeof *values);
    MaeStatus status;

    if (values == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "features: out of memory for batches of %zu images",
                 batch);
    status = mae_loader_open(&loader, ds, transform, &loading, err);
    if (status == MAE_OK)
        status = read_all(values, embedder, ds, loader, total, options, sink, err);
    if (status == MAE_OK && bad != NULL)
        *bad = mae_loader_bad(loader)->count;
    mae_loader_close(loader);
    free(values);
    return status;
}

/* --- all in memory ---------------------------------------------------------------- */

static MaeStatus add(void *ctx, const MaeFeatureRows *rows, MaeError *err)
{
    MaeFeatures *f = ctx;

    (void)err;
    memcpy(f->values + f->count * rows->stride, rows->values,
           rows->count * rows->stride * sizeof *f->values);
    memcpy(f->labels + f->count, rows->labels, rows->count * sizeof *f->labels);
    memcpy(f->samples + f->count, rows->samples, rows->count * sizeof *f->samples);
    f->count += rows->count;
    return MAE_OK;
}

static MaeStatus expect_some(const MaeFeatures *f, size_t total, MaeError *err)
{
    if (f->count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "features: none of %zu images could be read",
                 total);
    return MAE_OK;
}

MaeStatus mae_features_read(MaeFeatures *features, const MaeEmbedder *embedder,
                            const MaeDataset *ds, const MaeTransform *transform,
                            const MaeFeaturesOptions *options, MaeError *err)
{
    const size_t total = images_of(ds, options);
    const MaeFeatureSink sink = {add, features};
    MaeStatus status;

    *features = (MaeFeatures){0};
    status = allocate(features, &embedder->spec, total, err);
    if (status == MAE_OK)
        status = mae_features_each(embedder, ds, transform, options, &sink, NULL, err);
    if (status == MAE_OK)
        status = expect_some(features, total, err);
    if (status != MAE_OK)
        mae_features_done(features);
    return status;
}

MaeEmbedSpec mae_features_usual(const MaeLoadedModel *loaded)
{
    const MaeSnapshotModel *model = &loaded->model;

    return model->kind == MAE_SNAPSHOT_CLASSIFIER
               ? mae_embed_spec_classifier(&model->as.classifier)
               : mae_embed_spec_autoencoder(&model->as.autoencoder, MAE_POOL_MEAN);
}

MaeEmbedSpec mae_features_spec(const MaeLoadedModel *loaded)
{
    MaeEmbedSpec spec = mae_features_usual(loaded);

    spec.count = 0;
    return spec;
}

MaeTransform mae_features_transform(const MaeLoadedModel *loaded)
{
    const MaePatchGrid *grid = &loaded->snapshot.arch.grid;
    MaeTransform transform = mae_transform_default(grid->channels, grid->height,
                                                   grid->width, MAE_AUGMENT_EVAL);

    transform.mean = loaded->snapshot.mean;
    transform.std = loaded->snapshot.std;
    return transform;
}

void mae_features_name(const MaeEmbedSpec *spec, size_t feature, char *text, size_t size)
{
    const MaeEmbedFeature *f = &spec->features[feature];
    const bool last = f->layer == spec->encoder->trunk.depth;

    (void)snprintf(text, size, "%zu-%s%s", f->layer,
                   f->pooling == MAE_POOL_CLS ? "cls" : "mean",
                   last && f->norm != MAE_EMBED_NORM_NONE ? "-norm" : "");
}
