#include "eval/figure.h"

#include <stdlib.h>
#include <string.h>

#include "eval/canvas.h"
#include "store/file.h"

static MaeStatus grow(MaeFigures *figures, MaeError *err)
{
    const size_t capacity = figures->capacity > 0 ? 2 * figures->capacity : 8;
    MaeFigure *items = realloc(figures->items, capacity * sizeof *items);

    if (items == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "figures: out of memory for %zu", capacity);
    figures->items = items;
    figures->capacity = capacity;
    return MAE_OK;
}

MaeStatus mae_figures_add(MaeFigures *figures, MaeFigure *figure, MaeError *err)
{
    MaeStatus status = figures->count == figures->capacity ? grow(figures, err) : MAE_OK;

    if (status == MAE_OK)
        figures->items[figures->count++] = *figure;
    else
        mae_figure_done(figure);
    figure->picture = (MaeImage){0};
    figure->svg = NULL;
    return status;
}

void mae_figure_done(MaeFigure *figure)
{
    mae_image_done(&figure->picture);
    free(figure->svg);
    figure->svg = NULL;
}

void mae_figures_done(MaeFigures *figures)
{
    if (figures == NULL)
        return;
    for (size_t i = 0; i < figures->count; i++)
        mae_figure_done(&figures->items[i]);
    free(figures->items);
    *figures = (MaeFigures){0};
}

MaeStatus mae_figure_write(const MaeFigure *figure, const char *path, MaeError *err)
{
    if (figure->svg != NULL)
        return mae_file_write_atomic(path, figure->svg, strlen(figure->svg), err);
    return mae_canvas_write(&figure->picture, path, err);
}
