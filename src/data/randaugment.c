#include "data/randaugment.h"

#include <assert.h>
#include <math.h>

#include "image/affine.h"
#include "image/colour.h"

double mae_randaugment_arg(MaeRandOp op, double level, bool increasing, bool negate)
{
    const double sign = negate ? -1.0 : 1.0;
    const double bits = trunc(4.0 * level), from = fmin(256.0, trunc(256.0 * level));

    switch (op) {
    case MAE_RAND_ROTATE:
        return sign * 30.0 * level;
    case MAE_RAND_POSTERIZE:
        return increasing ? fmax(0.0, 4.0 - bits) : fmin(bits, 8.0);
    case MAE_RAND_SOLARIZE:
        return increasing ? 256.0 - from : from;
    case MAE_RAND_SOLARIZE_ADD:
        return fmin(128.0, trunc(110.0 * level));
    case MAE_RAND_SATURATION:
    case MAE_RAND_CONTRAST:
    case MAE_RAND_BRIGHTNESS:
    case MAE_RAND_SHARPNESS:
        return increasing ? fmax(0.1, 1.0 + sign * 0.9 * level) : 0.1 + 1.8 * level;
    case MAE_RAND_SHEAR_X:
    case MAE_RAND_SHEAR_Y:
        return sign * 0.3 * level;
    case MAE_RAND_TRANSLATE_X:
    case MAE_RAND_TRANSLATE_Y:
        return sign * 0.45 * level;
    case MAE_RAND_AUTOCONTRAST:
    case MAE_RAND_EQUALIZE:
    case MAE_RAND_INVERT:
    case MAE_RAND_OPS:
        break;
    }
    return 0.0;
}

static double draw_level(const MaePolicy *policy, MaeRng *rng)
{
    double magnitude = policy->magnitude;

    if (policy->uniform)
        magnitude *= mae_rng_double(rng);
    else if (policy->deviation > 0.0)
        magnitude += policy->deviation * mae_rng_normal(rng);
    return fmax(0.0, fmin(magnitude, policy->max_magnitude)) / 10.0;
}

size_t mae_randaugment_draw(MaeRandStep steps[MAE_POLICY_LAYERS], const MaePolicy *policy,
                            MaeRng *rng)
{
    size_t count = 0;

    assert(policy->layers <= MAE_POLICY_LAYERS);
    for (size_t i = 0; i < policy->layers; i++) {
        const MaeRandOp op = (MaeRandOp)mae_rng_below(rng, MAE_RAND_OPS);
        const bool done = mae_rng_double(rng) < policy->probability;
        const double level = draw_level(policy, rng);
        const bool negate = mae_rng_below(rng, 2) == 1;

        if (done)
            steps[count++] = (MaeRandStep){
                .op = op,
                .arg = mae_randaugment_arg(op, level, policy->increasing, negate),
                .filter = MAE_BICUBIC,
            };
    }
    return count;
}

static void swap(MaeImage *a, MaeImage *b)
{
    const MaeImage kept = *a;

    *a = *b;
    *b = kept;
}

static MaeStatus move_pixels(MaeImage *img, MaeImage *spare, const MaeAffine *from,
                             MaeFilter filter, const uint8_t *fill, MaeError *err)
{
    MAE_TRY(mae_affine_apply(spare, img, from, filter, fill, err));
    swap(img, spare);
    return MAE_OK;
}

static MaeStatus sharpen(MaeImage *img, MaeImage *spare, float factor, MaeError *err)
{
    MAE_TRY(mae_colour_sharpness(spare, img, factor, err));
    swap(img, spare);
    return MAE_OK;
}

/* @param[out] from where pixels come from. @return false: they stay where they are. */
static bool geometry(MaeAffine *from, const MaeImage *img, const MaeRandStep *step)
{
    switch (step->op) {
    case MAE_RAND_ROTATE:
        *from = mae_affine_rotation(step->arg, img->height, img->width);
        return true;
    case MAE_RAND_SHEAR_X:
        *from = mae_affine_shear(step->arg, 0.0);
        return true;
    case MAE_RAND_SHEAR_Y:
        *from = mae_affine_shear(0.0, step->arg);
        return true;
    case MAE_RAND_TRANSLATE_X:
        *from = mae_affine_translation(step->arg * (double)img->width, 0.0);
        return true;
    case MAE_RAND_TRANSLATE_Y:
        *from = mae_affine_translation(0.0, step->arg * (double)img->height);
        return true;
    default:
        return false;
    }
}

static void recolour(MaeImage *img, const MaeRandStep *step)
{
    switch (step->op) {
    case MAE_RAND_AUTOCONTRAST:
        mae_colour_autocontrast(img);
        break;
    case MAE_RAND_EQUALIZE:
        mae_colour_equalize(img);
        break;
    case MAE_RAND_INVERT:
        mae_colour_invert(img);
        break;
    case MAE_RAND_POSTERIZE:
        mae_colour_posterize(img, (unsigned)step->arg);
        break;
    case MAE_RAND_SOLARIZE:
        mae_colour_solarize(img, (unsigned)step->arg);
        break;
    case MAE_RAND_SOLARIZE_ADD:
        mae_colour_solarize_add(img, (unsigned)step->arg);
        break;
    case MAE_RAND_SATURATION:
        mae_colour_saturation(img, (float)step->arg);
        break;
    case MAE_RAND_CONTRAST:
        mae_colour_contrast(img, (float)step->arg);
        break;
    case MAE_RAND_BRIGHTNESS:
        mae_colour_brightness(img, (float)step->arg);
        break;
    default:
        break;
    }
}

MaeStatus mae_randaugment_apply(MaeImage *img, MaeImage *spare, const MaeRandStep *step,
                                const uint8_t *fill, MaeError *err)
{
    MaeAffine from;

    if (geometry(&from, img, step))
        return move_pixels(img, spare, &from, step->filter, fill, err);
    if (step->op == MAE_RAND_SHARPNESS)
        return sharpen(img, spare, (float)step->arg, err);
    recolour(img, step);
    return MAE_OK;
}
