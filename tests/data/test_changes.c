/* What a transform does to images beyond crop and flip. */
#include "data/transform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/erasing.h"
#include "data/fixture.h"
#include "data/jitter.h"
#include "data/randaugment.h"

static MaeTransformScratch scratch;
static MaeError err;

static void teardown(void)
{
    mae_transform_scratch_done(&scratch);
}

static float *apply(const MaeTransform *t, const MaeImage *img, MaeDraw draw)
{
    float *out = mae_test_alloc(1440 * sizeof *out);

    ck_assert_ok(mae_transform_apply(t, out, img, &scratch, draw, &err));
    return out;
}

/* A transform to [3,24,20] that changes all it can. */
static MaeTransform changing(void)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.3f, 0.2f};
    MaeTransform t = mae_transform_default(3, 24, 20, MAE_AUGMENT_CROP_FLIP);

    t.mean = mean;
    t.std = std;
    ck_assert_ok(mae_policy_parse(&t.policy, "rand-m9-mstd0.5-inc1-p1", &err));
    t.erasing = 0.5;
    return t;
}

/* Step by step: crop and flip to pixels of 8 bits, operations, tensor, noise. */
static void expect_steps(const MaeTransform *t, const MaeImage *img, MaeDraw draw)
{
    static const uint8_t fill[3] = {124, 116, 104};
    const MaeNormal normal = {t->mean, t->std};
    float *got = apply(t, img, draw), *want = mae_test_alloc(1440 * sizeof *want);
    MaeRandStep steps[MAE_POLICY_LAYERS];
    MaeImage pixels = {0}, spare = {0};
    MaeFrame frame;
    MaeBox box;
    size_t count;
    MaeRng rng;

    mae_rng_init(&rng, draw.seed, draw.epoch, draw.sample, MAE_RNG_CROP);
    frame = mae_frame_crop(mae_transform_random_box(img->height, img->width,
                                                    t->crop_scale, t->crop_ratio, &rng),
                           24, 20);
    frame.mirror = mae_rng_float(&rng) < 0.5f;
    ck_assert_ok(mae_image_resize(&pixels, img, &frame, MAE_BICUBIC, NULL, &err));
    ck_assert_ok(mae_image_to_u8(&pixels, &err));
    mae_rng_init(&rng, draw.seed, draw.epoch, draw.sample, MAE_RNG_AUGMENT);
    count = mae_randaugment_draw(steps, &t->policy, &rng);
    for (size_t i = 0; i < count; i++)
        ck_assert_ok(mae_randaugment_apply(&pixels, &spare, &steps[i], fill, &err));
    if (t->policy.layers == 0) {
        const MaeJitter jitter = mae_jitter_draw(t->jitter, &rng);

        mae_jitter_apply(&pixels, &jitter);
    }
    frame = mae_frame_crop((MaeBox){0, 0, 24, 20}, 24, 20);
    ck_assert_ok(
        mae_image_tensor(want, &pixels, &frame, normal, MAE_BICUBIC, NULL, &err));
    mae_rng_init(&rng, draw.seed, draw.epoch, draw.sample, MAE_RNG_ERASE);
    if (mae_erasing_draw(&box, t->erasing, 24, 20, &rng))
        mae_erasing_apply(want, 3, 24, 20, &box, &rng);
    ck_assert_mem_eq(got, want, 1440 * sizeof *got);
    mae_image_done(&pixels);
    mae_image_done(&spare);
    free(got);
    free(want);
}

static bool same(const MaeTransform *a, const MaeTransform *b, const MaeImage *img,
                 MaeDraw draw)
{
    float *one = apply(a, img, draw), *two = apply(b, img, draw);
    const bool equal = memcmp(one, two, 1440 * sizeof *one) == 0;

    free(one);
    free(two);
    return equal;
}

START_TEST(changes_come_in_timms_order)
{
    MaeTransform t = changing(), jitter = changing(), both = changing();
    MaeImage img = fixture_image(40, 33, 3, 1);

    jitter.policy = (MaePolicy){0};
    jitter.jitter = both.jitter = 0.4; /* a policy switches jitter off */
    for (uint64_t i = 0; i < 60; i++) {
        const MaeDraw draw = {4, 1, i};

        ck_assert(same(&t, &both, &img, draw));
        expect_steps(&t, &img, draw);
        expect_steps(&jitter, &img, draw);
    }
    mae_image_done(&img);
}
END_TEST

/* Crops are those of a run without changes: each use has its own numbers. */
START_TEST(changes_leave_crops_alone)
{
    MaeTransform t = changing(), plain = changing();
    MaeImage img = fixture_image(40, 33, 3, 1);
    size_t equal = 0;

    ck_assert_ok(mae_policy_parse(&t.policy, "rand-p0", &err));
    t.erasing = 0.3;
    plain.policy = (MaePolicy){0};
    plain.erasing = 0.0;
    for (uint64_t i = 0; i < 200; i++)
        equal += same(&t, &plain, &img, (MaeDraw){4, 1, i});
    ck_assert(equal > 140 - 33 && equal < 140 + 33); /* 5 deviations */
    mae_image_done(&img);
}
END_TEST

/* 16-bit images are changed at 8 bits, also where the others of a set have 8. */
START_TEST(changes_of_deep_pixels)
{
    MaeTransform t = changing(), jitter = changing();
    MaeImage img = fixture_image(40, 33, 3, 1), deep = {0};

    jitter.policy = (MaePolicy){0};
    jitter.jitter = 0.4;
    ck_assert_ok(mae_image_reshape(&deep, 40, 33, 3, MAE_PIXEL_U16, &err));
    for (size_t i = 0; i < 3960; i++)
        ((uint16_t *)deep.data)[i] =
            (uint16_t)(257 * ((uint8_t *)img.data)[i] + (i * 7919) % 257 / 2);
    for (uint64_t i = 0; i < 60; i++) {
        const MaeDraw draw = {4, 1, i};

        expect_steps(&t, &deep, draw);
        expect_steps(&jitter, &deep, draw);
        expect_steps(&t, &img, draw);
    }
    mae_image_done(&img);
    mae_image_done(&deep);
}
END_TEST

/* Erasing takes any image, the rest integers only. */
START_TEST(changes_of_floats)
{
    MaeTransform t = changing();
    float out[1440];
    MaeImage img = {0};

    ck_assert_ok(mae_image_reshape(&img, 30, 30, 3, MAE_PIXEL_F32, &err));
    memset(img.data, 0, 2700 * sizeof(float));
    ck_assert_fails(mae_transform_apply(&t, out, &img, &scratch, (MaeDraw){0}, &err),
                    MAE_ERR_FORMAT, "need 8-bit or 16-bit pixels, found floats");
    t.policy = (MaePolicy){0};
    t.jitter = 0.1;
    ck_assert_fails(mae_transform_apply(&t, out, &img, &scratch, (MaeDraw){0}, &err),
                    MAE_ERR_FORMAT, "found floats");
    t.jitter = 0.0;
    ck_assert_ok(mae_transform_apply(&t, out, &img, &scratch, (MaeDraw){0}, &err));
    mae_image_done(&img);
}
END_TEST

START_TEST(refuses_bad_changes)
{
    MaeTransform t = changing();

    ck_assert_ok(mae_transform_check(&t, &err));
    t.augment = MAE_AUGMENT_EVAL;
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "not for evaluation");
    t.policy = (MaePolicy){0};
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "not for evaluation");
    t = changing();
    t.std = NULL;
    t.channels = 5;
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG,
                    "for 1 or 3 channels, the images have 5");
    t.policy = (MaePolicy){0};
    ck_assert_ok(mae_transform_check(&t, &err));
    t.jitter = 1.5;
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "jitter 1.5");
    t.jitter = 0.0;
    t.erasing = (double)NAN;
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "erasing nan");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_changes");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, changes_come_in_timms_order);
    tcase_add_test(tc, changes_leave_crops_alone);
    tcase_add_test(tc, changes_of_deep_pixels);
    tcase_add_test(tc, changes_of_floats);
    tcase_add_test(tc, refuses_bad_changes);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
