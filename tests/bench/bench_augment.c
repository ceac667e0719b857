/*
 * What augmentation costs for an image of 224 x 224 and of 32 x 32, one thread: the
 * transform without it (random crop of a picture somewhat larger, flip, normalisation),
 * with rand-m9-mstd0.5-inc1, with erasing at probability 1/4, with both, with color
 * jitter; then each operation of the policy alone.
 *
 * Prints one JSON line: microseconds of processor time an image, best and median of
 * ROUNDS passes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "data/randaugment.h"
#include "data/transform.h"
#include "support/photo.h"

enum { ROUNDS = 7, VARIANTS = 5 };

static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
static const uint8_t fill[3] = {124, 116, 104};

static void need(MaeStatus status, const MaeError *err)
{
    if (status == MAE_OK)
        return;
    fprintf(stderr, "bench_augment: %s\n", err->msg);
    exit(EXIT_FAILURE);
}

/* Processor time: others on the machine count less. */
static double seconds_used(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void print(const char *name, double seconds[ROUNDS], size_t images)
{
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    printf(", \"%s_us\": {\"min\": %.2f, \"median\": %.2f}", name,
           1e6 * seconds[0] / (double)images, 1e6 * seconds[ROUNDS / 2] / (double)images);
}

static MaeImage photo(size_t side)
{
    MaeImage img = {0};
    MaeError err = {0};

    need(mae_image_reshape(&img, side, side, 3, MAE_PIXEL_U8, &err), &err);
    mae_test_photo(img.data, side, side, 1);
    return img;
}

static double run_transform(const MaeTransform *t, const MaeImage *img, float *out,
                            MaeTransformScratch *scratch, size_t images)
{
    const double start = seconds_used();
    MaeError err = {0};

    for (size_t i = 0; i < images; i++)
        need(mae_transform_apply(t, out, img, scratch, (MaeDraw){.sample = i}, &err),
             &err);
    return seconds_used() - start;
}

/* The variants take turns, so that a busy moment does not hit one of them alone. */
static void measure_transform(size_t side, size_t images)
{
    static const char *const names[VARIANTS] = {"plain", "policy", "erasing",
                                                "policy_erasing", "jitter"};
    float *out = malloc(3 * side * side * sizeof *out);
    MaeImage img = photo(side * 8 / 7);
    MaeTransformScratch scratch = {0};
    double seconds[VARIANTS][ROUNDS];
    MaeTransform t[VARIANTS];
    MaeError err = {0};

    for (size_t v = 0; v < VARIANTS; v++) {
        t[v] = mae_transform_default(3, side, side, MAE_AUGMENT_CROP_FLIP);
        t[v].mean = mean;
        t[v].std = std;
        t[v].erasing = v == 2 || v == 3 ? 0.25 : 0.0;
        t[v].jitter = v == 4 ? 0.4 : 0.0;
    }
    need(mae_policy_parse(&t[1].policy, "rand-m9-mstd0.5-inc1", &err), &err);
    t[3].policy = t[1].policy;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t v = 0; v < VARIANTS; v++)
            seconds[v][round] = run_transform(&t[v], &img, out, &scratch, images);
    }
    printf("{\"bench\": \"augment\", \"threads\": 1, \"side\": %zu, \"images\": %zu",
           side, images);
    for (size_t v = 0; v < VARIANTS; v++)
        print(names[v], seconds[v], images);
    mae_transform_scratch_done(&scratch);
    mae_image_done(&img);
    free(out);
}

static double run_step(MaeImage *img, MaeImage *spare, MaeRandOp op, MaeFilter filter,
                       size_t images)
{
    const double start = seconds_used();
    MaeError err = {0};

    for (size_t i = 0; i < images; i++) {
        const MaeRandStep step = {op, mae_randaugment_arg(op, 0.9, true, i % 2 == 0),
                                  filter};

        need(mae_randaugment_apply(img, spare, &step, fill, &err), &err);
    }
    return seconds_used() - start;
}

static void measure_step(const char *name, MaeRandOp op, MaeFilter filter, size_t side,
                         size_t images)
{
    MaeImage img = photo(side), spare = {0};
    double seconds[ROUNDS];

    for (size_t round = 0; round < ROUNDS; round++)
        seconds[round] = run_step(&img, &spare, op, filter, images);
    print(name, seconds, images);
    mae_image_done(&img);
    mae_image_done(&spare);
}

static void measure_steps(size_t side, size_t images)
{
    static const char *const names[] = {
        "autocontrast", "equalize",     "invert",     "rotate",      "posterize",
        "solarize",     "solarize_add", "saturation", "contrast",    "brightness",
        "sharpness",    "shear_x",      "shear_y",    "translate_x", "translate_y"};

    for (size_t op = 0; op < MAE_RAND_OPS; op++)
        measure_step(names[op], (MaeRandOp)op, MAE_BICUBIC, side, images);
    measure_step("rotate_bilinear", MAE_RAND_ROTATE, MAE_BILINEAR, side, images);
    printf("}\n");
}

int main(void)
{
    measure_transform(224, 300);
    measure_steps(224, 50);
    measure_transform(32, 6000);
    measure_steps(32, 2000);
    return 0;
}
