/**
 * @file jitter.h
 * Color jitter: brightness, contrast and saturation, each by a factor uniform between
 * max(0, 1 - strength) and 1 + strength, in random order.
 *
 * Source   torchvision ColorJitter(strength, strength, strength) on Pillow images.
 * Shapes   U8 [H,W,1] or [H,W,3]; saturation leaves grey images alone.
 * Memory   In place, nothing is allocated.
 * Errors   Cannot fail.
 * Threads  Reentrant.
 */
#ifndef MAE_DATA_JITTER_H
#define MAE_DATA_JITTER_H

#include "base/rng.h"
#include "image/image.h"

enum { MAE_JITTER_BRIGHTNESS, MAE_JITTER_CONTRAST, MAE_JITTER_SATURATION, MAE_JITTERS };

/** What is done to an image. */
typedef struct MaeJitter {
    double factor[MAE_JITTERS];
    size_t order[MAE_JITTERS]; /* which comes first */
} MaeJitter;

/** @param strength from 0 on. */
MaeJitter mae_jitter_draw(double strength, MaeRng *rng);

void mae_jitter_apply(MaeImage *img, const MaeJitter *jitter);

#endif /* MAE_DATA_JITTER_H */
