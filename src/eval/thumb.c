#include "eval/thumb.h"

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

MaeStatus mae_thumb_open(MaeThumb *thumb, const MaeVisualModel *model, MaeError *err)
{
    const MaePatchGrid *grid = &mae_visual_encoder(model)->grid;
    const MaeGallery *g = model->gallery;
    MaeReconstructSpec look = {.grid = *grid,
                               .mean = model->loaded->snapshot.mean,
                               .std = model->loaded->snapshot.std,
                               .low = g->low,
                               .high = g->high};

    if (look.low == 0.0f && look.high == 0.0f)
        mae_viewer_range(&look, g->images, g->count);
    *thumb = (MaeThumb){.grid = *grid,
                        .up = mae_canvas_scale(grid->height, grid->width, PANEL),
                        .down = shrink(grid),
                        .mean = look.mean,
                        .std = look.std,
                        .low = look.low,
                        .high = look.high};
    thumb->cell = grid->patch * thumb->up / thumb->down;
    thumb->height = grid->height / grid->patch * thumb->cell;
    thumb->width = grid->width / grid->patch * thumb->cell;
    thumb->shown = malloc(grid->channels * (grid->height / thumb->down) *
                          (grid->width / thumb->down) * sizeof *thumb->shown);
    if (thumb->shown == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for a picture", model->name);
    return MAE_OK;
}

void mae_thumb_close(MaeThumb *thumb)
{
    if (thumb == NULL)
        return;
    free(thumb->shown);
    *thumb = (MaeThumb){0};
}

/* Mean over a square of pixels of one channel [H,W]. */
static double mean_of(const MaeThumb *thumb, const float *plane, size_t y, size_t x)
{
    const size_t f = thumb->down;
    double sum = 0.0;

    for (size_t v = y * f; v < (y + 1) * f; v++)
        for (size_t u = x * f; u < (x + 1) * f; u++)
            sum += (double)plane[v * thumb->grid.width + u];
    return sum / (double)(f * f);
}

void mae_thumb_image(MaeThumb *thumb, MaeImage *canvas, MaeBox box, const float *image)
{
    const MaePatchGrid *grid = &thumb->grid;
    const size_t height = grid->height / thumb->down, width = grid->width / thumb->down;
    const double span = (double)thumb->high - (double)thumb->low;
    float *out = thumb->shown;

    for (size_t c = 0; c < grid->channels; c++, image += grid->height * grid->width)
        for (size_t i = 0; i < height * width; i++) {
            const double value =
                mean_of(thumb, image, i / width, i % width) * (double)thumb->std[c] +
                (double)thumb->mean[c];

            *out++ = (float)((value - (double)thumb->low) / span);
        }
    mae_canvas_image(canvas, box.top, box.left, thumb->up, thumb->shown, grid->channels,
                     height, width);
}

void mae_thumb_shade(const MaeThumb *thumb, MaeImage *canvas, MaeBox box,
                     const float *light)
{
    const size_t columns = mae_patch_columns(&thumb->grid);

    for (size_t y = 0; y < box.height; y++)
        for (size_t x = 0; x < box.width; x++) {
            uint8_t *pixel = (uint8_t *)canvas->data +
                             ((box.top + y) * canvas->width + box.left + x) * 3;
            const double l = (double)light[y / thumb->cell * columns + x / thumb->cell];

            for (size_t c = 0; c < 3; c++)
                pixel[c] = (uint8_t)lrint(pixel[c] * fmin(fmax(l, 0.0), 1.0));
        }
}

void mae_thumb_map(const MaeThumb *thumb, MaeImage *canvas, MaeBox box, const float *map,
                   const MaePalette *palette)
{
    const size_t columns = mae_patch_columns(&thumb->grid);

    mae_canvas_map(canvas, box.top, box.left, thumb->cell, map,
                   thumb->grid.height / thumb->grid.patch, columns, palette);
}
