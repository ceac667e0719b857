/* View "features": what patch tokens have in common, before and after masking. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/components.h"
#include "eval/mosaic.h"
#include "eval/patch_features.h"
#include "eval/patch_panel.h"
#include "eval/visual.h"
#include "model/maskset.h"

enum { COLOURS = 3 }; /* components: red, green, blue */

#define SPREAD 2.5 /* standard deviations from mid-grey to full colour */

static const uint8_t HIDDEN[3] = {128, 128, 128};

/* Two figures in the making. */
typedef struct Drawing {
    const MaeVisualInput *input;
    size_t count; /* images */
    MaeMaskSet masks;
    MaePatchFeatures features[MAE_VISUAL_MODELS];
    MaePatchPanel panel;
    float *norms;            /* [N,L] of one layer */
    MaeMosaic colours, maps; /* panels of the figures */
    double share;            /* of the last layer's variance in three components */
    MaeFigure figures[2];
} Drawing;

/* --- components as colours -------------------------------------------------------- */

/* Of one token: 0 is mid-grey. */
static void colour_of(uint8_t rgb[3], const MaeComponents *c, const float *token)
{
    for (size_t k = 0; k < COLOURS; k++) {
        const double most = SPREAD * c->deviation[k];
        const double at = most > 0.0 ? mae_components_score(c, token, k) / most : 0.0;

        rgb[k] = (uint8_t)lrint(127.5 * (1.0 + fmin(fmax(at, -1.0), 1.0)));
    }
}

/* @param tokens [count,D].  @param ids [count] their patches; NULL: all in order. */
static void draw_tokens(Drawing *d, MaeBox box, const MaeComponents *c,
                        const float *tokens, const uint32_t *ids, size_t count)
{
    const size_t cell = d->panel.cell, columns = box.width / cell;
    MaeImage *canvas = &d->figures[0].picture;
    uint8_t rgb[3];

    mae_canvas_fill(canvas, box, HIDDEN);
    for (size_t i = 0; i < count; i++) {
        const size_t l = ids != NULL ? ids[i] : i;
        const MaeBox at = {box.top + l / columns * cell, box.left + l % columns * cell,
                           cell, cell};

        colour_of(rgb, c, tokens + i * c->width);
        mae_canvas_fill(canvas, at, rgb);
    }
}

static MaeStatus draw_colours(Drawing *d, size_t m, size_t f, MaeError *err)
{
    const MaePatchFeatures *p = &d->features[m];
    const float *whole = mae_patch_features_whole(p, f);
    const float *part = mae_patch_features_part(p, f);
    MaeComponents c;

    MAE_TRY(mae_components_fit(&c, whole, p->width, p->images * p->patches, p->width,
                               COLOURS, d->input->compute->pool, err));
    for (size_t i = 0; i < d->count; i++) {
        draw_tokens(d, mae_mosaic_box(&d->colours, m, i, 1 + 2 * f), &c,
                    whole + i * p->patches * p->width, NULL, p->patches);
        draw_tokens(d, mae_mosaic_box(&d->colours, m, i, 2 + 2 * f), &c,
                    part + i * p->visible * p->width,
                    d->masks.mask.ids_keep + i * p->visible, p->visible);
    }
    if (m == 0)
        d->share = c.share[0] + c.share[1] + c.share[2];
    mae_components_close(&c);
    return MAE_OK;
}

/* --- norms ------------------------------------------------------------------------ */

static void take_norms(float *norms, const float *tokens, size_t rows, size_t width)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0.0;

        for (size_t j = 0; j < width; j++)
            sum += pow((double)tokens[i * width + j], 2.0);
        norms[i] = (float)sqrt(sum);
    }
}

/* One column, with the same scale for all models. */
static void draw_norms(Drawing *d, size_t f)
{
    const size_t patches = d->features[0].patches, each = d->count * patches;
    MaePalette palette;

    for (size_t m = 0; m < d->input->model_count; m++)
        if (f < d->features[m].layer_count)
            take_norms(d->norms + m * each, mae_patch_features_whole(&d->features[m], f),
                       each, d->features[m].width);
        else
            memset(d->norms + m * each, 0, each * sizeof *d->norms);
    palette =
        mae_palette_fit(MAE_COLOURS_SEQUENTIAL, d->norms, d->input->model_count * each);
    for (size_t m = 0; m < d->input->model_count; m++)
        for (size_t i = 0; f < d->features[m].layer_count && i < d->count; i++)
            mae_patch_panel_map(&d->panel, &d->figures[1].picture,
                                mae_mosaic_box(&d->maps, m, i, 1 + f),
                                d->norms + m * each + i * patches, &palette);
}

/* --- figures ---------------------------------------------------------------------- */

static MaeStatus read_features(Drawing *d, MaeError *err)
{
    const MaeVisualInput *input = d->input;

    MAE_TRY(mae_maskset_open(&d->masks, MAE_MASK_RANDOM, &input->models[0].encoder->grid,
                             input->mask_ratio, d->count, NULL, err));
    mae_maskset_draw(&d->masks, input->seed, 0, NULL, d->count);
    for (size_t m = 0; m < input->model_count; m++) {
        const MaeVisualModel *model = &input->models[m];
        const MaePatchSpec spec = {.encoder = model->encoder,
                                   .w = model->w,
                                   .gemm = input->compute->gemm,
                                   .layer = input->layer,
                                   .mask = &d->masks.mask,
                                   .watch = input->watch};

        MAE_TRY(mae_patch_features_read(&d->features[m], &spec, model->gallery->images,
                                        d->count, err));
    }
    return MAE_OK;
}

static MaeStatus open_canvases(Drawing *d, MaeError *err)
{
    const size_t models = d->input->model_count;
    size_t layers = 0;

    for (size_t m = 0; m < models; m++)
        layers =
            d->features[m].layer_count > layers ? d->features[m].layer_count : layers;
    MAE_TRY(mae_patch_panel_open(&d->panel, &d->input->models[0], err));
    d->colours =
        (MaeMosaic){d->panel.height, d->panel.width, d->count, 1 + 2 * layers, models, 0};
    d->maps =
        (MaeMosaic){d->panel.height, d->panel.width, d->count, 1 + layers, models, 0};
    d->norms = calloc(models * d->count * d->features[0].patches, sizeof *d->norms);
    if (d->norms == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "features: out of memory for norms");
    MAE_TRY(mae_mosaic_open(&d->figures[0].picture, &d->colours, err));
    return mae_mosaic_open(&d->figures[1].picture, &d->maps, err);
}

static MaeStatus draw_all(Drawing *d, MaeError *err)
{
    const MaeGallery *shown = d->input->models[0].gallery;
    const size_t pixels =
        d->features[0].patches * mae_patch_values(&d->input->models[0].encoder->grid);

    for (size_t m = 0; m < d->input->model_count; m++) {
        for (size_t i = 0; i < d->count; i++) {
            const float *image = shown->images + i * pixels;

            mae_patch_panel_image(&d->panel, &d->figures[0].picture,
                                  mae_mosaic_box(&d->colours, m, i, 0), image);
            mae_patch_panel_image(&d->panel, &d->figures[1].picture,
                                  mae_mosaic_box(&d->maps, m, i, 0), image);
        }
        for (size_t f = 0; f < d->features[m].layer_count; f++)
            MAE_TRY(draw_colours(d, m, f, err));
    }
    for (size_t f = 0; f + 1 < d->maps.columns; f++)
        draw_norms(d, f);
    return MAE_OK;
}

static void list_layers(const MaePatchFeatures *p, char *text, size_t size)
{
    size_t used = 0;

    for (size_t f = 0; f < p->layer_count && used < size; f++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", f > 0 ? ", " : "",
                                 p->layers[f]);
}

static void explain(Drawing *d)
{
    MaeFigure *colours = &d->figures[0], *norms = &d->figures[1];
    const MaeMask *mask = &d->masks.mask;
    char layers[96];

    list_layers(&d->features[0], layers, sizeof layers);
    (void)snprintf(colours->title, sizeof colours->title,
                   "Principal components of patch tokens");
    mae_visual_explain(
        colours,
        "A row for each image: the image, then for each of the blocks %s "
        "two maps of its patch tokens, of the whole image and of %zu of %zu "
        "patches alone (hidden ones grey). Red, green and blue are the three "
        "directions in which the tokens of all these images differ most "
        "after that block: patches of one colour are alike to the model, in "
        "any image and with or without the others. Colours that run "
        "alike through every image are the places of patches, not their "
        "content. Blocks and models have colours of their own. After the "
        "last block the three hold %.0f %% of the variance.",
        layers, mask->visible, mask->patches, 100.0 * d->share);
    mae_visual_explain_models(colours, d->input);
    (void)snprintf(norms->title, sizeof norms->title, "Norms of patch tokens");
    mae_visual_explain(
        norms,
        "A row for each image: the image, then for each of the blocks %s "
        "the length of its patch tokens, from the smallest (dark) to the "
        "largest (bright yellow) after that block over all images. Single "
        "very long tokens in plain areas are places that the model uses to "
        "store something else.",
        layers);
    mae_visual_explain_models(norms, d->input);
}

static MaeStatus draw(MaeFigures *figures, const MaeVisualInput *input, MaeError *err)
{
    Drawing d = {.input = input,
                 .count = input->models[0].gallery->count,
                 .figures = {{.view = "features", .file = "features.png"},
                             {.view = "features", .file = "features-norms.png"}}};
    MaeStatus status = read_features(&d, err);

    if (status == MAE_OK)
        status = open_canvases(&d, err);
    if (status == MAE_OK)
        status = draw_all(&d, err);
    if (status == MAE_OK)
        explain(&d);
    for (size_t i = 0; i < 2 && status == MAE_OK; i++)
        status = mae_figures_add(figures, &d.figures[i], err);
    for (size_t i = 0; i < MAE_VISUAL_MODELS; i++)
        mae_patch_features_close(&d.features[i]);
    for (size_t i = 0; i < 2; i++)
        mae_figure_done(&d.figures[i]);
    mae_patch_panel_close(&d.panel);
    mae_maskset_close(&d.masks);
    free(d.norms);
    return status;
}

const MaeVisual mae_visual_features = {
    "features", "what patch tokens have in common, whole and masked",
    MAE_VISUAL_NEEDS_IMAGES, draw};
