#include "eval/painted.h"

#include <stdbool.h>
#include <stdlib.h>

#include "eval/gallery.h"

static bool hides(const MaeImage *image, size_t y, size_t x)
{
    const size_t at = y * image->width + x;

    return image->type == MAE_PIXEL_U16 ? ((const uint16_t *)image->data)[at] >= 32768
                                        : ((const uint8_t *)image->data)[at] >= 128;
}

/* Pixels of patch @p l that hide. @param side pixels of a patch in the picture. */
static size_t count_hiding(const MaeImage *image, size_t columns, size_t side, size_t l)
{
    size_t count = 0;

    for (size_t y = l / columns * side; y < (l / columns + 1) * side; y++)
        for (size_t x = l % columns * side; x < (l % columns + 1) * side; x++)
            count += hides(image, y, x);
    return count;
}

MaeStatus mae_painted_patches(unsigned char *hidden, size_t *visible,
                              const MaeImage *image, const MaePatchGrid *grid,
                              const char *name, MaeError *err)
{
    const size_t columns = mae_patch_columns(grid), rows = grid->height / grid->patch;
    const bool pixels = image->height == grid->height && image->width == grid->width;
    const size_t side = pixels ? grid->patch : 1, patches = rows * columns;
    size_t shown = 0;

    if (!pixels && (image->height != rows || image->width != columns))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: expected a mask of %zu x %zu pixels or %zu x %zu patches (width x "
                 "height), found %zu x %zu",
                 name, grid->width, grid->height, columns, rows, image->width,
                 image->height);
    for (size_t l = 0; l < patches; l++) {
        hidden[l] = 2 * count_hiding(image, columns, side, l) >= side * side;
        shown += hidden[l] == 0;
    }
    if (shown == 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: hides all %zu patches; the encoder has to see at least one (black)",
                 name, patches);
    if (shown == patches)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: hides none of %zu patches; expected some to be white", name,
                 patches);
    *visible = shown;
    return MAE_OK;
}

static MaeStatus fill(MaeMaskSet *masks, const unsigned char *hidden, size_t visible,
                      const MaePatchGrid *grid, size_t count, MaeError *err)
{
    MaeStatus status =
        mae_maskset_open_visible(masks, MAE_MASK_RANDOM, grid, visible, count, NULL, err);

    for (size_t i = 0; i < count && status == MAE_OK; i++)
        status = mae_mask_from_flags(&masks->mask, i, hidden, err);
    return status;
}

MaeStatus mae_painted_open(MaeMaskSet *masks, const char *path, const MaePatchGrid *grid,
                           size_t count, const MaeImageLimits *limits, MaeError *err)
{
    unsigned char *hidden = malloc(mae_patch_count(grid));
    MaeImage image = {0};
    size_t visible = 0;
    MaeStatus status = MAE_OK;

    *masks = (MaeMaskSet){0};
    if (hidden == NULL)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "%s: no memory for a mask of %zu patches", path,
                               mae_patch_count(grid));
    if (status == MAE_OK)
        status = mae_gallery_picture(&image, path, 1, limits, err);
    if (status == MAE_OK)
        status = mae_painted_patches(hidden, &visible, &image, grid, path, err);
    if (status == MAE_OK)
        status = fill(masks, hidden, visible, grid, count, err);
    mae_image_done(&image);
    free(hidden);
    return status;
}
