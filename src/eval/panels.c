#include "eval/panels.h"

#include <stdint.h>

enum { LONGER_SIDE = 112 };

static const uint8_t MID_GREY[3] = {128, 128, 128};

static size_t scale_of(const MaePatchGrid *grid)
{
    return mae_canvas_scale(grid->height, grid->width, LONGER_SIDE);
}

MaeMosaic mae_panels_layout(const MaePatchGrid *grid, size_t rows, size_t columns,
                            size_t group)
{
    const size_t scale = scale_of(grid);

    return (MaeMosaic){
        grid->height * scale, grid->width * scale, rows, columns, 1, group};
}

MaeStatus mae_panels_open(MaePanels *panels, const MaePatchGrid *grid, size_t rows,
                          size_t columns, size_t group, MaeError *err)
{
    MaePanels p = {.grid = *grid,
                   .scale = scale_of(grid),
                   .layout = mae_panels_layout(grid, rows, columns, group)};

    *panels = (MaePanels){0};
    MAE_TRY(mae_mosaic_open(&p.canvas, &p.layout, err));
    *panels = p;
    return MAE_OK;
}

void mae_panels_close(MaePanels *panels)
{
    if (panels == NULL)
        return;
    mae_image_done(&panels->canvas);
    *panels = (MaePanels){0};
}

void mae_panels_image(MaePanels *panels, size_t row, size_t column, const float *image,
                      const unsigned char *mask)
{
    const MaePatchGrid *grid = &panels->grid;
    const MaeBox at = mae_mosaic_box(&panels->layout, 0, row, column);
    const size_t side = grid->patch * panels->scale, columns = mae_patch_columns(grid);

    mae_canvas_image(&panels->canvas, at.top, at.left, panels->scale, image,
                     grid->channels, grid->height, grid->width);
    for (size_t l = 0; mask != NULL && l < mae_patch_count(grid); l++) {
        const MaeBox patch = {at.top + l / columns * side, at.left + l % columns * side,
                              side, side};

        if (mask[l] != 0)
            mae_canvas_fill(&panels->canvas, patch, MID_GREY);
    }
}

void mae_panels_map(MaePanels *panels, size_t row, size_t column, const float *map,
                    const MaePalette *palette)
{
    const MaeBox at = mae_mosaic_box(&panels->layout, 0, row, column);

    mae_canvas_map(&panels->canvas, at.top, at.left, panels->scale, map,
                   panels->grid.height, panels->grid.width, palette);
}
