/* View "kernels": what the patch embedding looks for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "eval/canvas.h"
#include "eval/components.h"
#include "eval/mosaic.h"
#include "eval/visual.h"

/* Pixels of a panel and of a block of them; components that are shown at most. */
enum { FILTER = 24, COMPONENT = 56, WIDEST = 1600, COMPONENTS = 36 };

/* A filter and how large it is. */
typedef struct Kernel {
    const float *values; /* [C,p,p] */
    double norm;
} Kernel;

/* Falling norms; equal ones in the order of the model. */
static int by_norm(const void *a, const void *b)
{
    const Kernel *x = a, *y = b;

    if (x->norm != y->norm)
        return x->norm < y->norm ? 1 : -1;
    return x->values < y->values ? -1 : x->values > y->values;
}

static void sort(Kernel *kernels, const MaeVisualModel *model)
{
    const MaeLinear *lin = &model->encoder->patch;
    const float *w = model->w + lin->weight.off;

    for (size_t k = 0; k < lin->out; k++) {
        kernels[k] = (Kernel){.values = w + k * lin->in};
        for (size_t i = 0; i < lin->in; i++)
            kernels[k].norm += pow((double)kernels[k].values[i], 2.0);
    }
    qsort(kernels, lin->out, sizeof *kernels, by_norm);
}

static size_t filters_of(const MaeLinear *lin)
{
    return lin->out;
}

/* Components that filters can have, as many as are worth a look. */
static size_t most_components(const MaeLinear *lin)
{
    const size_t most = lin->in < lin->out ? lin->in : lin->out;

    return most < COMPONENTS ? most : COMPONENTS;
}

/* The largest number of any model. */
static size_t most_of(const MaeVisualInput *input, size_t (*count)(const MaeLinear *lin))
{
    size_t most = 0;

    for (size_t m = 0; m < input->model_count; m++) {
        const size_t own = count(&input->models[m].encoder->patch);

        most = own > most ? own : most;
    }
    return most;
}

static const char *colours(const MaePatchGrid *grid)
{
    return grid->channels == 1   ? ""
           : grid->channels == 3 ? "; colours are those of the channels"
                                 : "; grey is the mean of the channels";
}

/* Draw [C,p,p] so that 0 is mid-grey and the largest magnitude black or white. */
static void draw_kernel(MaeImage *canvas, MaeBox box, const float *values, float *scaled,
                        const MaePatchGrid *grid)
{
    const size_t n = mae_patch_values(grid);
    const MaePalette range = mae_palette_around_zero(values, n);

    for (size_t i = 0; i < n; i++)
        scaled[i] = range.high > 0.0f ? 0.5f + values[i] / range.high / 2.0f : 0.5f;
    mae_canvas_image(canvas, box.top, box.left, box.height / grid->patch, scaled,
                     grid->channels, grid->patch, grid->patch);
}

/*
 * A grid of up to @p count panels that is about square and no wider than a screen.
 * @param wanted pixels of a panel, at least.
 */
static MaeMosaic layout(const MaeVisualInput *input, size_t count, size_t wanted)
{
    const size_t patch = input->models[0].encoder->grid.patch;
    const size_t side = patch * mae_canvas_scale(patch, patch, wanted);
    const size_t most = WIDEST / side > 1 ? WIDEST / side : 1;
    size_t columns = 1, rows;

    while (columns < most && columns * columns < count)
        columns++;
    rows = (count + columns - 1) / columns;
    return (MaeMosaic){
        side, side, rows < columns ? rows : columns, columns, input->model_count, 0};
}

/* Panels there are of what is at most @p count. */
static size_t shown(const MaeMosaic *panels, size_t count)
{
    const size_t most = panels->rows * panels->columns;

    return count < most ? count : most;
}

static MaeBox place(const MaeMosaic *panels, size_t block, size_t index)
{
    return mae_mosaic_box(panels, block, index / panels->columns,
                          index % panels->columns);
}

/* --- filters ---------------------------------------------------------------------- */

static void draw_filters(MaeImage *canvas, const MaeMosaic *panels, size_t block,
                         const MaeVisualModel *model, float *scaled, Kernel *kernels)
{
    const MaeEncoder *encoder = model->encoder;

    sort(kernels, model);
    for (size_t k = 0; k < shown(panels, encoder->patch.out); k++)
        draw_kernel(canvas, place(panels, block, k), kernels[k].values, scaled,
                    &encoder->grid);
}

static void explain_filters(MaeFigure *figure, const MaeVisualInput *input,
                            const MaeMosaic *panels)
{
    const MaeEncoder *encoder = input->models[0].encoder;

    (void)snprintf(figure->title, sizeof figure->title, "Filters of the patch embedding");
    mae_visual_explain(
        figure,
        "What the first layer looks for in a patch of %zux%zu pixels: "
        "%zu of %zu filters, the largest (by norm) first. Each is shown in "
        "its own range, with 0 mid-grey%s. Smooth blobs, edges and "
        "gratings are learned; noise is what random weights look like, and "
        "what remains of them after a short training.",
        encoder->grid.patch, encoder->grid.patch, shown(panels, encoder->patch.out),
        encoder->patch.out, colours(&encoder->grid));
    mae_visual_explain_models(figure, input);
}

/* --- components ------------------------------------------------------------------- */

/* @param[out] share [2] of the first component, and of all that are shown. */
static MaeStatus draw_components(MaeImage *canvas, const MaeMosaic *panels, size_t block,
                                 const MaeVisualInput *input, float *scaled,
                                 double share[2], MaeError *err)
{
    const MaeVisualModel *model = &input->models[block];
    const MaeLinear *lin = &model->encoder->patch;
    const size_t count = shown(panels, most_components(lin));
    float *axis = scaled + lin->in;
    MaeComponents c;

    MAE_TRY(mae_components_fit(&c, model->w + lin->weight.off, lin->in, lin->out, lin->in,
                               count, input->compute->pool, err));
    share[0] = c.share[0];
    share[1] = 0.0;
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < lin->in; i++)
            axis[i] = (float)c.axes[k * lin->in + i];
        draw_kernel(canvas, place(panels, block, k), axis, scaled, &model->encoder->grid);
        share[1] += c.share[k];
    }
    mae_components_close(&c);
    return MAE_OK;
}

static void explain_components(MaeFigure *figure, const MaeVisualInput *input,
                               const MaeMosaic *panels, double shares[][2])
{
    const MaeEncoder *encoder = input->models[0].encoder;

    (void)snprintf(figure->title, sizeof figure->title,
                   "Principal components of the filters");
    mae_visual_explain(
        figure,
        "The patterns that all %zu filters are mostly made of, the one with "
        "the largest share of their variance first, each in its own range "
        "with 0 mid-grey%s; a sign means nothing. Of %zu that are shown the "
        "first holds %.1f %%, all together %.1f %%. A model that has learned "
        "shows smooth patterns with rising detail, as of a cosine "
        "transform, and large first shares.",
        encoder->patch.out, colours(&encoder->grid),
        shown(panels, most_components(&encoder->patch)), 100.0 * shares[0][0],
        100.0 * shares[0][1]);
    if (input->model_count > 1)
        mae_visual_explain(figure, " In the other model: %.1f %% and %.1f %%.",
                           100.0 * shares[1][0], 100.0 * shares[1][1]);
    mae_visual_explain_models(figure, input);
}

/* --- both ------------------------------------------------------------------------- */

/* Working memory: kernels of the largest model, two of them as pixels. */
static MaeStatus draw_both(MaeFigure figures[2], const MaeVisualInput *input,
                           Kernel *kernels, float *scaled, MaeError *err)
{
    const MaeMosaic filters = layout(input, most_of(input, filters_of), FILTER);
    const MaeMosaic parts = layout(input, most_of(input, most_components), COMPONENT);
    double shares[MAE_VISUAL_MODELS][2] = {{0}};

    MAE_TRY(mae_mosaic_open(&figures[0].picture, &filters, err));
    MAE_TRY(mae_mosaic_open(&figures[1].picture, &parts, err));
    for (size_t m = 0; m < input->model_count; m++) {
        const MaeVisualModel *model = &input->models[m];
        const MaeParam weight = model->encoder->patch.weight;

        MAE_TRY(mae_visual_finite(model, "patch_embed.proj.weight", model->w + weight.off,
                                  weight.count, err));
        draw_filters(&figures[0].picture, &filters, m, model, scaled, kernels);
        MAE_TRY(draw_components(&figures[1].picture, &parts, m, input, scaled, shares[m],
                                err));
    }
    explain_filters(&figures[0], input, &filters);
    explain_components(&figures[1], input, &parts, shares);
    return MAE_OK;
}

static MaeStatus draw(MaeFigures *figures, const MaeVisualInput *input, MaeError *err)
{
    const size_t in = input->models[0].encoder->patch.in;
    Kernel *kernels = malloc(most_of(input, filters_of) * sizeof *kernels);
    float *scaled = malloc(2 * in * sizeof *scaled);
    MaeFigure made[2] = {{.view = "kernels", .file = "kernels.png"},
                         {.view = "kernels", .file = "kernels-components.png"}};
    MaeStatus status;

    if (kernels == NULL || scaled == NULL)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "kernels: out of memory for filters of %zu values", in);
    else
        status = draw_both(made, input, kernels, scaled, err);
    for (size_t i = 0; i < 2 && status == MAE_OK; i++)
        status = mae_figures_add(figures, &made[i], err);
    for (size_t i = 0; i < 2; i++)
        mae_figure_done(&made[i]);
    free(kernels);
    free(scaled);
    return status;
}

const MaeVisual mae_visual_kernels = {"kernels", "filters of the patch embedding",
                                      MAE_VISUAL_NEEDS_NOTHING, draw};
