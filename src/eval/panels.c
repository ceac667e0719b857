#include "eval/panels.h"

#include <stdint.h>

#include "eval/sheet.h"

enum { GAP = 4, GROUP_GAP = 16 };

static const uint8_t MID_GREY[3] = {128, 128, 128};

/* Height of @p rows with the gaps before the next one. */
static size_t height_of(const MaePanels *p, size_t rows)
{
    const size_t breaks = p->group > 0 ? rows / p->group : 0;

    return rows * (p->grid.height * p->scale + GAP) + breaks * (GROUP_GAP - GAP);
}

static size_t width_of(const MaePanels *p, size_t columns)
{
    return columns * (p->grid.width * p->scale + GAP);
}

MaeStatus mae_panels_open(MaePanels *panels, const MaePatchGrid *grid, size_t rows,
                          size_t columns, size_t group, MaeError *err)
{
    MaePanels p = {.grid = *grid, .scale = mae_sheet_scale(grid), .group = group};
    const size_t side = grid->height > grid->width ? grid->height : grid->width;
    const size_t most = SIZE_MAX / 2 / (side * p.scale + GROUP_GAP);

    *panels = (MaePanels){0};
    if (rows == 0 || columns == 0 || rows > most || columns > most)
        MAE_FAIL(err, MAE_ERR_SHAPE, "panels: %zu x %zu pictures of %zux%zu do not fit",
                 rows, columns, grid->height, grid->width);
    MAE_TRY(mae_canvas_open(&p.canvas, height_of(&p, rows - 1) + grid->height * p.scale,
                            width_of(&p, columns) - GAP, err));
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
    const size_t top = height_of(panels, row), left = width_of(panels, column);
    const size_t side = grid->patch * panels->scale, columns = mae_patch_columns(grid);

    mae_canvas_image(&panels->canvas, top, left, panels->scale, image, grid->channels,
                     grid->height, grid->width);
    for (size_t l = 0; mask != NULL && l < mae_patch_count(grid); l++) {
        const MaeBox box = {top + l / columns * side, left + l % columns * side, side,
                            side};

        if (mask[l] != 0)
            mae_canvas_fill(&panels->canvas, box, MID_GREY);
    }
}

void mae_panels_map(MaePanels *panels, size_t row, size_t column, const float *map,
                    const MaePalette *palette)
{
    mae_canvas_map(&panels->canvas, height_of(panels, row), width_of(panels, column),
                   panels->scale, map, panels->grid.height, panels->grid.width, palette);
}
