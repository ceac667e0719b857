#include "nn/pos_embed.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* e(t) over 2 * quarter floats. */
static void encode(float *out, size_t t, size_t quarter)
{
    for (size_t i = 0; i < quarter; i++) {
        const double angle = (double)t * pow(10000.0, -(double)i / (double)quarter);

        out[i] = (float)sin(angle);
        out[quarter + i] = (float)cos(angle);
    }
}

void mae_pos_embed_sincos(float *pos, size_t grid_h, size_t grid_w, size_t width)
{
    const size_t quarter = width / 4;

    assert(width % 4 == 0);
    memset(pos, 0, width * sizeof *pos);
    for (size_t r = 0; r < grid_h; r++) {
        for (size_t c = 0; c < grid_w; c++) {
            pos += width;
            encode(pos, c, quarter);
            encode(pos + 2 * quarter, r, quarter);
        }
    }
}

/* Weights of four neighbours at fraction t in [0, 1): cubic convolution, a = -0.75. */
static void cubic(double weight[4], double t)
{
    const double a = -0.75;
    const double distance[4] = {t + 1.0, t, 1.0 - t, 2.0 - t};

    for (size_t i = 0; i < 4; i++) {
        const double d = distance[i];

        weight[i] = d <= 1.0 ? ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
                             : ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
    }
}

/* Source neighbours (clamped) and weights of output position @p at. */
static void taps(size_t index[4], double weight[4], size_t at, size_t out, size_t in)
{
    const double source = ((double)at + 0.5) * (double)in / (double)out - 0.5;
    const double first = floor(source);

    cubic(weight, source - first);
    for (int i = 0; i < 4; i++) {
        const double place = fmin(fmax(first - 1.0 + i, 0.0), (double)in - 1.0);

        index[i] = (size_t)place;
    }
}

void mae_pos_embed_resize(float *out, size_t out_h, size_t out_w, const float *in,
                          size_t in_h, size_t in_w, size_t width)
{
    size_t rows[4], cols[4];
    double wr[4], wc[4];

    memcpy(out, in, width * sizeof *out);
    in += width;
    for (size_t r = 0; r < out_h; r++) {
        taps(rows, wr, r, out_h, in_h);
        for (size_t c = 0; c < out_w; c++) {
            out += width;
            taps(cols, wc, c, out_w, in_w);
            for (size_t d = 0; d < width; d++) {
                double sum = 0.0;

                for (size_t i = 0; i < 16; i++)
                    sum += wr[i / 4] * wc[i % 4] *
                           (double)in[(rows[i / 4] * in_w + cols[i % 4]) * width + d];
                out[d] = (float)sum;
            }
        }
    }
}
