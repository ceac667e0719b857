#include "eval/patch_panel.h"

#include <math.h>
#include <stdlib.h>

#include "eval/viewer.h"

enum { PANEL = 96 }; /* pixels of the longer side, at least where an image has them */

/* Largest divisor of the patch that leaves the longer side long enough. */
static size_t shrink(const MaePatchGrid *grid)
{
    const size_t side = grid->height > grid->width ? grid->height : grid->width;
    size_t best = 1;

    for (size_t f = 2; f <= grid->patch && side / f >= PANEL; f++)
        best = grid->patch % f == 0 ? f : best;
    return best;
}

MaeStatus mae_patch_panel_open(MaePatchPanel *panel, const MaeVisualModel *model,
                               MaeError *err)
{
    const MaePatchGrid *grid = &model->encoder->grid;
    const MaeGallery *g = model->gallery;
    MaeReconstructSpec look = {.grid = *grid,
                               .mean = model->mean,
                               .std = model->std,
                               .low = g->low,
                               .high = g->high};

    if (look.low == 0.0f && look.high == 0.0f)
        mae_viewer_range(&look, g->images, g->count);
    *panel = (MaePatchPanel){.grid = *grid,
                             .up = mae_canvas_scale(grid->height, grid->width, PANEL),
                             .down = shrink(grid),
                             .mean = look.mean,
                             .std = look.std,
                             .low = look.low,
                             .high = look.high};
    panel->cell = grid->patch * panel->up / panel->down;
    panel->height = grid->height / grid->patch * panel->cell;
    panel->width = grid->width / grid->patch * panel->cell;
    panel->shown = malloc(grid->channels * (grid->height / panel->down) *
                          (grid->width / panel->down) * sizeof *panel->shown);
    if (panel->shown == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for a picture", model->name);
    return MAE_OK;
}

void mae_patch_panel_close(MaePatchPanel *panel)
{
    if (panel == NULL)
        return;
    free(panel->shown);
    *panel = (MaePatchPanel){0};
}

/* Mean over a square of pixels of one channel [H,W]. */
static double mean_of(const MaePatchPanel *panel, const float *plane, size_t y, size_t x)
{
    const size_t f = panel->down;
    double sum = 0.0;

    for (size_t v = y * f; v < (y + 1) * f; v++)
        for (size_t u = x * f; u < (x + 1) * f; u++)
            sum += (double)plane[v * panel->grid.width + u];
    return sum / (double)(f * f);
}

void mae_patch_panel_image(MaePatchPanel *panel, MaeImage *canvas, MaeBox box,
                           const float *image)
{
    const MaePatchGrid *grid = &panel->grid;
    const size_t height = grid->height / panel->down, width = grid->width / panel->down;
    const double span = (double)panel->high - (double)panel->low;
    float *out = panel->shown;

    for (size_t c = 0; c < grid->channels; c++, image += grid->height * grid->width)
        for (size_t i = 0; i < height * width; i++) {
            const double value =
                mean_of(panel, image, i / width, i % width) * (double)panel->std[c] +
                (double)panel->mean[c];

            *out++ = (float)((value - (double)panel->low) / span);
        }
    mae_canvas_image(canvas, box.top, box.left, panel->up, panel->shown, grid->channels,
                     height, width);
}

void mae_patch_panel_shade(const MaePatchPanel *panel, MaeImage *canvas, MaeBox box,
                           const float *light)
{
    const size_t columns = mae_patch_columns(&panel->grid);

    for (size_t y = 0; y < box.height; y++)
        for (size_t x = 0; x < box.width; x++) {
            uint8_t *pixel = (uint8_t *)canvas->data +
                             ((box.top + y) * canvas->width + box.left + x) * 3;
            const double l = (double)light[y / panel->cell * columns + x / panel->cell];

            for (size_t c = 0; c < 3; c++)
                pixel[c] = (uint8_t)lrint(pixel[c] * fmin(fmax(l, 0.0), 1.0));
        }
}

void mae_patch_panel_map(const MaePatchPanel *panel, MaeImage *canvas, MaeBox box,
                         const float *map, const MaePalette *palette)
{
    const size_t columns = mae_patch_columns(&panel->grid);

    mae_canvas_map(canvas, box.top, box.left, panel->cell, map,
                   panel->grid.height / panel->grid.patch, columns, palette);
}
