/**
 * @file transform.h
 * From a decoded image to the model's input: crop, resize, flip, change, normalise,
 * erase.
 *
 *   none       scaled until it just covers the output, the centre is cropped
 *   flip       none, then mirrored with probability 1/2
 *   crop_flip  RandomResizedCrop, then mirrored with probability 1/2
 *   eval       scaled until it just covers int(out / eval_crop), the centre cropped
 * With none, flip and eval an image that already has the output size is not resampled.
 * The box depends on the picture's size and the draw only, so it is chosen before pixels
 * are decoded. A JPEG decoded for its box alone gives the bits of a full decode.
 *
 * scaled_decode lets JPEGs be decoded at 1/2, 1/4 or 1/8 where the box is then at least
 * as large as its result; never in eval. Pixels then differ from those of a full decode:
 * on pictures with the spectrum of photographs by 0.7 levels of 255 on average at 1/2,
 * 1.4 at 1/4, 3.8 at 1/8, by 10, 16, 24 at most (tests allow 1, 2, 5 and 15, 25, 40).
 *
 * Training may also change what was cropped and flipped, while pixels are 8-bit: by a
 * RandAugment policy, or else by color jitter; and erase a part of the normalised image.
 * Those are defined on 8 bits: 16-bit images are resized as they are and then brought
 * down to 8 bits (mae_image_to_u8).
 * Order and fill colour (the mean) are timm's. Without these, everything is one pass.
 *
 * Source   torchvision RandomResizedCrop.get_params, Resize, CenterCrop; bicubic with
 *          antialiasing as Pillow. MAE: scale 0.2..1, eval_crop 224/256. timm
 *          transforms_factory.py, transforms_imagenet_train.
 * Shapes   Output float [C,H,W].
 * Units    (u8/255 | u16/65535 | f32 - mean) / std.
 * Random   Only from the streams (seed, epoch, sample) of MAE_RNG_CROP, .._AUGMENT and
 *          .._ERASE.
 * Memory   Only the scratch grows.
 * Threads  A transform is read-only; scratch and image belong to one thread.
 */
#ifndef MAE_DATA_TRANSFORM_H
#define MAE_DATA_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/status.h"
#include "conf/policy.h"
#include "image/image.h"
#include "image/resize.h"

typedef enum MaeAugment {
    MAE_AUGMENT_NONE = 0,
    MAE_AUGMENT_FLIP,
    MAE_AUGMENT_CROP_FLIP,
    MAE_AUGMENT_EVAL,
} MaeAugment;

typedef struct MaeTransform {
    size_t out_h, out_w, channels;
    MaeAugment augment;
    double crop_scale[2]; /* area of a random crop, default 0.2 .. 1 */
    double crop_ratio[2]; /* its width / height, default 3/4 .. 4/3 */
    double eval_crop;     /* 0 < x <= 1, default 0.875 */
    bool scaled_decode;   /* default false */
    MaePolicy policy;     /* RandAugment; default none */
    double jitter;        /* strength of color jitter, 0 .. 1; default 0 */
    double erasing;       /* probability, 0 .. 1; default 0 */
    const float *mean;    /* [C], borrowed; NULL: 0 */
    const float *std;     /* [C], borrowed; NULL: 1 */
} MaeTransform;

/** Scratch memory of a thread, reused. Zero-initialised is ready for use. */
typedef struct MaeTransformScratch {
    MaeResizer resizer;
    MaeImage pixels, spare; /* only of policies and jitter: between crop and tensor */
} MaeTransformScratch;

/** Where a sample's random numbers come from. */
typedef struct MaeDraw {
    uint64_t seed;
    uint32_t epoch;
    uint64_t sample;
} MaeDraw;

/** Defaults above for an output of [C,H,W]; mean and std NULL. */
MaeTransform mae_transform_default(size_t channels, size_t out_h, size_t out_w,
                                   MaeAugment augment);

/** Free the scratch memory; NULL and empty are fine. */
void mae_transform_scratch_done(MaeTransformScratch *scratch);

/** True if a policy or jitter changes 8-bit pixels. */
bool mae_transform_recolours(const MaeTransform *t);

/**
 * ARG if a field is out of range (named in the message); policy, jitter and erasing are
 * not for eval, the first two only for 1 and 3 channels.
 */
MaeStatus mae_transform_check(const MaeTransform *t, MaeError *err);

/** What of a picture [H,W] the transform looks at, for a MaeChooser. */
MaePart mae_transform_part(const MaeTransform *t, size_t height, size_t width,
                           MaeDraw draw);

/**
 * @param[out] out [C,H,W].  @param img the whole picture or what mae_transform_part asks
 * for.  @param scratch one per thread; it grows to the largest image seen.
 * @return SHAPE if the image has other than t->channels channels; FORMAT if a policy or
 * jitter meets floats; NOMEM.
 */
MaeStatus mae_transform_apply(const MaeTransform *t, float *out, const MaeImage *img,
                              MaeTransformScratch *scratch, MaeDraw draw, MaeError *err);

/**
 * Box of a random crop of an image [H,W]: up to 10 tries with area and log(ratio)
 * uniform, then the largest central box whose ratio is allowed.
 */
MaeBox mae_transform_random_box(size_t height, size_t width, const double scale[2],
                                const double ratio[2], MaeRng *rng);

#endif /* MAE_DATA_TRANSFORM_H */
