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

/* Of all ranks, as far as those that read them know. */
static void tell(const MaeFeaturesOptions *options, size_t done, size_t total)
{
    const size_t all = done * mae_comm_world(options->comm);

    if (options->watch.fn != NULL)
        options->watch.fn(options->watch.ctx, all < total ? all : total, total);
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
        tell(options, done, total);
        if (options->stop != NULL && options->stop(options->stop_ctx))
            MAE_FAIL(err, MAE_ERR_INTERRUPTED, "features: asked to stop");
    }
}

static size_t images_of(const MaeDataset *ds, const MaeFeaturesOptions *options)
{
    return options->indices != NULL ? options->index_count : mae_dataset_info(ds)->count;
}

/* Images that a rank has in memory at a time. */
static size_t batch_of(const MaeFeaturesOptions *options, size_t total)
{
    const size_t world = mae_comm_world(options->comm);
    const size_t asked = options->batch > 0 ? options->batch : BATCH;
    const size_t share = (total + world - 1) / world;

    return asked < share ? asked : share;
}

/* Loader of this rank's share, and memory for a batch of features. */
static MaeStatus open_share(MaeLoader **loader, float **values,
                            const MaeEmbedder *embedder, const MaeDataset *ds,
                            const MaeTransform *transform,
                            const MaeFeaturesOptions *options, MaeError *err)
{
    const size_t total = images_of(ds, options), batch = batch_of(options, total);
    const size_t world = mae_comm_world(options->comm);
    const MaeEmbedSpec *spec = &embedder->spec;
    const MaeLoaderOptions loading = {
        .sampler = {.indices = options->indices,
                    .count = total,
                    .batch_size = batch * world,
                    .rank = mae_comm_rank(options->comm),
                    .world = world},
        .workers = options->workers,
        .max_bad_fraction = options->max_bad_fraction,
        .log = options->log,
    };

    *values = malloc(batch * spec->count * spec->encoder->trunk.width * sizeof **values);
    if (*values == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "features: out of memory for batches of %zu images",
                 batch);
    return mae_loader_open(loader, ds, transform, &loading, err);
}

/* The bad images of all ranks; those that met some can name them. */
static MaeStatus judge_bad(size_t *bad, const MaeBadList *own, size_t total,
                           const MaeFeaturesOptions *options, MaeError *err)
{
    uint64_t counts[MAE_BAD_REASONS];
    MaeBadList all = *own;
    MaeStatus status = MAE_OK;

    for (size_t s = 0; s < MAE_BAD_REASONS; s++)
        counts[s] = own->by_status[s];
    MAE_TRY(mae_comm_sum_counts(options->comm, counts, MAE_BAD_REASONS, err));
    all.count = 0;
    for (size_t s = 0; s < MAE_BAD_REASONS; s++) {
        all.by_status[s] = (size_t)counts[s];
        all.count += (size_t)counts[s];
    }
    if (own->count > 0)
        status = mae_badlist_check(&all, total, options->max_bad_fraction, err);
    MAE_TRY(mae_comm_agree(options->comm, status, err));
    if (bad != NULL)
        *bad = all.count;
    return MAE_OK;
}

MaeStatus mae_features_each(const MaeEmbedder *embedder, const MaeDataset *ds,
                            const MaeTransform *transform,
                            const MaeFeaturesOptions *options, const MaeFeatureSink *sink,
                            size_t *bad, MaeError *err)
{
    const size_t total = images_of(ds, options);
    MaeLoader *loader = NULL;
    float *values = NULL;
    MaeStatus status =
        open_share(&loader, &values, embedder, ds, transform, options, err);

    if (status == MAE_OK)
        status = read_all(values, embedder, ds, loader, total, options, sink, err);
    status = mae_comm_agree(options->comm, status, err);
    if (status == MAE_OK)
        status = judge_bad(bad, mae_loader_bad(loader), total, options, err);
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

/* What this rank reads: as many as it may get. */
static MaeStatus read_own(MaeFeatures *own, const MaeEmbedder *embedder,
                          const MaeDataset *ds, const MaeTransform *transform,
                          const MaeFeaturesOptions *options, MaeError *err)
{
    const size_t total = images_of(ds, options), batch = batch_of(options, total);
    const size_t whole = batch * mae_comm_world(options->comm);
    const size_t most = batch * ((total + whole - 1) / whole);
    const MaeFeatureSink sink = {add, own};
    MaeStatus status = allocate(own, &embedder->spec, most < total ? most : total, err);

    MAE_TRY(mae_comm_agree(options->comm, status, err));
    return mae_features_each(embedder, ds, transform, options, &sink, NULL, err);
}

static MaeStatus expect_some(size_t count, size_t total, MaeError *err)
{
    if (count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "features: none of %zu images could be read",
                 total);
    return MAE_OK;
}

/* --- from all ranks --------------------------------------------------------------- */

/* Where rows of this rank belong among those of all. */
typedef struct Places {
    uint64_t *bits;  /* one for each sample of the data set: some rank has it */
    uint64_t *place; /* [own count] */
    size_t words, total;
} Places;

static MaeStatus places_open(Places *places, const MaeFeatures *own, const MaeDataset *ds,
                             MaeError *err)
{
    places->words = mae_dataset_info(ds)->count / 64 + 1;
    places->bits = calloc(places->words, sizeof *places->bits);
    places->place = calloc(own->count + 1, sizeof *places->place);
    if (places->bits == NULL || places->place == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "features: out of memory for the places of %zu",
                 own->count);
    return MAE_OK;
}

static void places_close(Places *places)
{
    free(places->bits);
    free(places->place);
}

/* Samples rise, on every rank and in the whole. */
static void count_places(Places *places, const MaeFeatures *own)
{
    size_t next = 0;

    for (size_t sample = 0; sample < 64 * places->words; sample++) {
        if ((places->bits[sample / 64] >> sample % 64 & 1) == 0)
            continue;
        if (next < own->count && own->samples[next] == sample)
            places->place[next++] = places->total;
        places->total++;
    }
}

/* No two ranks have the same sample: their sum is what any of them has. */
static MaeStatus find_places(Places *places, const MaeFeatures *own, MaeComm *comm,
                             MaeError *err)
{
    for (size_t i = 0; i < own->count; i++)
        places->bits[own->samples[i] / 64] |= (uint64_t)1 << own->samples[i] % 64;
    MAE_TRY(mae_comm_sum_counts(comm, places->bits, places->words, err));
    count_places(places, own);
    return MAE_OK;
}

static MaeStatus gather_rows(MaeFeatures *all, const MaeFeatures *own,
                             const Places *places, MaeComm *comm, MaeError *err)
{
    MAE_TRY(mae_comm_gather(comm, all->values, places->total, own->values, places->place,
                            own->count, mae_features_stride(own) * sizeof *own->values,
                            err));
    MAE_TRY(mae_comm_gather(comm, all->labels, places->total, own->labels, places->place,
                            own->count, sizeof *own->labels, err));
    return mae_comm_gather(comm, all->samples, places->total, own->samples, places->place,
                           own->count, sizeof *own->samples, err);
}

/* @param[in,out] f rows of this rank; on rank 0 those of all, on others none then. */
static MaeStatus gather(MaeFeatures *f, const MaeEmbedSpec *spec, const MaeDataset *ds,
                        const MaeFeaturesOptions *options, MaeError *err)
{
    MaeComm *comm = options->comm;
    const bool root = mae_comm_rank(comm) == 0;
    Places places = {.total = 0};
    MaeFeatures all = {.count = 0};
    MaeStatus status = mae_comm_agree(comm, places_open(&places, f, ds, err), err);

    if (status == MAE_OK)
        status = find_places(&places, f, comm, err);
    if (status == MAE_OK)
        status = expect_some(places.total, images_of(ds, options), err);
    if (status == MAE_OK)
        status = mae_comm_agree(
            comm, root ? allocate(&all, spec, places.total, err) : MAE_OK, err);
    if (status == MAE_OK)
        status = gather_rows(&all, f, &places, comm, err);
    if (root)
        all.count = places.total;
    places_close(&places);
    if (status != MAE_OK) {
        mae_features_done(&all);
        return status;
    }
    mae_features_done(f);
    *f = all;
    return MAE_OK;
}

MaeStatus mae_features_read(MaeFeatures *features, const MaeEmbedder *embedder,
                            const MaeDataset *ds, const MaeTransform *transform,
                            const MaeFeaturesOptions *options, MaeError *err)
{
    MaeStatus status;

    *features = (MaeFeatures){0};
    status = read_own(features, embedder, ds, transform, options, err);
    if (status == MAE_OK && mae_comm_world(options->comm) > 1)
        status = gather(features, &embedder->spec, ds, options, err);
    else if (status == MAE_OK)
        status = expect_some(features->count, images_of(ds, options), err);
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
