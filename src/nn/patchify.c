#include "nn/patchify.h"

#include "kernel/rows.h"
#include <assert.h>

MaeStatus mae_patch_grid_check(const MaePatchGrid *grid, MaeError *err)
{
    const size_t limit = (size_t)PTRDIFF_MAX / sizeof(float);

    if (grid->channels == 0 || grid->height == 0 || grid->width == 0 || grid->patch == 0)
        MAE_FAIL(
            err, MAE_ERR_SHAPE,
            "patch grid: expected positive sizes, got %zu channels of %zux%zu pixels "
            "and patch %zu",
            grid->channels, grid->height, grid->width, grid->patch);
    if (grid->height % grid->patch != 0 || grid->width % grid->patch != 0)
        MAE_FAIL(
            err, MAE_ERR_SHAPE,
            "patch grid: expected height and width divisible by patch %zu, got %zux%zu",
            grid->patch, grid->height, grid->width);
    if (grid->height > limit / grid->width ||
        grid->channels > limit / (grid->height * grid->width))
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "patch grid: %zu channels of %zux%zu pixels exceed the address space",
                 grid->channels, grid->height, grid->width);
    return MAE_OK;
}

size_t mae_patch_columns(const MaePatchGrid *grid)
{
    return grid->width / grid->patch;
}

size_t mae_patch_count(const MaePatchGrid *grid)
{
    return grid->height / grid->patch * mae_patch_columns(grid);
}

size_t mae_patch_values(const MaePatchGrid *grid)
{
    return grid->channels * grid->patch * grid->patch;
}

size_t mae_patch_offset(const MaePatchGrid *grid, size_t l)
{
    const size_t columns = mae_patch_columns(grid);

    assert(l < mae_patch_count(grid));
    return (l / columns * grid->width + l % columns) * grid->patch;
}

void mae_patch_read(float *values, const float *image, const MaePatchGrid *grid, size_t l)
{
    const size_t plane = grid->height * grid->width;
    const float *row = image + mae_patch_offset(grid, l);

    for (size_t i = 0; i < grid->patch; i++, row += grid->width)
        for (size_t j = 0; j < grid->patch; j++)
            for (size_t c = 0; c < grid->channels; c++)
                *values++ = row[c * plane + j];
}

void mae_patchify(float *patches, const float *image, const MaePatchGrid *grid)
{
    for (size_t l = 0; l < mae_patch_count(grid); l++)
        mae_patch_read(patches + l * mae_patch_values(grid), image, grid, l);
}

void mae_unpatchify(float *image, const float *patches, const MaePatchGrid *grid)
{
    const size_t count = mae_patch_count(grid), plane = grid->height * grid->width;

    for (size_t l = 0; l < count; l++) {
        float *corner = image + mae_patch_offset(grid, l);

        for (size_t i = 0; i < grid->patch; i++) {
            float *row = corner + i * grid->width;

            for (size_t j = 0; j < grid->patch; j++)
                for (size_t c = 0; c < grid->channels; c++)
                    row[c * plane + j] = *patches++;
        }
    }
}

void mae_patchify_conv(MaeOperand rows, const float *image, const MaePatchGrid *grid,
                       const uint32_t *ids, size_t count)
{
    const size_t plane = grid->height * grid->width;
    size_t at = 0;

    for (size_t v = 0; v < count; v++) {
        const float *corner = image + mae_patch_offset(grid, ids != NULL ? ids[v] : v);

        for (size_t c = 0; c < grid->channels; c++)
            for (size_t i = 0; i < grid->patch; i++, at += grid->patch)
                mae_rows_enter(mae_operand_at(rows, at), NULL,
                               corner + c * plane + i * grid->width, NULL, 1, 1,
                               grid->patch);
    }
}
