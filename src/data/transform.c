#include "data/transform.h"

#include "data/erasing.h"
#include "data/jitter.h"
#include "data/randaugment.h"
#include "image/affine.h"
#include <assert.h>
#include <math.h>

void mae_transform_scratch_done(MaeTransformScratch *scratch)
{
    if (scratch == NULL)
        return;
    mae_resizer_done(&scratch->resizer);
    mae_image_done(&scratch->pixels);
    mae_image_done(&scratch->spare);
}

MaeTransform mae_transform_default(size_t channels, size_t out_h, size_t out_w,
                                   MaeAugment augment)
{
    return (MaeTransform){
        .out_h = out_h,
        .out_w = out_w,
        .channels = channels,
        .augment = augment,
        .crop_scale = {0.2, 1.0},
        .crop_ratio = {3.0 / 4.0, 4.0 / 3.0},
        .eval_crop = 0.875,
    };
}

bool mae_transform_recolours(const MaeTransform *t)
{
    return t->policy.layers > 0 || t->jitter > 0.0;
}

static MaeStatus check_changes(const MaeTransform *t, MaeError *err)
{
    if (!(t->jitter >= 0.0 && t->jitter <= 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "transform: jitter %g, expected 0 <= x <= 1",
                 t->jitter);
    if (!(t->erasing >= 0.0 && t->erasing <= 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "transform: erasing %g, expected 0 <= x <= 1",
                 t->erasing);
    if (mae_transform_recolours(t) && t->channels != 1 && t->channels != 3)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "transform: rand_augment and color_jitter are for 1 or 3 channels, the "
                 "images have %zu",
                 t->channels);
    if (t->augment == MAE_AUGMENT_EVAL && (mae_transform_recolours(t) || t->erasing > 0))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "transform: rand_augment, color_jitter and erasing are for training, "
                 "not for evaluation");
    return MAE_OK;
}

MaeStatus mae_transform_check(const MaeTransform *t, MaeError *err)
{
    const double *scale = t->crop_scale, *ratio = t->crop_ratio;

    if (t->out_h == 0 || t->out_w == 0 || t->channels == 0 || t->out_h > 1u << 16 ||
        t->out_w > 1u << 16)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "transform: output [%zu,%zu,%zu], expected 1 channel or more and sides "
                 "of 1 to 65536",
                 t->channels, t->out_h, t->out_w);
    if (!(scale[0] > 0.0 && scale[0] <= scale[1] && scale[1] <= 1.0))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "transform: crop_scale %g .. %g, expected 0 < low <= high <= 1",
                 scale[0], scale[1]);
    if (!(ratio[0] > 0.0 && ratio[0] <= ratio[1] && isfinite(ratio[1])))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "transform: crop_ratio %g .. %g, expected 0 < low <= high", ratio[0],
                 ratio[1]);
    if (!(t->eval_crop > 0.0 && t->eval_crop <= 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "transform: eval_crop %g, expected 0 < x <= 1",
                 t->eval_crop);
    for (size_t c = 0; t->std != NULL && c < t->channels; c++) {
        if (!(t->std[c] > 0.0f && isfinite(t->std[c])))
            MAE_FAIL(err, MAE_ERR_ARG,
                     "transform: std of channel %zu is %g, expected > 0", c,
                     (double)t->std[c]);
    }
    return check_changes(t, err);
}

static double uniform(MaeRng *rng, double low, double high)
{
    return low + (high - low) * mae_rng_double(rng);
}

/* Sides are rounded half to even, as Python does. */
static MaeBox central_box(double height, double width, const double ratio[2])
{
    const double low = ratio[0], high = ratio[1];
    double h = height, w = width;

    if (width / height < low)
        h = rint(width / low);
    else if (width / height > high)
        w = rint(height * high);
    h = fmin(fmax(h, 1.0), height);
    w = fmin(fmax(w, 1.0), width);
    return (MaeBox){.top = (size_t)(height - h) / 2,
                    .left = (size_t)(width - w) / 2,
                    .height = (size_t)h,
                    .width = (size_t)w};
}

MaeBox mae_transform_random_box(size_t height, size_t width, const double scale[2],
                                const double ratio[2], MaeRng *rng)
{
    const double area = (double)height * (double)width;
    const double log_low = log(ratio[0]), log_high = log(ratio[1]);

    for (int i = 0; i < 10; i++) {
        const double target = area * uniform(rng, scale[0], scale[1]);
        const double aspect = exp(uniform(rng, log_low, log_high));
        const double w = rint(sqrt(target * aspect)), h = rint(sqrt(target / aspect));

        if (w >= 1.0 && w <= (double)width && h >= 1.0 && h <= (double)height) {
            MaeBox box = {.height = (size_t)h, .width = (size_t)w};

            box.top = (size_t)mae_rng_below(rng, height - box.height + 1);
            box.left = (size_t)mae_rng_below(rng, width - box.width + 1);
            return box;
        }
    }
    return central_box((double)height, (double)width, ratio);
}

/* Length of the short side at which a picture just covers [height,width]. */
static size_t covering_side(size_t picture_h, size_t picture_w, size_t height,
                            size_t width)
{
    const bool wide = picture_w >= picture_h;
    const size_t shorter = wide ? picture_h : picture_w;
    const size_t longer = wide ? picture_w : picture_h;
    const size_t need_short = wide ? height : width, need_long = wide ? width : height;
    const size_t by_long = (need_long * shorter + longer - 1) / longer;

    return need_short > by_long ? need_short : by_long;
}

/* What of a picture goes out. @param[out] rng stands behind the numbers of the box. */
static MaeStatus choose(MaeFrame *frame, const MaeTransform *t, size_t height,
                        size_t width, MaeDraw draw, MaeRng *rng, MaeError *err)
{
    const double crop = t->augment == MAE_AUGMENT_EVAL ? t->eval_crop : 1.0;
    MaeBox box = {0, 0, height, width};

    mae_rng_init(rng, draw.seed, draw.epoch, draw.sample, MAE_RNG_CROP);
    if (height == 0 || width == 0)
        MAE_FAIL(err, MAE_ERR_SHAPE, "transform: image of [%zu,%zu] pixels", height,
                 width);
    if (t->augment != MAE_AUGMENT_CROP_FLIP && (height != t->out_h || width != t->out_w))
        return mae_frame_center(frame, height, width,
                                covering_side(height, width,
                                              (size_t)((double)t->out_h / crop),
                                              (size_t)((double)t->out_w / crop)),
                                t->out_h, t->out_w, err);
    if (t->augment == MAE_AUGMENT_CROP_FLIP)
        box = mae_transform_random_box(height, width, t->crop_scale, t->crop_ratio, rng);
    *frame = mae_frame_crop(box, t->out_h, t->out_w);
    return MAE_OK;
}

MaePart mae_transform_part(const MaeTransform *t, size_t height, size_t width,
                           MaeDraw draw)
{
    const bool shrink = t->scaled_decode && t->augment != MAE_AUGMENT_EVAL;
    MaeFrame frame;
    MaeRng rng;

    if (choose(&frame, t, height, width, draw, &rng, NULL) != MAE_OK)
        return (MaePart){{0, 0, height, width}, 1}; /* apply will say why */
    return mae_frame_part(&frame, shrink ? mae_frame_shrink(&frame) : 1, MAE_BICUBIC);
}

/* The mean as a colour. */
static void fill_of(uint8_t fill[MAE_AFFINE_CHANNELS], const MaeTransform *t)
{
    assert(t->channels <= MAE_AFFINE_CHANNELS);
    for (size_t c = 0; c < t->channels; c++) {
        const double mean = t->mean != NULL ? (double)t->mean[c] : 0.0;

        fill[c] = (uint8_t)fmin(fmax(rint(255.0 * mean), 0.0), 255.0);
    }
}

static MaeStatus recolour(const MaeTransform *t, MaeTransformScratch *scratch,
                          MaeDraw draw, MaeError *err)
{
    uint8_t fill[MAE_AFFINE_CHANNELS];
    MaeRandStep steps[MAE_POLICY_LAYERS];
    size_t count;
    MaeRng rng;

    mae_rng_init(&rng, draw.seed, draw.epoch, draw.sample, MAE_RNG_AUGMENT);
    if (t->policy.layers == 0) {
        const MaeJitter jitter = mae_jitter_draw(t->jitter, &rng);

        mae_jitter_apply(&scratch->pixels, &jitter);
        return MAE_OK;
    }
    fill_of(fill, t);
    count = mae_randaugment_draw(steps, &t->policy, &rng);
    for (size_t i = 0; i < count; i++)
        MAE_TRY(mae_randaugment_apply(&scratch->pixels, &scratch->spare, &steps[i], fill,
                                      err));
    return MAE_OK;
}

/* Pixels that are changed before they are normalised. */
static MaeStatus recoloured(const MaeTransform *t, float *out, const MaeImage *img,
                            const MaeFrame *frame, MaeNormal normal,
                            MaeTransformScratch *scratch, MaeDraw draw, MaeError *err)
{
    MaeFrame whole;

    if (img->type == MAE_PIXEL_F32)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "transform: rand_augment and color_jitter need 8-bit or 16-bit pixels, "
                 "found floats");
    MAE_TRY(mae_image_resize(&scratch->pixels, img, frame, MAE_BICUBIC, &scratch->resizer,
                             err));
    MAE_TRY(mae_image_to_u8(&scratch->pixels, err));
    MAE_TRY(recolour(t, scratch, draw, err));
    whole = mae_frame_crop(mae_image_box(&scratch->pixels), t->out_h, t->out_w);
    return mae_image_tensor(out, &scratch->pixels, &whole, normal, MAE_BICUBIC,
                            &scratch->resizer, err);
}

static void erase(const MaeTransform *t, float *out, MaeDraw draw)
{
    MaeBox box;
    MaeRng rng;

    mae_rng_init(&rng, draw.seed, draw.epoch, draw.sample, MAE_RNG_ERASE);
    if (mae_erasing_draw(&box, t->erasing, t->out_h, t->out_w, &rng))
        mae_erasing_apply(out, t->channels, t->out_h, t->out_w, &box, &rng);
}

MaeStatus mae_transform_apply(const MaeTransform *t, float *out, const MaeImage *img,
                              MaeTransformScratch *scratch, MaeDraw draw, MaeError *err)
{
    const MaeNormal normal = {.mean = t->mean, .std = t->std};
    MaeFrame frame;
    MaeRng rng;

    if (img->channels != t->channels)
        MAE_FAIL(err, MAE_ERR_SHAPE, "transform: expected %zu channels, found %zu",
                 t->channels, img->channels);
    MAE_TRY(choose(&frame, t, img->picture.height, img->picture.width, draw, &rng, err));
    if (t->augment == MAE_AUGMENT_FLIP || t->augment == MAE_AUGMENT_CROP_FLIP)
        frame.mirror = mae_rng_float(&rng) < 0.5f;
    if (mae_transform_recolours(t))
        MAE_TRY(recoloured(t, out, img, &frame, normal, scratch, draw, err));
    else
        MAE_TRY(mae_image_tensor(out, img, &frame, normal, MAE_BICUBIC, &scratch->resizer,
                                 err));
    if (t->erasing > 0.0)
        erase(t, out, draw);
    return MAE_OK;
}
