#include "data/transform.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/fixture.h"
#include "support/photo.h"

static MaeTransformScratch scratch;
static MaeError err;

static void setup(void)
{
    scratch = (MaeTransformScratch){0};
    err = (MaeError){0};
}

static void teardown(void)
{
    mae_transform_scratch_done(&scratch);
}

static float *apply(const MaeTransform *t, const MaeImage *img, MaeDraw draw)
{
    float *out = mae_test_alloc(t->channels * t->out_h * t->out_w * sizeof *out);
    const size_t bytes = img->height * mae_image_row_bytes(img);
    MaeImage copy = {0};

    ck_assert_ok(mae_image_reshape(&copy, img->height, img->width, img->channels,
                                   img->type, &err));
    memcpy(copy.data, img->data, bytes);
    ck_assert_ok(mae_transform_apply(t, out, &copy, &scratch, draw, &err));
    mae_image_done(&copy);
    return out;
}

/* Against torchvision's Resize(int(size / 0.875)), CenterCrop(size) on Pillow images. */
START_TEST(evaluation_equals_torchvision)
{
    static const size_t sizes[] = {32, 48, 96}, heights[] = {32, 32, 222};
    const char *path = mae_test_golden("augment.h5");

    for (int i = 0; i < 3; i++) {
        const size_t size = sizes[_i];
        const MaeTransform t = mae_transform_default(3, size, size, MAE_AUGMENT_EVAL);
        char name[128];
        float *pixels, *want, *got;
        size_t n, h, w;
        MaeImage img = {0};

        if (size == 32 && i < 2)
            continue; /* has the output size: taken as it is */
        (void)snprintf(name, sizeof name, "image_%02d/rgb_hwc", i);
        pixels = mae_test_h5_floats(path, name, &n);
        h = heights[i];
        w = n / 3 / h;
        ck_assert_ok(mae_image_reshape(&img, h, w, 3, MAE_PIXEL_U8, &err));
        for (size_t k = 0; k < n; k++)
            ((unsigned char *)img.data)[k] = (unsigned char)pixels[k];
        (void)snprintf(name, sizeof name, "image_%02d/eval_resize_center_crop/size_%zu",
                       i, size);
        want = mae_test_h5_floats(path, name, &n);
        got = apply(&t, &img, (MaeDraw){0});
        for (size_t k = 0; k < n; k++) {
            const float value = got[k % 3 * size * size + k / 3] * 255.0f;

            ck_assert_double_eq_tol((double)value, (double)want[k], 1e-3);
        }
        mae_image_done(&img);
        free(pixels);
        free(want);
        free(got);
    }
}
END_TEST

START_TEST(output_size_is_not_resampled)
{
    static const MaeAugment kinds[] = {MAE_AUGMENT_NONE, MAE_AUGMENT_EVAL,
                                       MAE_AUGMENT_FLIP};
    const float mean[3] = {0.1f, 0.2f, 0.3f}, std[3] = {0.5f, 1.0f, 2.0f};
    MaeTransform t = mae_transform_default(3, 6, 8, kinds[_i]);
    MaeImage img = fixture_image(6, 8, 3, 1);
    size_t flipped = 0;

    t.mean = mean;
    t.std = std;
    for (uint64_t sample = 0; sample < 200; sample++) {
        float *out = apply(&t, &img, (MaeDraw){1, 0, sample});
        const unsigned char *pixels = img.data;
        bool straight = true, mirrored = true;

        for (size_t i = 0; i < 144; i++) {
            const size_t c = i / 48, y = i % 48 / 8, x = i % 8;
            const float v = (float)pixels[(y * 8 + x) * 3 + c] / 255.0f;
            const float u = (float)pixels[(y * 8 + 7 - x) * 3 + c] / 255.0f;

            straight = straight && fabsf(out[i] - (v - mean[c]) / std[c]) < 1e-5f;
            mirrored = mirrored && fabsf(out[i] - (u - mean[c]) / std[c]) < 1e-5f;
        }
        ck_assert(straight != mirrored);
        flipped += mirrored;
        free(out);
    }
    if (kinds[_i] == MAE_AUGMENT_FLIP)
        ck_assert(flipped > 75 && flipped < 125);
    else
        ck_assert_uint_eq(flipped, 0);
    mae_image_done(&img);
}
END_TEST

START_TEST(other_sizes_are_covered_and_cropped)
{
    static const size_t sides[][2] = {{5, 50},  {50, 5}, {7, 9},
                                      {64, 64}, {1, 1},  {1, 9000}};
    const MaeTransform t = mae_transform_default(1, 12, 20, (MaeAugment)_i);
    const MaeImage *img;

    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        MaeImage flat = fixture_image(sides[i][0], sides[i][1], 1, 1);
        float *out;

        img = &flat;
        memset(flat.data, 51, sides[i][0] * sides[i][1]);
        out = apply(&t, img, (MaeDraw){3, 1, i});
        for (size_t k = 0; k < 240; k++)
            ck_assert_double_eq_tol((double)out[k], 0.2, 1e-6);
        free(out);
        mae_image_done(&flat);
    }
}
END_TEST

START_TEST(crops_depend_on_the_draw_only)
{
    const MaeTransform t = mae_transform_default(3, 16, 16, MAE_AUGMENT_CROP_FLIP);
    MaeImage img = fixture_image(40, 30, 3, 1);
    float *one = apply(&t, &img, (MaeDraw){1, 2, 3});
    float *same = apply(&t, &img, (MaeDraw){1, 2, 3});
    const MaeDraw others[] = {{2, 2, 3}, {1, 3, 3}, {1, 2, 4}};

    ck_assert_mem_eq(one, same, 768 * sizeof *one);
    for (size_t i = 0; i < 3; i++) {
        float *other = apply(&t, &img, others[i]);

        ck_assert_mem_ne(one, other, 768 * sizeof *one);
        free(other);
    }
    free(one);
    free(same);
    mae_image_done(&img);
}
END_TEST

START_TEST(random_boxes_keep_to_the_limits)
{
    const double scale[2] = {0.2, 1.0}, ratio[2] = {3.0 / 4.0, 4.0 / 3.0};
    double area = 0.0;
    MaeRng rng;

    mae_rng_init(&rng, 1, 0, 0, MAE_RNG_TEST);
    for (int i = 0; i < 20000; i++) {
        const MaeBox box = mae_transform_random_box(300, 400, scale, ratio, &rng);
        const double share = (double)(box.height * box.width) / 120000.0;
        const double aspect = (double)box.width / (double)box.height;

        ck_assert_uint_le(box.top + box.height, 300);
        ck_assert_uint_le(box.left + box.width, 400);
        ck_assert(share > 0.195 && share <= 1.0);
        ck_assert(aspect > 0.74 && aspect < 1.345);
        area += share / 20000.0;
    }
    ck_assert_double_eq_tol(area, 0.4963, 0.006); /* torchvision's algorithm in Python */
}
END_TEST

START_TEST(boxes_of_extreme_images_are_central)
{
    const double scale[2] = {0.9, 1.0}, ratio[2] = {3.0 / 4.0, 4.0 / 3.0};
    MaeBox box;
    MaeRng rng;

    mae_rng_init(&rng, 1, 0, 0, MAE_RNG_TEST);
    box = mae_transform_random_box(10, 1000, scale, ratio, &rng);
    ck_assert(box.top == 0 && box.left == 493 && box.height == 10 && box.width == 13);
    box = mae_transform_random_box(1000, 10, scale, ratio, &rng);
    ck_assert(box.top == 493 && box.left == 0 && box.height == 13 && box.width == 10);
    box = mae_transform_random_box(1, 1, scale, ratio, &rng);
    ck_assert(box.top == 0 && box.left == 0 && box.height == 1 && box.width == 1);
}
END_TEST

/* What a chooser needs to know. */
typedef struct Choice {
    const MaeTransform *t;
    MaeDraw draw;
} Choice;

static MaePart choose(const void *ctx, size_t height, size_t width)
{
    const Choice *choice = ctx;

    return mae_transform_part(choice->t, height, width, choice->draw);
}

static uint8_t *photo(size_t *size, size_t height, size_t width, uint64_t seed)
{
    MaeImage img = {0};
    uint8_t *bytes = NULL;

    ck_assert_ok(mae_image_reshape(&img, height, width, 3, MAE_PIXEL_U8, &err));
    mae_test_photo(img.data, height, width, seed);
    ck_assert_ok(mae_image_encode_jpeg(&bytes, size, &img, 92, &err));
    mae_image_done(&img);
    return bytes;
}

/* The tensor of a file, decoded for the crop or whole. @param[out] img what was read. */
static float *tensor(MaeImage *img, const MaeTransform *t, const uint8_t *bytes,
                     size_t size, bool part, MaeDraw draw)
{
    const Choice choice = {t, draw};
    const MaeChooser chooser = {choose, &choice};
    float *out = mae_test_alloc(t->channels * t->out_h * t->out_w * sizeof *out);

    ck_assert_ok(
        mae_image_decode_part(img, bytes, size, NULL, part ? &chooser : NULL, &err));
    ck_assert_ok(mae_transform_apply(t, out, img, &scratch, draw, &err));
    return out;
}

/* Decoding only what is needed changes no bit, whatever the augmentation. */
START_TEST(parts_give_the_same_tensors)
{
    const MaeTransform t = mae_transform_default(3, 48, 40, (MaeAugment)_i);
    MaeImage img = {0};
    size_t smaller = 0;

    for (uint64_t i = 0; i < 40; i++) {
        const size_t height = 150 + 37 * (i % 4), width = 310 - 41 * (i % 5);
        const MaeDraw draw = {7, 2, i};
        size_t size;
        uint8_t *bytes = photo(&size, height, width, i);
        float *want = tensor(&img, &t, bytes, size, false, draw), *got;

        ck_assert_uint_eq(img.height, height);
        got = tensor(&img, &t, bytes, size, true, draw);
        smaller += img.height * img.width < height * width;
        ck_assert_mem_eq(got, want, 3 * 48 * 40 * sizeof *got);
        free(bytes);
        free(want);
        free(got);
    }
    ck_assert_uint_ge(smaller, 30);
    mae_image_done(&img);
}
END_TEST

/* Mean and largest difference in levels, over crops of photographs, at 1/2, 1/4, 1/8. */
START_TEST(scaled_decoding_is_close)
{
    static const double mean_of[] = {1, 2, 5}, largest_of[] = {15, 25, 40};
    MaeTransform full = mae_transform_default(3, 64, 64, MAE_AUGMENT_CROP_FLIP);
    MaeTransform scaled = full;
    double mean[3] = {0}, largest[3] = {0};
    size_t count[3] = {0};
    MaeImage img = {0};

    scaled.scaled_decode = true;
    for (uint64_t i = 0; i < 60; i++) {
        const size_t side = 200 + 100 * (i % 6);
        const MaeDraw draw = {7, 2, i};
        size_t size, at;
        uint8_t *bytes = photo(&size, side, side + 55, i);
        float *want = tensor(&img, &full, bytes, size, true, draw), *got;

        got = tensor(&img, &scaled, bytes, size, true, draw);
        at = img.picture.shrink == 8 ? 2 : img.picture.shrink / 4;
        for (size_t k = 0; k < 3 * 64 * 64 && img.picture.shrink > 1; k++) {
            const double diff = 255.0 * fabs((double)got[k] - (double)want[k]);

            mean[at] += diff;
            largest[at] = fmax(largest[at], diff);
            count[at]++;
        }
        free(bytes);
        free(want);
        free(got);
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_gt(count[i], 3 * 64 * 64);
        ck_assert_double_le(mean[i] / (double)count[i], mean_of[i]);
        ck_assert_double_le(largest[i], largest_of[i]);
    }
    mae_image_done(&img);
}
END_TEST

START_TEST(refuses_bad_options)
{
    const float std[1] = {0.0f};
    MaeTransform t = mae_transform_default(1, 8, 8, MAE_AUGMENT_NONE);
    MaeImage img = fixture_image(8, 8, 3, 1);
    float out[64];

    ck_assert_ok(mae_transform_check(&t, &err));
    ck_assert_fails(mae_transform_apply(&t, out, &img, &scratch, (MaeDraw){0}, &err),
                    MAE_ERR_SHAPE, "expected 1 channels, found 3");
    t.std = std;
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "std of channel 0 is 0");
    t = mae_transform_default(1, 8, 0, MAE_AUGMENT_NONE);
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "output [1,8,0]");
    t = mae_transform_default(1, 8, 8, MAE_AUGMENT_NONE);
    t.crop_scale[0] = 0.0;
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "crop_scale");
    t.crop_scale[0] = 0.5;
    t.crop_ratio[1] = 0.5;
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "crop_ratio");
    t.crop_ratio[1] = 2.0;
    t.eval_crop = (double)NAN;
    ck_assert_fails(mae_transform_check(&t, &err), MAE_ERR_ARG, "eval_crop");
    mae_image_done(&img);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_transform");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, evaluation_equals_torchvision, 0, 3);
    tcase_add_loop_test(tc, output_size_is_not_resampled, 0, 3);
    tcase_add_loop_test(tc, other_sizes_are_covered_and_cropped, 0, 4);
    tcase_add_test(tc, crops_depend_on_the_draw_only);
    tcase_add_test(tc, random_boxes_keep_to_the_limits);
    tcase_add_test(tc, boxes_of_extreme_images_are_central);
    tcase_add_loop_test(tc, parts_give_the_same_tensors, 0, 4);
    tcase_add_test(tc, scaled_decoding_is_close);
    tcase_add_test(tc, refuses_bad_options);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
