#include "model/pixel_loss.h"

#include <math.h>

#include "kernel/rows.h"

/* Sums side by side, so that an addition need not wait for the one before. */
#define LANES 8

static double total(const double lanes[LANES])
{
    double sum = 0.0;

    for (size_t i = 0; i < LANES; i++)
        sum += lanes[i];
    return sum;
}

static double sum_of(const float *x, size_t n)
{
    double lanes[LANES] = {0.0};

    for (size_t at = 0; at < n; at += LANES)
        for (size_t i = 0; i < LANES && at + i < n; i++)
            lanes[i] += (double)x[at + i];
    return total(lanes);
}

/* Sum of (x - mean)^2. */
static double squares_about(double mean, const float *x, size_t n)
{
    double lanes[LANES] = {0.0};

    for (size_t at = 0; at < n; at += LANES) {
        for (size_t i = 0; i < LANES && at + i < n; i++) {
            const double d = (double)x[at + i] - mean;

            lanes[i] += d * d;
        }
    }
    return total(lanes);
}

static void normalise(float *patch, size_t values)
{
    const double mean = sum_of(patch, values) / (double)values;
    /* A patch of one value has no variance. */
    const double var =
        values > 1 ? squares_about(mean, patch, values) / (double)(values - 1) : 0.0;
    const double factor = 1.0 / sqrt(var + MAE_NORM_PIX_EPS);

    for (size_t i = 0; i < values; i++)
        patch[i] = (float)(((double)patch[i] - mean) * factor);
}

void mae_pixel_target(float *target, const float *image, const MaePatchGrid *grid,
                      size_t patch, bool norm_pix)
{
    mae_patch_read(target, image, grid, patch);
    if (norm_pix)
        normalise(target, mae_patch_values(grid));
}

double mae_pixel_loss(float *diff, const float *pred, size_t values)
{
    mae_rows_axpy(diff, -1.0f, pred, values);
    return mae_rows_sumsq(diff, values) / (double)values;
}

void mae_pixel_loss_grad(float *diff, size_t values, double scale)
{
    mae_rows_scale(diff, (float)(-2.0 * scale / (double)values), values);
}
