/**
 * @file randaugment.h
 * RandAugment: a few operations drawn at random change the colours or the geometry of an
 * image.
 *
 * Of the 15 operations below n are drawn, with repetition, and each is done with
 * probability p. Its magnitude M is m with normal noise of deviation mstd, clipped to
 * 0 .. mmax; with L = M / 10 it becomes the operation's argument:
 *
 *   rotate      +-30 L degrees             shear_x, shear_y          +-0.3 L
 *   posterize   int(4 L) bits kept         translate_x, translate_y  +-0.45 L of the side
 *   solarize    from min(256, int(256 L))  solarize_add              min(128, int(110 L))
 *   saturation, contrast, brightness, sharpness    factor 0.1 + 1.8 L
 * Increasing: posterize keeps 4 - int(4 L) bits, solarize begins at 256 - min(...), the
 * factors are max(0.1, 1 +- 0.9 L). Signs are even chances. Interpolation is
 * bicubic. What comes in from outside of the image has the fill colour.
 *
 * Source   Cubuk et al. 2019, arXiv:1909.13719; timm auto_augment.py (AugmentOp,
 *          rand_augment_transform, the functions *_level_to_arg). timm by itself draws
 *          bilinear or bicubic; MAE's fine-tuning (util/datasets.py) asks for bicubic.
 * Shapes   U8 [H,W,1] or [H,W,3].
 * Memory   The spare image grows to the size of the image.
 * Errors   NOMEM for the spare image.
 * Threads  Reentrant.
 */
#ifndef MAE_DATA_RANDAUGMENT_H
#define MAE_DATA_RANDAUGMENT_H

#include "base/rng.h"
#include "conf/policy.h"
#include "image/resize.h"

typedef enum MaeRandOp {
    MAE_RAND_AUTOCONTRAST,
    MAE_RAND_EQUALIZE,
    MAE_RAND_INVERT,
    MAE_RAND_ROTATE,
    MAE_RAND_POSTERIZE,
    MAE_RAND_SOLARIZE,
    MAE_RAND_SOLARIZE_ADD,
    MAE_RAND_SATURATION,
    MAE_RAND_CONTRAST,
    MAE_RAND_BRIGHTNESS,
    MAE_RAND_SHARPNESS,
    MAE_RAND_SHEAR_X,
    MAE_RAND_SHEAR_Y,
    MAE_RAND_TRANSLATE_X,
    MAE_RAND_TRANSLATE_Y,
    MAE_RAND_OPS
} MaeRandOp;

/** One operation that is done. */
typedef struct MaeRandStep {
    MaeRandOp op;
    double arg;       /* in the units above; 0 without one */
    MaeFilter filter; /* of a change of geometry */
} MaeRandStep;

/** The argument of an operation at level @p level = M / 10. @param negate its sign. */
double mae_randaugment_arg(MaeRandOp op, double level, bool increasing, bool negate);

/** What is done to an image. @param[out] steps what was drawn. @return their number. */
size_t mae_randaugment_draw(MaeRandStep steps[MAE_POLICY_LAYERS], const MaePolicy *policy,
                            MaeRng *rng);

/**
 * Do one operation.
 * @param spare overwritten; the two may exchange their buffers.
 * @param fill [C].
 * @return NOMEM.
 */
MaeStatus mae_randaugment_apply(MaeImage *img, MaeImage *spare, const MaeRandStep *step,
                                const uint8_t *fill, MaeError *err);

#endif /* MAE_DATA_RANDAUGMENT_H */
