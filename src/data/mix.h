/**
 * @file mix.h
 * Mixup and cutmix: a batch is mixed with itself in reverse order, images and targets.
 *
 *   lam ~ Beta(alpha, alpha), one for the batch
 *   mixup   x[b] = lam x[b] + (1 - lam) x[B-1-b]
 *   cutmix  a box of about (1 - lam) of the area, its centre uniform over the pixels and
 *           clipped at the borders, is exchanged between x[b] and x[B-1-b]; lam becomes
 *           the share of the area outside of the box
 *   both    t[b] = lam t[b] + (1 - lam) t[B-1-b]
 *
 * Of an odd batch the image in the middle stays as it is. Numbers come from the stream
 * (seed, epoch, index of the batch, MAE_RNG_MIX).
 *
 * Source   Zhang et al. 2018, arXiv:1710.09412; Yun et al. 2019, arXiv:1905.04899; timm
 *          data/mixup.py in mode "batch", which fine-tuning of MAE uses with mixup 0.8,
 *          cutmix 1.0, prob 1, switch_prob 0.5.
 * Shapes   images [B,C,H,W], targets [B,K].
 * Memory   Never allocates.
 * Errors   Cannot fail.
 * Threads  Reentrant; images are mixed on the pool, a pair to a tile, so results are
 *          bitwise the same for any number of threads.
 */
#ifndef MAE_DATA_MIX_H
#define MAE_DATA_MIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "image/image.h"

/** How batches are mixed; all zero: not at all. */
typedef struct MaeMixRule {
    double mixup, cutmix; /* alpha, 1e-6 or more; 0: this kind is not used */
    double prob;          /* of mixing a batch at all */
    double switch_prob;   /* of cutmix where both kinds are used */
} MaeMixRule;

/** What happens to one batch. */
typedef struct MaeMix {
    double lam; /* share of an image's own content, 0 .. 1; 1: nothing is mixed */
    MaeBox box; /* cutmix: what is exchanged; zero: mixup */
} MaeMix;

/** Draw for batch @p index of @p epoch. @param height, width of the images. */
MaeMix mae_mix_draw(const MaeMixRule *rule, uint64_t seed, uint32_t epoch, size_t index,
                    size_t height, size_t width);

/** Mix images [B,C,H,W] in place. */
void mae_mix_images(const MaeMix *mix, MaePool *pool, float *images, size_t batch,
                    size_t channels, size_t height, size_t width);

/** Mix targets [B,K] in place. */
void mae_mix_targets(const MaeMix *mix, float *targets, size_t batch, size_t classes);

#endif /* MAE_DATA_MIX_H */
