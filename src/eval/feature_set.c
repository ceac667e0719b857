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

static void add(MaeFeatures *f, const MaeEmbedder *embedder, const MaeBatch *batch)
{
    mae_embedder_run(embedder, f->values + f->count * mae_features_stride(f),
                     batch->images, batch->size);
    memcpy(f->labels + f->count, batch->labels, batch->size * sizeof *f->labels);
    memcpy(f->samples + f->count, batch->samples, batch->size * sizeof *f->samples);
    f->count += batch->size;
}

/* Images are finite, so the weights are at fault. @param images the last ones of @p f. */
static MaeStatus check(const MaeFeatures *f, const MaeDataset *ds, size_t images,
                       MaeError *err)
{
    const size_t stride = mae_features_stride(f);

    for (size_t i = f->count - images; i < f->count; i++) {
        char name[128];

        if (mae_rows_finite(f->values + i * stride, stride))
            continue;
        mae_dataset_name(ds, f->samples[i], name, sizeof name);
        MAE_FAIL(
            err, MAE_ERR_NUMERIC,
            "features of %s: expected finite numbers, got NaN or infinity; the weights "
            "of the model are damaged or too large",
            name);
    }
    return MAE_OK;
}

static MaeStatus read_all(MaeFeatures *f, const MaeEmbedder *embedder,
                          const MaeDataset *ds, MaeLoader *loader, size_t total,
                          const MaeFeaturesOptions *options, MaeError *err)
{
    const MaeBatch *batch;
    size_t images;

    for (;;) {
        MAE_TRY(mae_loader_next(loader, &batch, err));
        if (batch == NULL)
            break;
        add(f, embedder, batch);
        images = batch->size;
        mae_loader_release(loader, batch);
        MAE_TRY(check(f, ds, images, err));
        if (options->watch.fn != NULL)
            options->watch.fn(options->watch.ctx, f->count, total);
        if (options->stop != NULL && options->stop(options->stop_ctx))
            MAE_FAIL(err, MAE_ERR_INTERRUPTED, "features: asked to stop");
    }
    if (f->count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "features: none of %zu images could be read",
                 total);
    return MAE_OK;
}

MaeStatus mae_features_read(MaeFeatures *features, const MaeEmbedder *embedder,
                            const MaeDataset *ds, const MaeTransform *transform,
                            const MaeFeaturesOptions *options, MaeError *err)
{
    const size_t total =
        options->indices != NULL ? options->index_count : mae_dataset_info(ds)->count;
    const MaeLoaderOptions loading = {
        .sampler = {.indices = options->indices,
                    .count = total,
                    .batch_size = options->batch > 0 ? options->batch : BATCH,
                    .world = 1},
        .workers = options->workers,
        .max_bad_fraction = options->max_bad_fraction,
        .log = options->log,
    };
    MaeLoader *loader = NULL;
    MaeStatus status;

    *features = (MaeFeatures){0};
    status = allocate(features, &embedder->spec, total, err);
    if (status == MAE_OK)
        status = mae_loader_open(&loader, ds, transform, &loading, err);
    if (status == MAE_OK)
        status = read_all(features, embedder, ds, loader, total, options, err);
    mae_loader_close(loader);
    if (status != MAE_OK)
        mae_features_done(features);
    return status;
}

MaeEmbedSpec mae_features_spec(const MaeLoadedModel *loaded)
{
    const bool classifier = loaded->model.kind == MAE_SNAPSHOT_CLASSIFIER;
    MaeEmbedSpec spec =
        classifier
            ? mae_embed_spec_classifier(&loaded->model.as.classifier)
            : mae_embed_spec_autoencoder(&loaded->model.as.autoencoder, MAE_POOL_MEAN);

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
