/* View "neighbours": which images of the data are near to an image by features. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "data/subset.h"
#include "eval/canvas.h"
#include "eval/contact_sheet.h"
#include "eval/feature_set.h"
#include "eval/knn.h"
#include "eval/visual.h"

enum { COLUMNS = 6, BETWEEN = 24 }; /* neighbours of an image; pixels between sheets */

/* A sheet for each model in the making. */
typedef struct Drawing {
    const MaeVisualInput *input;
    const MaeDataset *asked; /* where the pictures of the queries come from */
    MaeDataset *files;       /* the queries, if they are files */
    size_t rows;
    size_t *indices, wanted; /* samples that are searched */
    MaeFeatures memory;      /* of them, by the model at hand */
    float *queries;          /* [gallery.count,D] */
    uint32_t *index;         /* [rows,k] */
    float *similarity;       /* [rows,k] */
    MaeThumbnailer thumbnailer;
    MaeImage thumb, sheets[MAE_VISUAL_MODELS];
} Drawing;

/* --- features --------------------------------------------------------------------- */

static MaeStatus read_memory(Drawing *d, const MaeEmbedder *embedder,
                             const MaeLoadedModel *loaded, MaeError *err)
{
    const MaeTransform transform = mae_features_transform(loaded);
    const MaeFeaturesOptions options = {.indices = d->indices,
                                        .index_count = d->wanted,
                                        .workers = 2,
                                        .max_bad_fraction = 0.01,
                                        .log = d->input->log,
                                        .watch = d->input->watch};

    mae_features_done(&d->memory);
    return mae_features_read(&d->memory, embedder, d->input->ds, &transform, &options,
                             err);
}

static MaeStatus read_queries(Drawing *d, const MaeEmbedder *embedder,
                              const MaeGallery *gallery, MaeError *err)
{
    free(d->queries);
    d->queries = malloc(gallery->count * d->memory.width * sizeof *d->queries);
    if (d->queries == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "neighbours: out of memory for %zu images",
                 gallery->count);
    mae_embedder_run(embedder, d->queries, gallery->images, gallery->count);
    return MAE_OK;
}

static MaeStatus read_features(Drawing *d, const MaeVisualModel *model, MaeError *err)
{
    const MaeEmbedSpec spec = mae_features_usual(model->loaded);
    MaeEmbedder embedder = {0};
    MaeStatus status =
        mae_embedder_open(&embedder, &spec, model->w, d->input->compute, err);

    if (status == MAE_OK)
        status = read_memory(d, &embedder, model->loaded, err);
    if (status == MAE_OK)
        status = read_queries(d, &embedder, model->gallery, err);
    mae_embedder_close(&embedder);
    return status;
}

/* --- neighbours ------------------------------------------------------------------- */

/* @param[out] k neighbours found of each image: one more than shown, as it may be among
 * them itself. */
static MaeStatus search(Drawing *d, size_t *k, MaeError *err)
{
    const MaeKnnSet queries = {d->queries, d->memory.width, d->rows};
    const MaeKnnSet memory = {d->memory.values, d->memory.width, d->memory.count};

    *k = mae_smaller(COLUMNS + 1, d->memory.count);
    free(d->index);
    free(d->similarity);
    d->index = malloc(d->rows * *k * sizeof *d->index);
    d->similarity = malloc(d->rows * *k * sizeof *d->similarity);
    if (d->index == NULL || d->similarity == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "neighbours: out of memory for %zu x %zu", d->rows,
                 *k);
    return mae_knn_search(d->index, d->similarity, &queries, &memory, d->memory.width, *k,
                          MAE_KNN_OTHERS, d->input->compute, err);
}

/* Leave the image itself out. @param[out] others [COLUMNS]. @return how many there are */
static size_t other_than(uint32_t *others, const Drawing *d, const uint32_t *found,
                         size_t k, const size_t *own)
{
    size_t count = 0;

    for (size_t i = 0; i < k && count < COLUMNS; i++)
        if (own == NULL || d->memory.samples[found[i]] != *own)
            others[count++] = found[i];
    return count;
}

static MaeStatus draw_row(Drawing *d, MaeImage *sheet, size_t row, size_t k,
                          MaeError *err)
{
    const size_t *samples = d->input->models[0].gallery->samples;
    const size_t *own = samples != NULL ? &samples[row] : NULL;
    const size_t query = own != NULL ? *own : row;
    uint32_t others[COLUMNS];
    const MaeContactRow found = {.label = mae_dataset_label(d->asked, query),
                                 .index = others,
                                 .count =
                                     other_than(others, d, d->index + row * k, k, own),
                                 .ds = d->input->ds,
                                 .samples = d->memory.samples};

    MAE_TRY(mae_thumbnail_read(&d->thumbnailer, &d->thumb, d->asked, query,
                               MAE_CONTACT_SIDE, err));
    mae_contact_sheet_put(sheet, row, 0, &d->thumb, MAE_CONTACT_QUERY);
    return mae_contact_sheet_neighbours(sheet, row, &found, &d->thumbnailer, err);
}

static MaeStatus draw_sheet(Drawing *d, size_t at, MaeError *err)
{
    size_t k;

    MAE_TRY(read_features(d, &d->input->models[at], err));
    MAE_TRY(search(d, &k, err));
    MAE_TRY(mae_contact_sheet_open(&d->sheets[at], d->rows, COLUMNS, err));
    for (size_t row = 0; row < d->rows; row++)
        MAE_TRY(draw_row(d, &d->sheets[at], row, k, err));
    return MAE_OK;
}

/* Queries that are files become a data set, for their pictures. */
static MaeStatus open_asked(Drawing *d, MaeError *err)
{
    const MaeGallery *gallery = d->input->models[0].gallery;
    const MaeDatasetOptions options = {.in_chans =
                                           d->input->models[0].encoder->grid.channels,
                                       .limits = d->input->limits};

    d->asked = d->input->ds;
    if (gallery->samples != NULL)
        return MAE_OK;
    MAE_TRY(mae_dataset_open_files(&d->files, (const char *const *)gallery->names,
                                   gallery->count, &options, err));
    d->asked = d->files;
    return MAE_OK;
}

/* --- figure ----------------------------------------------------------------------- */

static void explain(MaeFigure *figure, const Drawing *d)
{
    (void)snprintf(figure->title, sizeof figure->title, "Nearest neighbours");
    mae_visual_explain(
        figure,
        "A row for each image: the image, then those of %zu images of the data that are "
        "nearest to it by the model's features (cosine similarity), the nearest first. "
        "Frames: green, of the same class; red, of another; grey, where a class is not "
        "known. The model has not seen classes unless it is a classifier. Features are "
        "good if neighbours show the same thing; neighbours that only share colours or "
        "brightness are what random weights find.",
        d->memory.count);
    mae_visual_explain_models(figure, d->input);
}

static MaeStatus join(MaeImage *picture, const Drawing *d, MaeError *err)
{
    const size_t width = d->sheets[0].width, models = d->input->model_count;

    MAE_TRY(mae_canvas_open(picture, d->sheets[0].height,
                            models * width + (models - 1) * BETWEEN, err));
    for (size_t m = 0; m < models; m++)
        mae_canvas_paste(picture, 0, m * (width + BETWEEN), &d->sheets[m]);
    return MAE_OK;
}

static MaeStatus make(MaeFigure *figure, Drawing *d, MaeError *err)
{
    const MaeVisualInput *input = d->input;

    MAE_TRY(open_asked(d, err));
    MAE_TRY(mae_subset_draw(&d->indices, &d->wanted, mae_dataset_info(input->ds)->count,
                            input->seed, err));
    for (size_t m = 0; m < input->model_count; m++)
        MAE_TRY(draw_sheet(d, m, err));
    explain(figure, d);
    return join(&figure->picture, d, err);
}

static MaeStatus draw(MaeFigures *figures, const MaeVisualInput *input, MaeError *err)
{
    MaeFigure figure = {.view = "neighbours", .file = "neighbours.png"};
    Drawing d = {.input = input,
                 .wanted = input->sample,
                 .rows = mae_smaller(input->models[0].gallery->count, MAE_CONTACT_ROWS)};
    MaeStatus status = make(&figure, &d, err);

    if (status == MAE_OK)
        status = mae_figures_add(figures, &figure, err);
    mae_figure_done(&figure);
    for (size_t m = 0; m < MAE_VISUAL_MODELS; m++)
        mae_image_done(&d.sheets[m]);
    mae_image_done(&d.thumb);
    mae_thumbnailer_done(&d.thumbnailer);
    mae_features_done(&d.memory);
    mae_dataset_close(d.files);
    free(d.indices);
    free(d.queries);
    free(d.index);
    free(d.similarity);
    return status;
}

const MaeVisual mae_visual_neighbours = {
    "neighbours", "images of --data nearest to each image, by features",
    (unsigned)MAE_VISUAL_NEEDS_IMAGES | (unsigned)MAE_VISUAL_NEEDS_DATA, draw};
