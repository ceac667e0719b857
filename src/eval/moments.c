#include "eval/moments.h"

#include <math.h>
#include <stdbool.h>

/* Sum of (x - shift)^power over one patch, power 1 or 2. */
static double patch_sum(const float *corner, const MaePatchGrid *grid, double shift,
                        bool squared)
{
    const size_t plane = grid->height * grid->width;
    double sum = 0.0;

    for (size_t c = 0; c < grid->channels; c++)
        for (size_t i = 0; i < grid->patch; i++) {
            const float *row = corner + c * plane + i * grid->width;

            for (size_t j = 0; j < grid->patch; j++) {
                const double x = (double)row[j] - shift;

                sum += squared ? x * x : x;
            }
        }
    return sum;
}

void mae_moments_measure(double *mean, double *std, const float *image,
                         const MaePatchGrid *grid)
{
    const size_t count = mae_patch_count(grid), values = mae_patch_values(grid);
    /* A single value has no unbiased variance; 0 keeps the target finite. */
    const double unbiased = values > 1 ? (double)(values - 1) : 1.0;

    for (size_t l = 0; l < count; l++) {
        const float *corner = image + mae_patch_offset(grid, l);

        mean[l] = patch_sum(corner, grid, 0.0, false) / (double)values;
        std[l] =
            sqrt(patch_sum(corner, grid, mean[l], true) / unbiased + MAE_MOMENTS_EPS);
    }
}

void mae_moments_estimate(double *mean, double *std, const unsigned char *mask,
                          const MaePatchGrid *grid)
{
    const size_t count = mae_patch_count(grid), columns = mae_patch_columns(grid);

    for (size_t l = 0; l < count; l++) {
        double weight_sum = 0.0, mean_sum = 0.0, std_sum = 0.0;

        if (mask[l] == 0)
            continue;
        for (size_t v = 0; v < count; v++) {
            const double dy = (double)(l / columns) - (double)(v / columns);
            const double dx = (double)(l % columns) - (double)(v % columns);
            double weight;

            if (mask[v] != 0)
                continue;
            weight = 1.0 / (dy * dy + dx * dx);
            weight_sum += weight;
            mean_sum += weight * mean[v];
            std_sum += weight * std[v];
        }
        mean[l] = weight_sum > 0.0 ? mean_sum / weight_sum : 0.0;
        std[l] = weight_sum > 0.0 ? std_sum / weight_sum : 1.0;
    }
}
