#include "model/pixel_loss.h"

#include <math.h>
#include <string.h>

static void normalise(float *patch, size_t values)
{
    double sum = 0.0, sq = 0.0, mean, factor;

    for (size_t i = 0; i < values; i++)
        sum += (double)patch[i];
    mean = sum / (double)values;
    for (size_t i = 0; i < values; i++)
        sq += ((double)patch[i] - mean) * ((double)patch[i] - mean);
    /* A patch of one value has no variance. */
    factor =
        1.0 / sqrt((values > 1 ? sq / (double)(values - 1) : 0.0) + MAE_NORM_PIX_EPS);
    for (size_t i = 0; i < values; i++)
        patch[i] = (float)(((double)patch[i] - mean) * factor);
}

void mae_pixel_target(float *target, const float *image, const MaePatchGrid *grid,
                      bool norm_pix)
{
    const size_t patches = mae_patch_count(grid), values = mae_patch_values(grid);

    mae_patchify(target, image, grid);
    for (size_t l = 0; norm_pix && l < patches; l++)
        normalise(target + l * values, values);
}

double mae_pixel_loss(const float *pred, const float *target, const unsigned char *mask,
                      size_t patches, size_t values)
{
    double loss = 0.0;

    for (size_t l = 0; l < patches; l++, pred += values, target += values) {
        double sum = 0.0;

        for (size_t i = 0; mask[l] && i < values; i++) {
            const double diff = (double)pred[i] - (double)target[i];

            sum += diff * diff;
        }
        loss += sum / (double)values;
    }
    return loss;
}

void mae_pixel_loss_grad(float *dpred, const float *pred, const unsigned char *mask,
                         size_t patches, size_t values, double scale)
{
    const float factor = (float)(2.0 * scale / (double)values);

    for (size_t l = 0; l < patches; l++, dpred += values, pred += values) {
        if (!mask[l]) {
            memset(dpred, 0, values * sizeof *dpred);
            continue;
        }
        for (size_t i = 0; i < values; i++)
            dpred[i] = factor * (pred[i] - dpred[i]);
    }
}
