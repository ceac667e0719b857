/* View "positions": which places the model takes for neighbours. */
#include "eval/visual_positions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "eval/canvas.h"
#include "eval/mosaic.h"
#include "eval/visual.h"

enum { PANEL = 48, MOST = 14 }; /* pixels of a map's longer side; maps a side */

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

void mae_position_similarity(float *map, const float *pos, size_t count, size_t width,
                             size_t from)
{
    const float *own = pos + from * width;

    for (size_t l = 0; l < count; l++) {
        const float *other = pos + l * width;
        const double norms = sqrt(dot(own, own, width)) * sqrt(dot(other, other, width));

        map[l] = norms > 0.0 ? (float)(dot(own, other, width) / norms) : 0.0f;
    }
}

/* Which positions get a map: all, or as many of each side as MOST, spread evenly. */
typedef struct Layout {
    size_t rows, columns; /* of the grid of patches */
    size_t down, across;  /* maps */
    size_t cell;
    MaeMosaic panels;
} Layout;

static Layout layout_of(const MaeVisualInput *input)
{
    const MaePatchGrid *grid = &input->models[0].encoder->grid;
    Layout l = {.rows = grid->height / grid->patch, .columns = mae_patch_columns(grid)};

    l.down = l.rows < MOST ? l.rows : MOST;
    l.across = l.columns < MOST ? l.columns : MOST;
    l.cell = mae_canvas_scale(l.rows, l.columns, PANEL);
    l.panels = (MaeMosaic){l.rows * l.cell, l.columns * l.cell, l.down,
                           l.across,        input->model_count, 0};
    return l;
}

/* Place of map @p i of @p maps in a row of @p cells. */
static size_t spread(size_t i, size_t maps, size_t cells)
{
    return (2 * i + 1) * cells / (2 * maps);
}

/* @param[out] maps [down*across,L]. */
static MaeStatus compute(float *maps, const Layout *l, const MaeVisualModel *model,
                         MaeError *err)
{
    const MaeEncoder *encoder = model->encoder;
    const size_t width = encoder->trunk.width, count = l->rows * l->columns;
    const float *pos = model->w + encoder->pos_embed.off + width;

    MAE_TRY(mae_visual_finite(model, "pos_embed", pos, count * width, err));
    for (size_t i = 0; i < l->down * l->across; i++)
        mae_position_similarity(maps + i * count, pos, count, width,
                                spread(i / l->across, l->down, l->rows) * l->columns +
                                    spread(i % l->across, l->across, l->columns));
    return MAE_OK;
}

static void explain(MaeFigure *figure, const MaeVisualInput *input, const Layout *l,
                    const MaePalette *palette)
{
    (void)snprintf(figure->title, sizeof figure->title,
                   "Similarity of position embeddings");
    mae_visual_explain(
        figure,
        "Each small map belongs to the place of a patch (%s of %zux%zu) and "
        "shows how similar its position embedding is to that of every "
        "place, by cosine: dark is %.2f, bright yellow 1. The brightest "
        "spot is the place itself; rows and columns that light up with it "
        "are what the model takes for near. In pretraining positions are "
        "fixed sine and cosine waves; fine-tuning trains them.",
        l->down == l->rows && l->across == l->columns ? "all" : "a selection", l->rows,
        l->columns, (double)palette->low);
    mae_visual_explain_models(figure, input);
}

static MaeStatus draw_maps(MaeFigure *figure, float *maps, const Layout *l,
                           const MaeVisualInput *input, MaeError *err)
{
    const size_t count = l->rows * l->columns, each = l->down * l->across;
    MaePalette palette;

    for (size_t m = 0; m < input->model_count; m++)
        MAE_TRY(compute(maps + m * each * count, l, &input->models[m], err));
    palette =
        mae_palette_fit(MAE_COLOURS_SEQUENTIAL, maps, input->model_count * each * count);
    palette.high = 1.0f;
    MAE_TRY(mae_mosaic_open(&figure->picture, &l->panels, err));
    for (size_t i = 0; i < input->model_count * each; i++) {
        const MaeBox box = mae_mosaic_box(&l->panels, i / each, i % each / l->across,
                                          i % each % l->across);

        mae_canvas_map(&figure->picture, box.top, box.left, l->cell, maps + i * count,
                       l->rows, l->columns, &palette);
    }
    explain(figure, input, l, &palette);
    return MAE_OK;
}

static MaeStatus draw(MaeFigures *figures, const MaeVisualInput *input, MaeError *err)
{
    const Layout l = layout_of(input);
    const size_t all = input->model_count * l.down * l.across * l.rows * l.columns;
    MaeFigure figure = {.view = "positions", .file = "positions.png"};
    float *maps = calloc(all, sizeof *maps);
    MaeStatus status;

    if (maps == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "positions: out of memory for %zu numbers", all);
    status = draw_maps(&figure, maps, &l, input, err);
    free(maps);
    if (status == MAE_OK)
        return mae_figures_add(figures, &figure, err);
    mae_figure_done(&figure);
    return status;
}

const MaeVisual mae_visual_positions = {"positions", "similarity of position embeddings",
                                        MAE_VISUAL_NEEDS_NOTHING, draw};
