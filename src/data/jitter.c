#include "data/jitter.h"

#include <math.h>

#include "image/colour.h"

MaeJitter mae_jitter_draw(double strength, MaeRng *rng)
{
    const double low = fmax(0.0, 1.0 - strength), high = 1.0 + strength;
    MaeJitter jitter;

    mae_rng_permute(rng, jitter.order, MAE_JITTERS);
    for (size_t i = 0; i < MAE_JITTERS; i++)
        jitter.factor[i] = low + (high - low) * mae_rng_double(rng);
    return jitter;
}

void mae_jitter_apply(MaeImage *img, const MaeJitter *jitter)
{
    static void (*const changes[MAE_JITTERS])(MaeImage *, float) = {
        [MAE_JITTER_BRIGHTNESS] = mae_colour_brightness,
        [MAE_JITTER_CONTRAST] = mae_colour_contrast,
        [MAE_JITTER_SATURATION] = mae_colour_saturation,
    };

    for (size_t i = 0; i < MAE_JITTERS; i++) {
        const size_t which = jitter->order[i];

        changes[which](img, (float)jitter->factor[which]);
    }
}
