#include "eval/yardstick.h"

#include <math.h>
#include <stdlib.h>

#include "eval/moments.h"

MaeStatus mae_yardstick_open(MaeYardstick *y, const MaePatchGrid *grid, bool norm_pix,
                             MaeError *err)
{
    size_t count;

    *y = (MaeYardstick){.grid = *grid, .norm_pix = norm_pix};
    MAE_TRY(mae_patch_grid_check(grid, err));
    count = mae_patch_count(grid);
    y->mean = calloc(count, sizeof *y->mean);
    y->std = calloc(count, sizeof *y->std);
    if (y->mean == NULL || y->std == NULL) {
        mae_yardstick_close(y);
        MAE_FAIL(err, MAE_ERR_NOMEM,
                 "yardstick: no memory for the moments of %zu patches", count);
    }
    return MAE_OK;
}

void mae_yardstick_close(MaeYardstick *y)
{
    if (y == NULL)
        return;
    free(y->mean);
    free(y->std);
    y->mean = y->std = NULL;
}

/* Sums of one channel of the target over visible or hidden patches. */
typedef struct ChannelSums {
    double count, sum, squares;
} ChannelSums;

static void add_patch(ChannelSums *sums, const float *corner, const MaePatchGrid *grid,
                      double mean, double std)
{
    for (size_t i = 0; i < grid->patch; i++)
        for (size_t j = 0; j < grid->patch; j++) {
            const double t = ((double)corner[i * grid->width + j] - mean) / std;

            sums->sum += t;
            sums->squares += t * t;
        }
    sums->count += (double)(grid->patch * grid->patch);
}

/* Squared error of the visible mean, summed over one channel of all hidden patches. */
static double channel_error(const MaeYardstick *y, const float *plane,
                            const unsigned char *mask)
{
    const size_t patches = mae_patch_count(&y->grid);
    ChannelSums visible = {0}, hidden = {0};
    double guess;

    for (size_t l = 0; l < patches; l++)
        add_patch(mask[l] != 0 ? &hidden : &visible,
                  plane + mae_patch_offset(&y->grid, l), &y->grid,
                  y->norm_pix ? y->mean[l] : 0.0, y->norm_pix ? y->std[l] : 1.0);
    guess = visible.count > 0.0 ? visible.sum / visible.count : 0.0;
    return hidden.squares - 2.0 * guess * hidden.sum + hidden.count * guess * guess;
}

/* Mean over a patch of (target - its mean)^2, from the unbiased variance. */
static double patch_mean_loss(const MaeYardstick *y, size_t l)
{
    const double values = (double)mae_patch_values(&y->grid);
    const double squared = y->std[l] * y->std[l];
    const double biased = (squared - MAE_MOMENTS_EPS) * (values - 1.0) / values;

    return y->norm_pix ? biased / squared : biased;
}

void mae_yardstick_add(MaeYardstick *y, const float *image, const unsigned char *mask)
{
    const size_t patches = mae_patch_count(&y->grid);
    const size_t plane = y->grid.height * y->grid.width;
    double error = 0.0;

    mae_moments_measure(y->mean, y->std, image, &y->grid);
    for (size_t l = 0; l < patches; l++) {
        if (mask[l] == 0)
            continue;
        y->patch_mean_sum += patch_mean_loss(y, l);
        y->hidden++;
    }
    for (size_t c = 0; c < y->grid.channels; c++)
        error += channel_error(y, image + c * plane, mask);
    y->visible_mean_sum += error / (double)mae_patch_values(&y->grid);
}

static double mean_loss(double sum, uint64_t hidden)
{
    return hidden > 0 ? sum / (double)hidden : (double)NAN;
}

double mae_yardstick_patch_mean(const MaeYardstick *y)
{
    return mean_loss(y->patch_mean_sum, y->hidden);
}

double mae_yardstick_visible_mean(const MaeYardstick *y)
{
    return mean_loss(y->visible_mean_sum, y->hidden);
}
