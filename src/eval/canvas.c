#include "eval/canvas.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/file.h"

enum { MID_GREY = 128 };

static const uint8_t SEQUENTIAL[][3] = {
    {68, 1, 84},    {72, 26, 108},  {71, 47, 125},  {65, 68, 135},
    {57, 86, 140},  {49, 104, 142}, {42, 120, 142}, {35, 136, 142},
    {31, 152, 139}, {34, 168, 132}, {53, 183, 121}, {84, 197, 104},
    {122, 209, 81}, {165, 219, 54}, {210, 226, 27}, {253, 231, 37},
};

static const uint8_t DIVERGING[][3] = {{33, 76, 156}, {255, 255, 255}, {178, 34, 34}};

size_t mae_canvas_scale(size_t height, size_t width, size_t wanted)
{
    const size_t side = height > width ? height : width;

    assert(side > 0);
    return side < wanted ? (wanted + side - 1) / side : 1;
}

MaeStatus mae_canvas_open(MaeImage *canvas, size_t height, size_t width, MaeError *err)
{
    MAE_TRY(mae_image_reshape(canvas, height, width, 3, MAE_PIXEL_U8, err));
    memset(canvas->data, 255, height * mae_image_row_bytes(canvas));
    return MAE_OK;
}

MaePalette mae_palette_fit(MaeColours colours, const float *values, size_t n)
{
    MaePalette palette = {colours, INFINITY, -INFINITY};

    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i])) {
            palette.low = fminf(palette.low, values[i]);
            palette.high = fmaxf(palette.high, values[i]);
        }
    }
    return palette.low <= palette.high ? palette : (MaePalette){colours, 0.0f, 1.0f};
}

MaePalette mae_palette_around_zero(const float *values, size_t n)
{
    const MaePalette fit = mae_palette_fit(MAE_COLOURS_DIVERGING, values, n);
    const float most = fmaxf(fabsf(fit.low), fabsf(fit.high));

    return (MaePalette){MAE_COLOURS_DIVERGING, -most, most};
}

void mae_palette_colour(const MaePalette *palette, float value, uint8_t rgb[3])
{
    const bool sequential = palette->colours == MAE_COLOURS_SEQUENTIAL;
    const uint8_t(*stops)[3] = sequential ? SEQUENTIAL : DIVERGING;
    const size_t last = (sequential ? sizeof SEQUENTIAL : sizeof DIVERGING) / 3 - 1;
    const double span = (double)palette->high - (double)palette->low;
    double at = 0.5;
    size_t stop;

    if (!isfinite(value)) {
        memset(rgb, MID_GREY, 3);
        return;
    }
    if (span > 0.0)
        at = fmin(fmax(((double)value - (double)palette->low) / span, 0.0), 1.0);
    at *= (double)last;
    stop = at < (double)last ? (size_t)at : last - 1;
    at -= (double)stop;
    for (size_t c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lrint((1.0 - at) * stops[stop][c] + at * stops[stop + 1][c]);
}

static uint8_t level(double value)
{
    if (!isfinite(value))
        return MID_GREY;
    return (uint8_t)lrint(255.0 * fmin(fmax(value, 0.0), 1.0));
}

void mae_canvas_pixel(uint8_t rgb[3], const float *pixel, size_t channels, size_t plane)
{
    double sum = 0.0;

    for (size_t c = 0; c < channels; c++) {
        if (channels == 3)
            rgb[c] = level((double)pixel[c * plane]);
        sum += (double)pixel[c * plane];
    }
    if (channels != 3)
        memset(rgb, level(sum / (double)channels), 3);
}

void mae_canvas_fill(MaeImage *canvas, MaeBox box, const uint8_t rgb[3])
{
    uint8_t *pixels = canvas->data;

    assert(canvas->type == MAE_PIXEL_U8 && canvas->channels == 3);
    for (size_t y = box.top; y < box.top + box.height && y < canvas->height; y++) {
        for (size_t x = box.left; x < box.left + box.width && x < canvas->width; x++)
            memcpy(pixels + (y * canvas->width + x) * 3, rgb, 3);
    }
}

void mae_canvas_frame(MaeImage *canvas, MaeBox box, size_t thick, const uint8_t rgb[3])
{
    const size_t high = thick < box.height ? thick : box.height;
    const size_t wide = thick < box.width ? thick : box.width;
    const size_t bottom = box.top + box.height - high;
    const size_t right = box.left + box.width - wide;

    mae_canvas_fill(canvas, (MaeBox){box.top, box.left, high, box.width}, rgb);
    mae_canvas_fill(canvas, (MaeBox){bottom, box.left, high, box.width}, rgb);
    mae_canvas_fill(canvas, (MaeBox){box.top, box.left, box.height, wide}, rgb);
    mae_canvas_fill(canvas, (MaeBox){box.top, right, box.height, wide}, rgb);
}

void mae_canvas_image(MaeImage *canvas, size_t top, size_t left, size_t scale,
                      const float *image, size_t channels, size_t height, size_t width)
{
    uint8_t rgb[3];

    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            mae_canvas_pixel(rgb, image + y * width + x, channels, height * width);
            mae_canvas_fill(
                canvas, (MaeBox){top + y * scale, left + x * scale, scale, scale}, rgb);
        }
    }
}

void mae_canvas_paste(MaeImage *canvas, size_t top, size_t left, const MaeImage *picture)
{
    const uint8_t *pixel = picture->data;

    assert(picture->type == MAE_PIXEL_U8 && picture->channels == 3);
    for (size_t y = 0; y < picture->height; y++)
        for (size_t x = 0; x < picture->width; x++, pixel += 3)
            mae_canvas_fill(canvas, (MaeBox){top + y, left + x, 1, 1}, pixel);
}

void mae_canvas_map(MaeImage *canvas, size_t top, size_t left, size_t cell,
                    const float *map, size_t rows, size_t columns,
                    const MaePalette *palette)
{
    uint8_t rgb[3];

    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            mae_palette_colour(palette, map[r * columns + c], rgb);
            mae_canvas_fill(canvas, (MaeBox){top + r * cell, left + c * cell, cell, cell},
                            rgb);
        }
    }
}

MaeStatus mae_canvas_write(const MaeImage *canvas, const char *path, MaeError *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    MaeStatus status;

    MAE_TRY(mae_image_encode_png(&bytes, &size, canvas, err));
    status = mae_file_write_atomic(path, bytes, size, err);
    free(bytes);
    return status;
}
