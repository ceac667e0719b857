#include "data/erasing.h"

#include <math.h>

static const double min_area = 0.02, max_area = 1.0 / 3.0, min_aspect = 0.3;

bool mae_erasing_draw(MaeBox *box, double probability, size_t height, size_t width,
                      MaeRng *rng)
{
    const double whole = (double)height * (double)width;

    if (mae_rng_double(rng) >= probability)
        return false;
    for (int i = 0; i < 10; i++) {
        const double share = min_area + (max_area - min_area) * mae_rng_double(rng);
        const double aspect = pow(min_aspect, 2.0 * mae_rng_double(rng) - 1.0);
        const size_t h = (size_t)rint(sqrt(share * whole * aspect));
        const size_t w = (size_t)rint(sqrt(share * whole / aspect));

        if (h < height && w < width) {
            *box = (MaeBox){.height = h, .width = w};
            box->top = (size_t)mae_rng_below(rng, height - h + 1);
            box->left = (size_t)mae_rng_below(rng, width - w + 1);
            return true;
        }
    }
    return false;
}

void mae_erasing_apply(float *chw, size_t channels, size_t height, size_t width,
                       const MaeBox *box, MaeRng *rng)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t y = 0; y < box->height; y++) {
            float *row = chw + (c * height + box->top + y) * width + box->left;

            for (size_t x = 0; x < box->width; x++)
                row[x] = (float)mae_rng_normal(rng);
        }
    }
}
