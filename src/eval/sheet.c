#include "eval/sheet.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "eval/canvas.h"

enum { GAP = 4, PANELS = 4, LONGER_SIDE = 112, MID_GREY = 128 };

size_t mae_sheet_scale(const MaePatchGrid *grid)
{
    return mae_canvas_scale(grid->height, grid->width, LONGER_SIDE);
}

MaeStatus mae_sheet_reshape(MaeImage *sheet, const MaePatchGrid *grid, size_t rows,
                            MaeError *err)
{
    const size_t scale = mae_sheet_scale(grid);
    const size_t height = grid->height * scale, width = grid->width * scale;

    if (rows == 0 || rows > SIZE_MAX / (height + GAP) ||
        width > (SIZE_MAX - PANELS * GAP) / PANELS)
        MAE_FAIL(err, MAE_ERR_SHAPE, "sheet: %zu rows of %zux%zu pixels do not fit", rows,
                 height, width);
    MAE_TRY(mae_image_reshape(sheet, rows * (height + GAP) - GAP,
                              PANELS * (width + GAP) - GAP, grid->channels == 3 ? 3 : 1,
                              MAE_PIXEL_U8, err));
    memset(sheet->data, 255, sheet->height * mae_image_row_bytes(sheet));
    return MAE_OK;
}

/* Draw @p image [C,H,W] with its corner at @p out; @p mask, or NULL, greys patches. */
static void draw_panel(uint8_t *out, size_t stride, size_t channels, const float *image,
                       const unsigned char *mask, const MaePatchGrid *grid)
{
    const size_t scale = mae_sheet_scale(grid), columns = mae_patch_columns(grid);
    uint8_t colour[3];

    for (size_t y = 0; y < grid->height * scale; y++, out += stride) {
        const size_t row = y / scale;

        for (size_t x = 0; x < grid->width * scale; x++) {
            const size_t column = x / scale;
            const size_t l = row / grid->patch * columns + column / grid->patch;

            if (mask != NULL && mask[l] != 0)
                memset(colour, MID_GREY, sizeof colour);
            else
                mae_canvas_pixel(colour, image + row * grid->width + column,
                                 grid->channels, grid->height * grid->width);
            memcpy(out + x * channels, colour, channels);
        }
    }
}

void mae_sheet_draw(MaeImage *sheet, size_t row, const MaeReconstruct *r,
                    const unsigned char *mask)
{
    const float *panels[PANELS] = {r->original, r->predicted, r->pasted, r->original};
    const size_t scale = mae_sheet_scale(&r->grid), stride = mae_image_row_bytes(sheet);
    const size_t step = (r->grid.width * scale + GAP) * sheet->channels;
    uint8_t *out = (uint8_t *)sheet->data + row * (r->grid.height * scale + GAP) * stride;

    assert(sheet->type == MAE_PIXEL_U8 &&
           stride == PANELS * step - GAP * sheet->channels);
    assert(row < (sheet->height + GAP) / (r->grid.height * scale + GAP));
    for (size_t i = 0; i < PANELS; i++)
        draw_panel(out + i * step, stride, sheet->channels, panels[i],
                   i == 0 ? mask : NULL, &r->grid);
}
