#include "eval/feature_map.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/subset.h"
#include "eval/components.h"
#include "eval/scatter.h"
#include "eval/thumbnail.h"

enum { WAYS = 2, PANELS = WAYS * MAE_FEATURE_MAP_MODELS, NAME = 120 };

/* A map in the making. */
typedef struct Making {
    const MaeFeatureMap *map;
    const MaeCompute *compute;
    size_t *indices, wanted; /* images that are looked at */
    MaeFeatures features;    /* of the model at hand; afterwards of the last one */
    float *points[PANELS];   /* [count,2] */
    char titles[PANELS][160];
    char *text;           /* [count,NAME] names of the images */
    const char **names;   /* [count] */
    const char **classes; /* [classes] */
    MaeImage *thumbs;     /* [count] */
} Making;

static MaeStatus no_memory(size_t count, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_NOMEM, "map: out of memory for %zu images", count);
}

/* --- places ----------------------------------------------------------------------- */

static MaeStatus read_features(Making *m, const MaeLoadedModel *loaded, MaeError *err)
{
    const MaeFeatureMap *map = m->map;
    const MaeEmbedSpec spec = mae_features_usual(loaded);
    const MaeTransform transform = mae_features_transform(loaded);
    const MaeFeaturesOptions options = {.indices = m->indices,
                                        .index_count = m->wanted,
                                        .workers = map->workers,
                                        .max_bad_fraction = 0.01,
                                        .log = map->log,
                                        .watch = map->watch};
    MaeEmbedder embedder = {0};
    MaeStatus status =
        mae_embedder_open(&embedder, &spec, loaded->weights, m->compute, err);

    mae_features_done(&m->features);
    if (status == MAE_OK)
        status = mae_features_read(&m->features, &embedder, map->ds, &transform, &options,
                                   err);
    mae_embedder_close(&embedder);
    return status;
}

static MaeStatus place_model(Making *m, size_t at, MaeError *err)
{
    const MaeFeatureMap *map = m->map;
    const MaeFeatureMapModel *model = &map->models[at];
    float **points = &m->points[WAYS * at];
    double share, divergence;
    MaeComponents components;
    MaeTsneOptions options = {.iterations = 1000, .seed = map->seed, .watch = map->watch};
    const MaeFeatures *f = &m->features;

    MAE_TRY(read_features(m, model->loaded, err));
    if (f->count < MAE_FEATURE_MAP_FEWEST)
        MAE_FAIL(err, MAE_ERR_ARG, "map: expected at least %d images, got %zu",
                 MAE_FEATURE_MAP_FEWEST, f->count);
    options.perplexity = fmin(map->perplexity, (double)(f->count - 1) / 3.0);
    for (size_t w = 0; w < WAYS; w++) {
        points[w] = malloc(f->count * 2 * sizeof *points[w]);
        if (points[w] == NULL)
            return no_memory(f->count, err);
    }
    MAE_TRY(mae_components_fit(&components, f->values, f->width, f->count, f->width, 2,
                               m->compute->pool, err));
    mae_components_scores(points[0], &components, f->values, f->width, f->count);
    share = components.share[0] + components.share[1];
    mae_components_close(&components);
    MAE_TRY(mae_tsne(points[1], &divergence, f->values, f->width, f->count, f->width,
                     &options, m->compute, err));
    (void)mae_text_format(m->titles[WAYS * at], sizeof m->titles[0],
                          "PCA, %.0f %% of the variance: %.100s", 100.0 * share,
                          model->name);
    (void)mae_text_format(m->titles[WAYS * at + 1], sizeof m->titles[0],
                          "t-SNE, perplexity %.3g: %.100s", options.perplexity,
                          model->name);
    return MAE_OK;
}

/* --- drawing ---------------------------------------------------------------------- */

static MaeStatus name_all(Making *m, MaeError *err)
{
    const MaeDataset *ds = m->map->ds;
    const size_t count = m->features.count, classes = mae_dataset_info(ds)->classes;

    m->text = malloc(count * NAME);
    m->names = malloc(count * sizeof *m->names);
    m->classes = malloc((classes + 1) * sizeof *m->classes);
    if (m->text == NULL || m->names == NULL || m->classes == NULL)
        return no_memory(count, err);
    for (size_t i = 0; i < count; i++) {
        m->names[i] = m->text + i * NAME;
        mae_dataset_name(ds, m->features.samples[i], m->text + i * NAME, NAME);
    }
    for (size_t c = 0; c < classes; c++)
        m->classes[c] = mae_dataset_class(ds, c);
    return MAE_OK;
}

static MaeStatus read_thumbs(Making *m, MaeError *err)
{
    MaeThumbnailer t = {0};
    MaeStatus status = MAE_OK;

    m->thumbs = calloc(m->features.count, sizeof *m->thumbs);
    if (m->thumbs == NULL)
        return no_memory(m->features.count, err);
    for (size_t i = 0; i < m->features.count && status == MAE_OK; i++)
        status = mae_thumbnail_read(&t, &m->thumbs[i], m->map->ds, m->features.samples[i],
                                    MAE_SCATTER_SIDE, err);
    mae_thumbnailer_done(&t);
    return status;
}

static MaeStatus write_svg(char **svg, const Making *m, MaeError *err)
{
    const MaeDatasetInfo *info = mae_dataset_info(m->map->ds);
    MaeScatterPanel panels[PANELS];
    const MaeScatter scatter = {.title = "Images by their features",
                                .panels = panels,
                                .panel_count = WAYS * m->map->model_count,
                                .columns = WAYS,
                                .count = m->features.count,
                                .labels = info->labelled ? m->features.labels : NULL,
                                .classes = m->classes,
                                .class_count = info->classes,
                                .names = m->names,
                                .thumbs = m->thumbs};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    MaeStatus status;

    if (out == NULL)
        return no_memory(scatter.count, err);
    for (size_t p = 0; p < scatter.panel_count; p++)
        panels[p] = (MaeScatterPanel){m->titles[p], m->points[p]};
    status = mae_scatter_write(out, &scatter, err);
    if (fclose(out) != 0 && status == MAE_OK)
        status = no_memory(scatter.count, err);
    if (status == MAE_OK)
        *svg = text;
    else
        free(text);
    return status;
}

static MaeStatus make(char **svg, Making *m, MaeError *err)
{
    MAE_TRY(mae_subset_draw(&m->indices, &m->wanted, mae_dataset_info(m->map->ds)->count,
                            m->map->seed, err));
    for (size_t i = 0; i < m->map->model_count; i++)
        MAE_TRY(place_model(m, i, err));
    MAE_TRY(name_all(m, err));
    if (m->map->thumbnails)
        MAE_TRY(read_thumbs(m, err));
    return write_svg(svg, m, err);
}

MaeStatus mae_feature_map_draw(char **svg, const MaeFeatureMap *map,
                               const MaeCompute *compute, MaeError *err)
{
    Making m = {.map = map, .compute = compute, .wanted = map->images};
    const MaeStatus status = make(svg, &m, err);

    for (size_t i = 0; m.thumbs != NULL && i < m.features.count; i++)
        mae_image_done(&m.thumbs[i]);
    for (size_t i = 0; i < PANELS; i++)
        free(m.points[i]);
    free(m.thumbs);
    free(m.indices);
    free(m.text);
    free(m.names);
    free(m.classes);
    mae_features_done(&m.features);
    return status;
}
