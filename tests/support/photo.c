#include "support/photo.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

#define OCTAVES 8

/* Strength of the noise on a grid of 2^(i+1) pixels; lenses blur the finest. */
static const double strength[OCTAVES] = {0.35, 0.7, 1, 1, 1, 1, 1, 1};

static void *take(size_t bytes)
{
    void *data = malloc(bytes);

    if (data == NULL)
        abort();
    return data;
}

static double smooth(double t)
{
    return t * t * (3.0 - 2.0 * t);
}

/* Add noise on a grid of @p cell pixels to one plane. */
static void add_noise(float *plane, size_t height, size_t width, size_t cell,
                      double level, MaeRng *rng)
{
    const size_t columns = width / cell + 2, rows = height / cell + 2;
    double *grid = take(columns * rows * sizeof *grid);

    for (size_t i = 0; i < columns * rows; i++)
        grid[i] = level * (2.0 * mae_rng_double(rng) - 1.0);
    for (size_t y = 0; y < height; y++) {
        const double v = smooth((double)(y % cell) / (double)cell);
        const double *above = grid + y / cell * columns, *below = above + columns;

        for (size_t x = 0; x < width; x++) {
            const double u = smooth((double)(x % cell) / (double)cell);
            const size_t i = x / cell;

            plane[y * width + x] +=
                (float)((1.0 - v) * ((1.0 - u) * above[i] + u * above[i + 1]) +
                        v * ((1.0 - u) * below[i] + u * below[i + 1]));
        }
    }
    free(grid);
}

static uint8_t level_of(float v)
{
    return (uint8_t)lrintf(fminf(fmaxf(v, 0.0f), 255.0f));
}

void mae_test_photo(uint8_t *rgb, size_t height, size_t width, uint64_t seed)
{
    const size_t pixels = height * width;
    float *planes[3]; /* brightness, blue and red difference */
    MaeRng rng;

    mae_rng_init(&rng, seed, 0, 0, MAE_RNG_TEST);
    for (size_t p = 0; p < 3; p++) {
        planes[p] = take(pixels * sizeof *planes[p]);
        for (size_t i = 0; i < pixels; i++)
            planes[p][i] = p == 0 ? 120.0f : 0.0f;
        for (size_t i = p == 0 ? 0 : 3; i < OCTAVES; i++)
            add_noise(planes[p], height, width, (size_t)2 << i,
                      (p == 0 ? 40.0 : 15.0) * strength[i], &rng);
    }
    for (size_t i = 0; i < pixels; i++, rgb += 3) {
        const float y = planes[0][i], cb = planes[1][i], cr = planes[2][i];

        rgb[0] = level_of(y + 1.402f * cr);
        rgb[1] = level_of(y - 0.344f * cb - 0.714f * cr);
        rgb[2] = level_of(y + 1.772f * cb);
    }
    for (size_t p = 0; p < 3; p++)
        free(planes[p]);
}
