#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "fixture.h"
#include "image/resize.h"
#include "support/test.h"

static MaeStatus resize(MaeImage *dst, const MaeImage *src, MaeBox box, size_t out_h,
                        size_t out_w, MaeFilter filter, MaeResizer *scratch,
                        MaeError *err)
{
    const MaeFrame frame = mae_frame_crop(box, out_h, out_w);

    return mae_image_resize(dst, src, &frame, filter, scratch, err);
}

static MaeStatus center_crop(MaeImage *dst, const MaeImage *src, size_t short_side,
                             size_t crop_h, size_t crop_w, MaeResizer *scratch,
                             MaeError *err)
{
    MaeFrame frame;

    MAE_TRY(mae_frame_center(&frame, src->height, src->width, short_side, crop_h, crop_w,
                             err));
    return mae_image_resize(dst, src, &frame, MAE_BICUBIC, scratch, err);
}

/* A [H,W,3] data set of the golden file as an image. */
static MaeImage golden_image(const char *path, const char *name)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t space = H5Dget_space(set);
    hsize_t dims[3] = {0, 0, 0};
    MaeImage img = {0};
    MaeError err = {0};

    ck_assert_msg(set >= 0, "%s lacks %s", path, name);
    ck_assert_int_eq(H5Sget_simple_extent_ndims(space), 3);
    ck_assert_int_eq(H5Sget_simple_extent_dims(space, dims, NULL), 3);
    ck_assert_ok(mae_image_reshape(&img, dims[0], dims[1], dims[2], MAE_PIXEL_U8, &err));
    ck_assert(H5Dread(set, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, img.data) >=
              0);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    return img;
}

static void check_equal(const char *name, const MaeImage *got, const MaeImage *want)
{
    const uint8_t *g = got->data, *w = want->data;

    ck_assert_uint_eq(got->height, want->height);
    ck_assert_uint_eq(got->width, want->width);
    ck_assert_uint_eq(got->channels, want->channels);
    for (size_t i = 0; i < want->height * mae_image_row_bytes(want); i++)
        ck_assert_msg(g[i] == w[i], "%s: byte %zu: got %u, want %u", name, i, g[i], w[i]);
}

static size_t attr(const char *path, const char *name, const char *key)
{
    return (size_t)mae_test_h5_attr(path, name, key);
}

/* Run every crop of one image; @return how many there were. */
static int check_crops(const char *path, int image, const MaeImage *src,
                       MaeResizer *scratch)
{
    MaeImage got = {0};
    MaeError err = {0};
    char name[64];
    int n = 0;

    for (;; n++) {
        size_t size;
        MaeImage want;
        MaeBox box;

        (void)snprintf(name, sizeof name, "image_%02d/resized_crop/%02d", image, n);
        if (!mae_test_h5_exists(path, name))
            break;
        want = golden_image(path, name);
        size = attr(path, name, "size");
        box = (MaeBox){attr(path, name, "top"), attr(path, name, "left"),
                       attr(path, name, "height"), attr(path, name, "width")};
        ck_assert_ok(resize(&got, src, box, size, size, MAE_BICUBIC, scratch, &err));
        check_equal(name, &got, &want);
        mae_image_done(&want);
    }
    mae_image_done(&got);
    return n;
}

static int check_evaluation(const char *path, int image, const MaeImage *src,
                            MaeResizer *scratch)
{
    MaeImage got = {0};
    MaeError err = {0};
    char name[64];
    int n = 0;

    for (size_t size = 1; size <= 512; size++) {
        MaeImage want;

        (void)snprintf(name, sizeof name, "image_%02d/eval_resize_center_crop/size_%zu",
                       image, size);
        if (!mae_test_h5_exists(path, name))
            continue;
        want = golden_image(path, name);
        ck_assert_ok(center_crop(&got, src, attr(path, name, "resize_short_side"), size,
                                 size, scratch, &err));
        check_equal(name, &got, &want);
        mae_image_done(&want);
        n++;
    }
    mae_image_done(&got);
    return n;
}

START_TEST(equals_pillow_and_torchvision)
{
    const char *path = mae_test_golden("augment.h5");
    MaeResizer scratch = {0};
    char name[64];
    int images = 0;

    for (;; images++) {
        MaeImage src;

        (void)snprintf(name, sizeof name, "image_%02d", images);
        if (!mae_test_h5_exists(path, name))
            break;
        (void)snprintf(name, sizeof name, "image_%02d/rgb_hwc", images);
        src = golden_image(path, name);
        ck_assert_int_ge(check_crops(path, images, &src, &scratch), 6);
        ck_assert_int_ge(check_evaluation(path, images, &src, &scratch), 3);
        mae_image_done(&src);
    }
    ck_assert_int_ge(images, 3);
    mae_resizer_done(&scratch);
}
END_TEST

static double weight(double x, MaeFilter filter)
{
    x = fabs(x);
    if (filter == MAE_BILINEAR)
        return x < 1.0 ? 1.0 - x : 0.0;
    if (x < 1.0)
        return 1.5 * x * x * x - 2.5 * x * x + 1.0;
    return x < 2.0 ? -0.5 * x * x * x + 2.5 * x * x - 4.0 * x + 2.0 : 0.0;
}

/* Plain resampling of one axis of [outer,in,inner] doubles, without tables or windows. */
static double *resample_axis(const double *from, size_t outer, size_t in, size_t inner,
                             size_t out, MaeFilter filter)
{
    const double scale = (double)in / (double)out, wide = fmax(scale, 1.0);
    const double reach = (filter == MAE_BICUBIC ? 2.0 : 1.0) * wide;
    double *to = mae_test_alloc(outer * out * inner * sizeof *to);

    for (size_t o = 0; o < outer * out * inner; o++) {
        const double center = ((double)(o / inner % out) + 0.5) * scale;
        double sum = 0.0, total = 0.0;

        for (size_t i = 0; i < in; i++) {
            const double at = (double)i + 0.5 - center;
            /* Pillow's window: rounded, which drops tiny weights at its rim. */
            const bool inside = (double)i >= trunc(center - reach + 0.5) &&
                                (double)i < trunc(center + reach + 0.5);
            const double w = inside ? weight(at / wide, filter) : 0.0;

            sum += w * from[(o / inner / out * in + i) * inner + o % inner];
            total += w;
        }
        to[o] = sum / total;
    }
    return to;
}

static double *to_doubles(const MaeImage *img)
{
    const size_t n = img->height * img->width * img->channels;
    double *values = mae_test_alloc(n * sizeof *values);

    for (size_t i = 0; i < n; i++)
        values[i] = img->type == MAE_PIXEL_U8    ? (double)((uint8_t *)img->data)[i]
                    : img->type == MAE_PIXEL_U16 ? (double)((uint16_t *)img->data)[i]
                                                 : (double)((float *)img->data)[i];
    return values;
}

static void check_against_naive(size_t in_h, size_t in_w, size_t out_h, size_t out_w,
                                size_t channels, MaePixel type, MaeFilter filter)
{
    static const double tolerance[] = {2.1, 0.6, 1e-5}; /* rounding: twice, once, none */
    static const double top[] = {255.0, 65535.0, HUGE_VAL};
    MaeImage src = fixture_picture(in_h, in_w, channels, type, in_h * in_w), dst = {0};
    MaeError err = {0};
    double *from = to_doubles(&src), *middle, *want, *got;

    ck_assert_ok(
        resize(&dst, &src, mae_image_box(&src), out_h, out_w, filter, NULL, &err));
    middle = resample_axis(from, in_h, in_w, channels, out_w, filter);
    want = resample_axis(middle, 1, in_h, out_w * channels, out_h, filter);
    got = to_doubles(&dst);
    for (size_t i = 0; i < out_h * out_w * channels; i++) {
        const double clipped =
            type == MAE_PIXEL_F32 ? want[i] : fmin(fmax(want[i], 0.0), top[type]);

        ck_assert_msg(fabs(got[i] - clipped) <= tolerance[type],
                      "[%zu,%zu] to [%zu,%zu] x %zu, type %d, filter %d, at %zu: got %g, "
                      "want %g",
                      in_h, in_w, out_h, out_w, channels, (int)type, (int)filter, i,
                      got[i], clipped);
    }
    free(from);
    free(middle);
    free(want);
    free(got);
    mae_image_done(&src);
    mae_image_done(&dst);
}

START_TEST(equals_the_formula)
{
    MaeRng rng;

    mae_rng_init(&rng, 5, 0, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 30; round++) {
        const size_t in_h = mae_rng_below(&rng, 40) + 1,
                     in_w = mae_rng_below(&rng, 40) + 1;
        const size_t out_h = round % 5 == 0 ? in_h : mae_rng_below(&rng, 40) + 1;
        const size_t out_w = round % 7 == 0 ? in_w : mae_rng_below(&rng, 40) + 1;
        const size_t channels = mae_rng_below(&rng, 5) + 1;

        check_against_naive(in_h, in_w, out_h, out_w, channels, (MaePixel)(_i / 2),
                            _i % 2 == 0 ? MAE_BICUBIC : MAE_BILINEAR);
    }
}
END_TEST

/* A box equals the same pixels as an image of their own, and keeps its size exactly. */
START_TEST(box_is_all_the_filter_sees)
{
    const MaePixel type = (MaePixel)_i;
    MaeImage src = fixture_picture(30, 40, 3, type, 3), cut = {0}, a = {0}, b = {0};
    const MaeBox box = {.top = 4, .left = 7, .height = 19, .width = 22};
    const size_t pixel = 3 * mae_pixel_size(type);
    MaeError err = {0};

    ck_assert_ok(resize(&cut, &src, box, 19, 22, MAE_BICUBIC, NULL, &err));
    for (size_t y = 0; y < 19; y++)
        ck_assert_mem_eq((uint8_t *)cut.data + y * 22 * pixel,
                         (uint8_t *)src.data + ((y + 4) * 40 + 7) * pixel, 22 * pixel);
    ck_assert_ok(resize(&a, &src, box, 11, 31, MAE_BICUBIC, NULL, &err));
    ck_assert_ok(resize(&b, &cut, mae_image_box(&cut), 11, 31, MAE_BICUBIC, NULL, &err));
    ck_assert_mem_eq(a.data, b.data, 11 * 31 * pixel);
    mae_image_done(&src);
    mae_image_done(&cut);
    mae_image_done(&a);
    mae_image_done(&b);
}
END_TEST

/* The shortcut of the evaluation transform equals scaling everything, then cutting. */
START_TEST(center_crop_equals_two_steps)
{
    static const struct {
        size_t height, width, out_h, out_w, crop_h, crop_w, top, left;
    } cases[] = {
        {30, 47, 20, 31, 20, 20, 0, 6}, /* 5.5 rounds to even 6 */
        {30, 44, 20, 29, 15, 20, 2, 4}, /* 2.5 and 4.5 round down */
        {50, 30, 33, 20, 10, 9, 12, 6}, /* 11.5 up, 5.5 up */
        {20, 20, 20, 20, 20, 20, 0, 0}, {20, 33, 20, 33, 11, 12, 4, 10},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const MaeBox box = {cases[i].top, cases[i].left, cases[i].crop_h,
                            cases[i].crop_w};
        MaeImage src =
            fixture_picture(cases[i].height, cases[i].width, 3, MAE_PIXEL_U8, i);
        MaeImage whole = {0}, want = {0}, got = {0};
        MaeError err = {0};

        ck_assert_ok(resize(&whole, &src, mae_image_box(&src), cases[i].out_h,
                            cases[i].out_w, MAE_BICUBIC, NULL, &err));
        ck_assert_ok(
            resize(&want, &whole, box, box.height, box.width, MAE_BICUBIC, NULL, &err));
        ck_assert_ok(center_crop(&got, &src, 20, box.height, box.width, NULL, &err));
        check_equal("center crop", &got, &want);
        mae_image_done(&src);
        mae_image_done(&whole);
        mae_image_done(&want);
        mae_image_done(&got);
    }
}
END_TEST

static float level(const MaeImage *img, size_t i)
{
    return img->type == MAE_PIXEL_U8    ? (float)((uint8_t *)img->data)[i] / 255.0f
           : img->type == MAE_PIXEL_U16 ? (float)((uint16_t *)img->data)[i] / 65535.0f
                                        : ((float *)img->data)[i];
}

/* A tensor holds the resampled pixels, mirrored and normalised, in planes. */
START_TEST(tensors_hold_the_same_pixels)
{
    static const float mean[] = {0.485f, 0.456f, 0.406f, 0.5f},
                       std[] = {0.229f, 0.224f, 0.225f, 0.5f};
    MaeError err = {0};
    MaeRng rng;

    mae_rng_init(&rng, 8, 0, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 40; round++) {
        const size_t channels = mae_rng_below(&rng, 4) + 1, out_h = 1 + (size_t)round;
        const size_t out_w = round % 5 == 0 ? 40 : mae_rng_below(&rng, 70) + 1;
        const bool plain = round % 3 == 0, mirror = round % 2 == 0;
        const MaeNormal normal = {plain ? NULL : mean, plain ? NULL : std};
        MaeFrame frame = mae_frame_crop((MaeBox){3, 2, 30, 40}, out_h, out_w);
        MaeImage src = fixture_picture(35, 43, channels, (MaePixel)_i, 4), want = {0};
        MaeImage turned = {0};
        float *got = mae_test_alloc(channels * out_h * out_w * sizeof *got);

        ck_assert_ok(mae_image_resize(&want, &src, &frame, MAE_BICUBIC, NULL, &err));
        frame.mirror = mirror;
        ck_assert_ok(mae_image_resize(&turned, &src, &frame, MAE_BICUBIC, NULL, &err));
        ck_assert_ok(
            mae_image_tensor(got, &src, &frame, normal, MAE_BICUBIC, NULL, &err));
        for (size_t i = 0; i < channels * out_h * out_w; i++) {
            const size_t c = i % channels, y = i / channels / out_w;
            const size_t x = i / channels % out_w, at = mirror ? out_w - 1 - x : x;
            const float v = level(&want, i);

            ck_assert(got[(c * out_h + y) * out_w + at] ==
                      (plain ? v : (v - mean[c]) / std[c]));
            ck_assert(level(&turned, (y * out_w + at) * channels + c) == v);
        }
        free(got);
        mae_image_done(&src);
        mae_image_done(&want);
        mae_image_done(&turned);
    }
}
END_TEST

START_TEST(scratch_grows_only_when_needed)
{
    MaeImage src = fixture_picture(64, 64, 3, MAE_PIXEL_U8, 1), dst = {0};
    MaeResizer scratch = {0};
    MaeError err = {0};
    const void *memory;

    mae_resizer_done(NULL);
    ck_assert_ok(
        resize(&dst, &src, mae_image_box(&src), 60, 60, MAE_BICUBIC, &scratch, &err));
    memory = scratch.arena.base;
    for (size_t size = 60; size > 0; size -= 5)
        ck_assert_ok(resize(&dst, &src, (MaeBox){0, 0, size, size}, size, 32,
                            MAE_BILINEAR, &scratch, &err));
    ck_assert_ptr_eq(scratch.arena.base, memory);
    ck_assert_ok(
        resize(&dst, &src, mae_image_box(&src), 99, 400, MAE_BICUBIC, &scratch, &err));
    mae_resizer_done(&scratch);
    ck_assert_ok(
        resize(&dst, &src, mae_image_box(&src), 9, 9, MAE_BICUBIC, &scratch, &err));
    mae_resizer_done(&scratch);
    mae_image_done(&src);
    mae_image_done(&dst);
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    MaeImage src = fixture_picture(10, 12, 3, MAE_PIXEL_U8, 1), dst = {0};
    const MaeImage empty = {0};
    const MaeBox bad[] = {{1, 0, 10, 12}, {0, 1, 10, 12}, {0, 0, 0, 5},
                          {0, 0, 5, 0},   {11, 0, 1, 1},  {SIZE_MAX, 0, 2, 1}};
    MaeError err = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_fails(resize(&dst, &src, bad[i], 4, 4, MAE_BICUBIC, NULL, &err),
                        MAE_ERR_SHAPE, "outside [10,12]");
    ck_assert_fails(
        resize(&dst, &src, mae_image_box(&src), 0, 4, MAE_BICUBIC, NULL, &err),
        MAE_ERR_SHAPE, "[0,4]");
    ck_assert_fails(
        resize(&dst, &src, mae_image_box(&src), SIZE_MAX / 2, 4, MAE_BICUBIC, NULL, &err),
        MAE_ERR_SHAPE, "possible");
    ck_assert_fails(center_crop(&dst, &src, 8, 9, 8, NULL, &err), MAE_ERR_SHAPE,
                    "does not fit into the scaled [8,9]");
    ck_assert_fails(center_crop(&dst, &src, SIZE_MAX / 2, 9, 8, NULL, &err),
                    MAE_ERR_SHAPE, "short side");
    ck_assert_fails(center_crop(&dst, &empty, 8, 8, 8, NULL, &err), MAE_ERR_SHAPE,
                    "[0,0]");
    mae_image_done(&src);
    mae_image_done(&dst);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_resize");
    TCase *tc = tcase_create("resize");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, equals_pillow_and_torchvision);
    tcase_add_loop_test(tc, equals_the_formula, 0, 6);
    tcase_add_loop_test(tc, box_is_all_the_filter_sees, 0, 3);
    tcase_add_test(tc, center_crop_equals_two_steps);
    tcase_add_loop_test(tc, tensors_hold_the_same_pixels, 0, 3);
    tcase_add_test(tc, scratch_grows_only_when_needed);
    tcase_add_test(tc, impossible_sizes_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
