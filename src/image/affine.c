#include "image/affine.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

/* To 15 decimals, so that a quarter turn is exact. */
static double rounded(double v)
{
    return rint(v * 1e15) / 1e15;
}

MaeAffine mae_affine_rotation(double degrees, size_t height, size_t width)
{
    const double turn = degrees - 360.0 * floor(degrees / 360.0); /* 0 .. 360 */
    const double angle = -turn * (PI / 180.0);
    const double cosine = rounded(cos(angle)), sine = rounded(sin(angle));
    const double x = (double)width / 2.0, y = (double)height / 2.0;

    return (MaeAffine){
        .x = {cosine, sine, cosine * -x + sine * -y + x},
        .y = {-sine, cosine, -sine * -x + cosine * -y + y},
    };
}

MaeAffine mae_affine_shear(double across, double down)
{
    return (MaeAffine){.x = {1.0, across, 0.0}, .y = {down, 1.0, 0.0}};
}

MaeAffine mae_affine_translation(double right, double down)
{
    return (MaeAffine){.x = {1.0, 0.0, right}, .y = {0.0, 1.0, down}};
}

/* Pixels around a point: offsets of their columns, their rows, and how far the point is
 * from the second (bilinear: the first) towards the next. */
typedef struct Taps {
    size_t at[4];
    const uint8_t *rows[4];
    double dx, dy;
} Taps;

static size_t clamped(ptrdiff_t i, size_t n)
{
    return i < 0 ? 0 : (size_t)i < n ? (size_t)i : n - 1;
}

/* @param x, y inside the image.  @param before taps before the pixel that (x, y) is in
 * or behind the centre of.  @param count 2 or 4. */
static inline Taps taps_at(const MaeImage *img, double x, double y, ptrdiff_t before,
                           size_t count)
{
    const double u = x - 0.5, v = y - 0.5; /* -1/2 or more */
    const ptrdiff_t left = u < 0.0 ? -1 : (ptrdiff_t)u;
    const ptrdiff_t top = v < 0.0 ? -1 : (ptrdiff_t)v;
    Taps taps = {.dx = u - (double)left, .dy = v - (double)top};

    for (size_t i = 0; i < count; i++) {
        const ptrdiff_t shift = (ptrdiff_t)i - before;

        taps.at[i] = clamped(left + shift, img->width) * img->channels;
        taps.rows[i] = (const uint8_t *)img->data +
                       clamped(top + shift, img->height) * img->width * img->channels;
    }
    return taps;
}

static inline double between(double a, double b, double d)
{
    return a + (b - a) * d;
}

static inline void bilinear(uint8_t *out, const MaeImage *img, double x, double y)
{
    const Taps taps = taps_at(img, x, y, 0, 2);

    for (size_t c = 0; c < img->channels; c++) {
        double v[2];

        for (size_t r = 0; r < 2; r++)
            v[r] = between(taps.rows[r][taps.at[0] + c], taps.rows[r][taps.at[1] + c],
                           taps.dx);
        out[c] = (uint8_t)between(v[0], v[1], taps.dy);
    }
}

static inline double cubic(double a, double b, double c, double d, double t)
{
    const double p2 = -a + c, p3 = 2.0 * (a - b) + c - d, p4 = -a + b - c + d;

    return b + t * (p2 + t * (p3 + t * p4));
}

static inline void bicubic(uint8_t *out, const MaeImage *img, double x, double y)
{
    const Taps taps = taps_at(img, x, y, 1, 4);

    for (size_t c = 0; c < img->channels; c++) {
        double v[4], sum;

        for (size_t r = 0; r < 4; r++) {
            const uint8_t *row = taps.rows[r] + c;

            v[r] = cubic(row[taps.at[0]], row[taps.at[1]], row[taps.at[2]],
                         row[taps.at[3]], taps.dx);
        }
        sum = cubic(v[0], v[1], v[2], v[3], taps.dy);
        out[c] = (uint8_t)(sum <= 0.0 ? 0.0 : sum >= 255.0 ? 255.0 : sum);
    }
}

MaeStatus mae_affine_apply(MaeImage *dst, const MaeImage *src, const MaeAffine *from,
                           MaeFilter filter, const uint8_t *fill, MaeError *err)
{
    const size_t channels = src->channels;
    uint8_t *out;

    assert(dst != src && src->type == MAE_PIXEL_U8 && channels <= MAE_AFFINE_CHANNELS);
    MAE_TRY(mae_image_reshape(dst, src->height, src->width, channels, MAE_PIXEL_U8, err));
    out = dst->data;
    for (size_t i = 0; i < src->height; i++) {
        for (size_t j = 0; j < src->width; j++, out += channels) {
            const double column = (double)j + 0.5, row = (double)i + 0.5;
            const double x = from->x[0] * column + from->x[1] * row + from->x[2];
            const double y = from->y[0] * column + from->y[1] * row + from->y[2];

            if (!(x >= 0.0 && x < (double)src->width && y >= 0.0 &&
                  y < (double)src->height))
                memcpy(out, fill, channels);
            else if (filter == MAE_BILINEAR)
                bilinear(out, src, x, y);
            else
                bicubic(out, src, x, y);
        }
    }
    return MAE_OK;
}
