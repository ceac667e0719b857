/* View "attention": where a block looks, head by head, and all blocks together. */
#include <math.h>
#include <stdio.h>

#include "eval/attention_maps.h"
#include "eval/mosaic.h"
#include "eval/patch_panel.h"
#include "eval/visual.h"

#define DARKEST 0.15f /* of a patch without attention, where the image is shaded */

/* Two figures in the making. */
typedef struct Drawing {
    const MaeVisualInput *input;
    size_t layer[MAE_VISUAL_MODELS]; /* of each model */
    MaePooling query[MAE_VISUAL_MODELS];
    MaeAttentionMaps maps[MAE_VISUAL_MODELS];
    MaePatchPanel panel;
    MaeMosaic heads, rollout; /* panels of the figures */
    MaeFigure figures[2];
} Drawing;

static MaePooling query_of(const MaeVisualInput *input, const MaeVisualModel *model)
{
    if (input->query != MAE_QUERY_AUTO)
        return input->query == MAE_QUERY_CLS ? MAE_POOL_CLS : MAE_POOL_MEAN;
    return model->query;
}

static MaeStatus open_maps(Drawing *d, MaeError *err)
{
    const MaeVisualInput *input = d->input;

    for (size_t m = 0; m < input->model_count; m++) {
        const MaeVisualModel *model = &input->models[m];
        const MaeEncoder *encoder = model->encoder;

        d->layer[m] = input->layer > 0 ? input->layer : encoder->trunk.depth;
        /* What is compared is asked the same. */
        d->query[m] = query_of(input, &input->models[0]);
        if (d->layer[m] == 0)
            MAE_FAIL(err, MAE_ERR_ARG, "%s: attention: the model has no blocks",
                     model->name);
        MAE_TRY(mae_attention_maps_open(&d->maps[m], encoder, model->w,
                                        input->compute->gemm, d->layer[m], d->query[m],
                                        err));
    }
    return MAE_OK;
}

static MaeStatus open_canvases(Drawing *d, MaeError *err)
{
    const size_t count = d->input->models[0].gallery->count;
    size_t heads = 0;

    for (size_t m = 0; m < d->input->model_count; m++)
        heads = d->maps[m].heads > heads ? d->maps[m].heads : heads;
    MAE_TRY(mae_patch_panel_open(&d->panel, &d->input->models[0], err));
    d->heads = (MaeMosaic){d->panel.height, d->panel.width,        count,
                           1 + heads,       d->input->model_count, 0};
    d->rollout =
        (MaeMosaic){d->panel.height, d->panel.width, count, 3, d->input->model_count, 0};
    MAE_TRY(mae_mosaic_open(&d->figures[0].picture, &d->heads, err));
    return mae_mosaic_open(&d->figures[1].picture, &d->rollout, err);
}

/* From 0 to the largest value of any model's map: what is darker has less. */
static MaePalette scale_of(const Drawing *d, bool rollout)
{
    MaePalette palette = {MAE_COLOURS_SEQUENTIAL, 0.0f, 0.0f};

    for (size_t m = 0; m < d->input->model_count; m++) {
        const MaeAttentionMaps *a = &d->maps[m];
        const MaePalette fit =
            mae_palette_fit(MAE_COLOURS_SEQUENTIAL, rollout ? a->rollout : a->maps,
                            rollout ? a->patches : a->heads * a->patches);

        palette.high = fmaxf(palette.high, fit.high);
    }
    return palette;
}

static void draw_heads(Drawing *d, size_t m, size_t row, const float *image)
{
    const MaePalette palette = scale_of(d, false);
    const MaeAttentionMaps *a = &d->maps[m];
    MaeImage *canvas = &d->figures[0].picture;

    mae_patch_panel_image(&d->panel, canvas, mae_mosaic_box(&d->heads, m, row, 0), image);
    for (size_t h = 0; h < a->heads; h++)
        mae_patch_panel_map(&d->panel, canvas, mae_mosaic_box(&d->heads, m, row, 1 + h),
                            a->maps + h * a->patches, &palette);
}

/* Spoils the roll-out: it becomes the light of the shaded image. */
static void draw_rollout(Drawing *d, size_t m, size_t row, const float *image,
                         const MaePalette *palette)
{
    const MaeAttentionMaps *a = &d->maps[m];
    MaeImage *canvas = &d->figures[1].picture;
    const MaeBox shaded = mae_mosaic_box(&d->rollout, m, row, 1);

    mae_patch_panel_image(&d->panel, canvas, mae_mosaic_box(&d->rollout, m, row, 0),
                          image);
    mae_patch_panel_image(&d->panel, canvas, shaded, image);
    mae_patch_panel_map(&d->panel, canvas, mae_mosaic_box(&d->rollout, m, row, 2),
                        a->rollout, palette);
    for (size_t l = 0; l < a->patches; l++)
        a->rollout[l] = palette->high > 0.0f
                            ? DARKEST + (1.0f - DARKEST) * a->rollout[l] / palette->high
                            : 1.0f;
    mae_patch_panel_shade(&d->panel, canvas, shaded, a->rollout);
}

static MaeStatus draw_images(Drawing *d, MaeError *err)
{
    const MaeVisualInput *input = d->input;
    const MaePatchGrid *grid = &input->models[0].encoder->grid;
    const size_t pixels = mae_patch_count(grid) * mae_patch_values(grid);
    const MaeGallery *shown = input->models[0].gallery;

    for (size_t i = 0; i < shown->count; i++) {
        const float *image = shown->images + i * pixels;
        MaePalette palette;

        for (size_t m = 0; m < input->model_count; m++)
            MAE_TRY(mae_attention_maps_run(
                &d->maps[m], input->models[m].gallery->images + i * pixels, err));
        palette = scale_of(d, true);
        for (size_t m = 0; m < input->model_count; m++) {
            draw_heads(d, m, i, image);
            draw_rollout(d, m, i, image, &palette);
        }
        if (input->watch.fn != NULL)
            input->watch.fn(input->watch.ctx, i + 1, shown->count);
    }
    return MAE_OK;
}

static void explain(Drawing *d)
{
    MaeFigure *heads = &d->figures[0], *rollout = &d->figures[1];
    const char *who = d->query[0] == MAE_POOL_CLS
                          ? "the class token"
                          : "the patches, averaged over all that ask,";

    (void)snprintf(heads->title, sizeof heads->title, "Attention of block %zu, each head",
                   d->layer[0]);
    mae_visual_explain(
        heads,
        "A row for each image: the image, then a map for each head of "
        "attention in block %zu of %zu. It shows how much of its attention "
        "%s gives to each patch, from none (dark) to the largest value in "
        "the row (bright yellow). Heads that look at different things have "
        "learned something; maps without a pattern have not.",
        d->layer[0], d->input->models[0].encoder->trunk.depth, who);
    mae_visual_explain_models(heads, d->input);
    (void)snprintf(rollout->title, sizeof rollout->title,
                   "Attention rolled out through %zu blocks", d->layer[0]);
    mae_visual_explain(
        rollout,
        "Where information from each patch can have gone: attention of "
        "all blocks up to block %zu, averaged over heads, with the path "
        "around each block (identity) added, multiplied (Abnar and Zuidema "
        "2020); seen from %s. The image, the image as bright as its patches "
        "count, and the same as a map; bright yellow is the largest value "
        "in the row. It follows attention only, so it is a hint of what "
        "matters and no proof.",
        d->layer[0], who);
    mae_visual_explain_models(rollout, d->input);
}

static MaeStatus draw(MaeFigures *figures, const MaeVisualInput *input, MaeError *err)
{
    Drawing d = {.input = input,
                 .figures = {{.view = "attention", .file = "attention.png"},
                             {.view = "attention", .file = "attention-rollout.png"}}};
    MaeStatus status = open_maps(&d, err);

    if (status == MAE_OK)
        status = open_canvases(&d, err);
    if (status == MAE_OK)
        status = draw_images(&d, err);
    if (status == MAE_OK)
        explain(&d);
    for (size_t i = 0; i < 2 && status == MAE_OK; i++)
        status = mae_figures_add(figures, &d.figures[i], err);
    for (size_t i = 0; i < MAE_VISUAL_MODELS; i++)
        mae_attention_maps_close(&d.maps[i]);
    for (size_t i = 0; i < 2; i++)
        mae_figure_done(&d.figures[i]);
    mae_patch_panel_close(&d.panel);
    return status;
}

const MaeVisual mae_visual_attention = {"attention",
                                        "where a block looks, by head and rolled out",
                                        MAE_VISUAL_NEEDS_IMAGES, draw};
