#include "eval/quality.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { RADIUS = 5, TAPS = 2 * RADIUS + 1, MOMENTS = 5 };

static bool hidden_at(const unsigned char *mask, const MaePatchGrid *grid, size_t y,
                      size_t x)
{
    return mask == NULL ||
           mask[y / grid->patch * mae_patch_columns(grid) + x / grid->patch] != 0;
}

double mae_quality_psnr(const float *a, const float *b, const unsigned char *mask,
                        const MaePatchGrid *grid)
{
    double sum = 0.0, count = 0.0;

    for (size_t c = 0; c < grid->channels; c++)
        for (size_t y = 0; y < grid->height; y++)
            for (size_t x = 0; x < grid->width; x++, a++, b++) {
                const double diff = (double)*a - (double)*b;

                if (!hidden_at(mask, grid, y, x))
                    continue;
                sum += diff * diff;
                count += 1.0;
            }
    if (count == 0.0)
        return (double)NAN;
    return sum == 0.0 ? (double)INFINITY : -10.0 * log10(sum / count);
}

/* The part of the window around a position that lies within 0 .. size-1. */
typedef struct Window {
    size_t first, count;
    double weight[TAPS]; /* sums to 1 */
} Window;

static void window_at(Window *w, size_t at, size_t size)
{
    const size_t last = size - 1 - at < RADIUS ? size - 1 : at + RADIUS;
    double sum = 0.0;

    w->first = at < RADIUS ? 0 : at - RADIUS;
    w->count = last - w->first + 1;
    for (size_t k = 0; k < w->count; k++) {
        const double d = (double)(w->first + k) - (double)at;

        w->weight[k] = exp(-d * d / (2.0 * 1.5 * 1.5));
        sum += w->weight[k];
    }
    for (size_t k = 0; k < w->count; k++)
        w->weight[k] /= sum;
}

/* Vertical pass: at every x the weighted sums of a, b, aa, bb, ab. @p sums [W,5]. */
static void column_sums(double *sums, const float *a, const float *b, size_t y,
                        const MaePatchGrid *grid)
{
    Window w;

    window_at(&w, y, grid->height);
    for (size_t x = 0; x < grid->width; x++, sums += MOMENTS) {
        for (size_t m = 0; m < MOMENTS; m++)
            sums[m] = 0.0;
        for (size_t k = 0; k < w.count; k++) {
            const size_t at = (w.first + k) * grid->width + x;
            const double pa = (double)a[at], pb = (double)b[at], wk = w.weight[k];

            sums[0] += wk * pa;
            sums[1] += wk * pb;
            sums[2] += wk * pa * pa;
            sums[3] += wk * pb * pb;
            sums[4] += wk * pa * pb;
        }
    }
}

/* Horizontal pass and the formula at one pixel. */
static double ssim_at(const double *sums, size_t x, size_t width)
{
    const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
    double m[MOMENTS] = {0}, va, vb, cab;
    Window w;

    window_at(&w, x, width);
    for (size_t k = 0; k < w.count; k++)
        for (size_t i = 0; i < MOMENTS; i++)
            m[i] += w.weight[k] * sums[(w.first + k) * MOMENTS + i];
    va = m[2] - m[0] * m[0];
    vb = m[3] - m[1] * m[1];
    cab = m[4] - m[0] * m[1];
    return (2.0 * m[0] * m[1] + c1) * (2.0 * cab + c2) /
           ((m[0] * m[0] + m[1] * m[1] + c1) * (va + vb + c2));
}

MaeStatus mae_quality_ssim(double *ssim, const float *a, const float *b,
                           const unsigned char *mask, const MaePatchGrid *grid,
                           MaeError *err)
{
    const size_t plane = grid->height * grid->width;
    double *sums = calloc(grid->width, MOMENTS * sizeof *sums);
    double sum = 0.0, count = 0.0;

    if (sums == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "ssim: no memory for a row of %zu pixels",
                 grid->width);
    for (size_t c = 0; c < grid->channels; c++, a += plane, b += plane)
        for (size_t y = 0; y < grid->height; y++) {
            column_sums(sums, a, b, y, grid);
            for (size_t x = 0; x < grid->width; x++) {
                if (!hidden_at(mask, grid, y, x))
                    continue;
                sum += ssim_at(sums, x, grid->width);
                count += 1.0;
            }
        }
    free(sums);
    *ssim = count > 0.0 ? sum / count : (double)NAN;
    return MAE_OK;
}
