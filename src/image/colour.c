#include "image/colour.h"

#include <assert.h>
#include <string.h>

#define LEVELS ((size_t)256)

static size_t pixels_of(const MaeImage *img)
{
    assert(img->type == MAE_PIXEL_U8 && (img->channels == 1 || img->channels == 3));
    return img->height * img->width;
}

/* @param tables one for each channel. */
static void map(MaeImage *img, uint8_t tables[][LEVELS])
{
    const size_t n = pixels_of(img) * img->channels;
    uint8_t *v = img->data;

    if (img->channels == 1) {
        for (size_t i = 0; i < n; i++)
            v[i] = tables[0][v[i]];
        return;
    }
    for (size_t i = 0; i < n; i += 3) {
        v[i] = tables[0][v[i]];
        v[i + 1] = tables[1][v[i + 1]];
        v[i + 2] = tables[2][v[i + 2]];
    }
}

static void count_levels(size_t counts[3][LEVELS], const MaeImage *img)
{
    const size_t n = pixels_of(img) * img->channels, step = img->channels;
    const uint8_t *v = img->data;

    memset(counts, 0, 3 * sizeof counts[0]);
    for (size_t i = 0; i < n; i += step) {
        for (size_t c = 0; c < step; c++)
            counts[c][v[i + c]]++;
    }
}

static uint8_t clip(double v)
{
    return (uint8_t)(v <= 0.0 ? 0.0 : v >= 255.0 ? 255.0 : v);
}

static void stretch(uint8_t table[LEVELS], const size_t counts[LEVELS])
{
    size_t low = 0, high = LEVELS - 1;
    double scale, offset;

    while (low < high && counts[low] == 0)
        low++;
    while (high > low && counts[high] == 0)
        high--;
    scale = high > low ? 255.0 / (double)(high - low) : 1.0;
    offset = high > low ? -(double)low * scale : 0.0;
    for (size_t i = 0; i < LEVELS; i++)
        table[i] = clip((double)i * scale + offset);
}

void mae_colour_autocontrast(MaeImage *img)
{
    size_t counts[3][LEVELS];
    uint8_t tables[3][LEVELS];

    count_levels(counts, img);
    for (size_t c = 0; c < img->channels; c++)
        stretch(tables[c], counts[c]);
    map(img, tables);
}

/* The highest level does not count, so that it becomes 255. */
static void flatten(uint8_t table[LEVELS], const size_t counts[LEVELS], size_t pixels)
{
    size_t high = LEVELS - 1, step, below;

    while (high > 0 && counts[high] == 0)
        high--;
    step = (pixels - counts[high]) / 255;
    below = step / 2;
    for (size_t i = 0; i < LEVELS; i++) {
        const size_t level = step == 0 ? i : below / step;

        table[i] = (uint8_t)(level < 255 ? level : 255);
        below += counts[i];
    }
}

void mae_colour_equalize(MaeImage *img)
{
    size_t counts[3][LEVELS];
    uint8_t tables[3][LEVELS];

    count_levels(counts, img);
    for (size_t c = 0; c < img->channels; c++)
        flatten(tables[c], counts[c], pixels_of(img));
    map(img, tables);
}

void mae_colour_invert(MaeImage *img)
{
    mae_colour_solarize(img, 0);
}

void mae_colour_posterize(MaeImage *img, unsigned bits)
{
    const size_t n = pixels_of(img) * img->channels;
    const uint8_t mask = (uint8_t)(0xFF00u >> bits);
    uint8_t *v = img->data;

    assert(bits <= 8);
    for (size_t i = 0; i < n; i++)
        v[i] &= mask;
}

void mae_colour_solarize(MaeImage *img, unsigned threshold)
{
    const size_t n = pixels_of(img) * img->channels;
    uint8_t *v = img->data;

    for (size_t i = 0; i < n; i++)
        v[i] = (uint8_t)(v[i] < threshold ? v[i] : 255 - v[i]);
}

void mae_colour_solarize_add(MaeImage *img, unsigned add)
{
    const size_t n = pixels_of(img) * img->channels;
    const unsigned most = add < 255 ? add : 255;
    uint8_t *v = img->data;

    for (size_t i = 0; i < n; i++) {
        const unsigned sum = v[i] + most;

        v[i] = (uint8_t)(v[i] >= 128 ? v[i] : sum < 255 ? sum : 255);
    }
}

/* In float, as Pillow's Image.blend. */
static inline uint8_t blend(int plain, int v, float factor)
{
    const float sum = (float)plain + factor * (float)(v - plain);

    return (uint8_t)(sum <= 0.0f ? 0.0f : sum >= 255.0f ? 255.0f : sum);
}

static inline unsigned grey(const uint8_t *rgb)
{
    return (19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 0x8000u) >> 16;
}

void mae_colour_saturation(MaeImage *img, float factor)
{
    const size_t n = pixels_of(img) * img->channels;
    uint8_t *v = img->data;

    if (img->channels == 1)
        return;
    for (size_t i = 0; i < n; i += 3) {
        const int plain = (int)grey(v + i);

        v[i] = blend(plain, v[i], factor);
        v[i + 1] = blend(plain, v[i + 1], factor);
        v[i + 2] = blend(plain, v[i + 2], factor);
    }
}

/* All levels towards or away from one. */
static void spread(MaeImage *img, int plain, float factor)
{
    uint8_t tables[3][LEVELS];

    for (size_t i = 0; i < LEVELS; i++)
        tables[0][i] = tables[1][i] = tables[2][i] = blend(plain, (int)i, factor);
    map(img, tables);
}

void mae_colour_contrast(MaeImage *img, float factor)
{
    const size_t n = pixels_of(img);
    const uint8_t *v = img->data;
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += img->channels == 1 ? v[i] : grey(v + 3 * i);
    spread(img, (int)((double)sum / (double)n + 0.5), factor);
}

void mae_colour_brightness(MaeImage *img, float factor)
{
    spread(img, 0, factor);
}

/* The inside of one row. @param step samples from pixel to pixel.  @param n samples. */
static void sharpen_row(uint8_t *restrict to, const uint8_t *restrict up,
                        const uint8_t *restrict at, const uint8_t *restrict down,
                        size_t step, size_t n, float factor)
{
    for (size_t i = step; i < n - step; i++) {
        const int sum = up[i - step] + up[i] + up[i + step] + at[i - step] + 5 * at[i] +
                        at[i + step] + down[i - step] + down[i] + down[i + step];

        to[i] = blend((2 * sum + 13) / 26, at[i], factor); /* sum / 13 to the nearest */
    }
}

MaeStatus mae_colour_sharpness(MaeImage *dst, const MaeImage *src, float factor,
                               MaeError *err)
{
    const size_t channels = src->channels, row = src->width * channels;
    const size_t bytes = pixels_of(src) * channels;
    const uint8_t *from = src->data;

    assert(dst != src);
    MAE_TRY(mae_image_reshape(dst, src->height, src->width, channels, MAE_PIXEL_U8, err));
    memcpy(dst->data, from, bytes);
    if (src->height < 3 || src->width < 3)
        return MAE_OK;
    for (size_t at = row; at < bytes - row; at += row)
        sharpen_row((uint8_t *)dst->data + at, from + at - row, from + at,
                    from + at + row, channels, row, factor);
    return MAE_OK;
}
