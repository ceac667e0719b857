#include "data/mix.h"

#include <math.h>
#include <stdbool.h>

#include "base/rng.h"

/* Where a side of @p length pixels is cut: @p cut pixels around a uniform centre. */
static void cut_side(MaeRng *rng, size_t length, size_t cut, size_t *begin, size_t *size)
{
    const size_t centre = (size_t)mae_rng_below(rng, length), half = cut / 2;
    const size_t end = centre + half < length ? centre + half : length;

    *begin = centre > half ? centre - half : 0;
    *size = end - *begin;
}

static void draw_box(MaeMix *mix, MaeRng *rng, size_t height, size_t width)
{
    const double ratio = sqrt(1.0 - mix->lam);
    MaeBox *box = &mix->box;

    cut_side(rng, height, (size_t)((double)height * ratio), &box->top, &box->height);
    cut_side(rng, width, (size_t)((double)width * ratio), &box->left, &box->width);
    mix->lam = 1.0 - (double)(box->height * box->width) / (double)(height * width);
}

MaeMix mae_mix_draw(const MaeMixRule *rule, uint64_t seed, uint32_t epoch, size_t index,
                    size_t height, size_t width)
{
    const bool both = rule->mixup > 0.0 && rule->cutmix > 0.0;
    bool cut = rule->cutmix > 0.0;
    MaeMix mix = {.lam = 1.0};
    double alpha;
    MaeRng rng;

    mae_rng_init(&rng, seed, epoch, index, MAE_RNG_MIX);
    if ((rule->mixup <= 0.0 && !cut) || mae_rng_double(&rng) >= rule->prob)
        return mix;
    if (both)
        cut = mae_rng_double(&rng) < rule->switch_prob;
    alpha = cut ? rule->cutmix : rule->mixup;
    mix.lam = mae_rng_beta(&rng, alpha, alpha);
    if (cut)
        draw_box(&mix, &rng, height, width);
    return mix;
}

/* Mix two rows with each other. */
static void blend(float *a, float *b, float lam, float rest, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float of_a = a[i], of_b = b[i];

        a[i] = of_a * lam + of_b * rest;
        b[i] = of_b * lam + of_a * rest;
    }
}

static void exchange(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float of_a = a[i];

        a[i] = b[i];
        b[i] = of_a;
    }
}

typedef struct Job {
    const MaeMix *mix;
    float *images;
    size_t batch, channels, height, width;
} Job;

static void mix_pair(void *ctx, size_t index, size_t thread)
{
    const Job *job = ctx;
    const MaeBox *box = &job->mix->box;
    const size_t plane = job->height * job->width, size = job->channels * plane;
    float *a = job->images + index * size;
    float *b = job->images + (job->batch - 1 - index) * size;

    (void)thread;
    if (box->height == 0) {
        blend(a, b, (float)job->mix->lam, (float)(1.0 - job->mix->lam), size);
        return;
    }
    for (size_t c = 0; c < job->channels; c++) {
        for (size_t y = box->top; y < box->top + box->height; y++) {
            const size_t at = c * plane + y * job->width + box->left;

            exchange(a + at, b + at, box->width);
        }
    }
}

void mae_mix_images(const MaeMix *mix, MaePool *pool, float *images, size_t batch,
                    size_t channels, size_t height, size_t width)
{
    Job job = {mix, images, batch, channels, height, width};

    if (mix->lam < 1.0)
        mae_pool_run(pool, batch / 2, mix_pair, &job);
}

void mae_mix_targets(const MaeMix *mix, float *targets, size_t batch, size_t classes)
{
    const float lam = (float)mix->lam, rest = (float)(1.0 - mix->lam);

    if (mix->lam >= 1.0)
        return;
    for (size_t b = 0; b < batch / 2; b++)
        blend(targets + b * classes, targets + (batch - 1 - b) * classes, lam, rest,
              classes);
}
