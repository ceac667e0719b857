#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "fixture.h"
#include "image/axis.h"
#include "support/test.h"

static size_t draw(MaeRng *rng, size_t below)
{
    return (size_t)mae_rng_below(rng, (uint32_t)below);
}

static MaeBox random_box(MaeRng *rng, size_t height, size_t width)
{
    MaeBox box = {.height = draw(rng, height) + 1, .width = draw(rng, width) + 1};

    box.top = draw(rng, height - box.height + 1);
    box.left = draw(rng, width - box.width + 1);
    return box;
}

static MaeFrame random_frame(MaeRng *rng, size_t height, size_t width)
{
    const size_t out_h = draw(rng, 40) + 1, out_w = draw(rng, 40) + 1;
    MaeFrame frame = mae_frame_crop(random_box(rng, height, width), out_h, out_w);

    frame.keep = random_box(rng, out_h, out_w);
    return frame;
}

/* The pixels of @p box alone, as a part of the picture. */
static MaeImage cut(const MaeImage *whole, MaeBox box)
{
    const size_t pixel = whole->channels * mae_pixel_size(whole->type);
    MaeImage part = {0};
    MaeError err = {0};

    ck_assert_ok(mae_image_reshape(&part, box.height, box.width, whole->channels,
                                   whole->type, &err));
    part.picture = whole->picture;
    part.picture.top = box.top;
    part.picture.left = box.left;
    for (size_t y = 0; y < box.height; y++)
        memcpy((uint8_t *)part.data + y * box.width * pixel,
               (uint8_t *)whole->data + ((box.top + y) * whole->width + box.left) * pixel,
               box.width * pixel);
    return part;
}

/* What a frame says it needs is enough; an image that lacks its first row is refused. */
START_TEST(a_part_is_all_that_is_needed)
{
    const MaePixel type = (MaePixel)_i;
    MaeImage whole = fixture_picture(50, 60, 3, type, 3), want = {0}, got = {0};
    MaeError err = {0};
    MaeRng rng;

    mae_rng_init(&rng, 3, 0, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 200; round++) {
        const MaeFrame frame = random_frame(&rng, 50, 60);
        const MaeFilter filter = round % 3 == 0 ? MAE_BILINEAR : MAE_BICUBIC;
        const MaePart part = mae_frame_part(&frame, 1, filter);
        MaeImage some = cut(&whole, part.box);

        ck_assert_uint_eq(part.shrink, 1);
        ck_assert_ok(mae_image_resize(&want, &whole, &frame, filter, NULL, &err));
        ck_assert_ok(mae_image_resize(&got, &some, &frame, filter, NULL, &err));
        ck_assert_uint_eq(got.height, frame.keep.height);
        ck_assert_uint_eq(got.width, frame.keep.width);
        ck_assert_mem_eq(got.data, want.data, got.height * mae_image_row_bytes(&got));
        some.picture.top++;
        ck_assert_fails(mae_image_resize(&got, &some, &frame, filter, NULL, &err),
                        MAE_ERR_SHAPE, "the image has");
        mae_image_done(&some);
    }
    mae_image_done(&whole);
    mae_image_done(&want);
    mae_image_done(&got);
}
END_TEST

START_TEST(shrinking_keeps_the_size_of_the_result)
{
    static const struct {
        size_t height, width, out_h, out_w;
        unsigned want;
    } cases[] = {
        {224, 224, 224, 224, 1},   {447, 900, 224, 224, 1},   {448, 448, 224, 224, 2},
        {448, 448, 224, 225, 1},   {895, 5000, 224, 224, 2},  {896, 900, 224, 224, 4},
        {1791, 1792, 224, 224, 4}, {1792, 1792, 224, 224, 8}, {9000, 9000, 1, 1, 8},
        {3, 3, 1, 1, 2},           {100, 100, 300, 300, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const MaeFrame frame =
            mae_frame_crop((MaeBox){5, 7, cases[i].height, cases[i].width},
                           cases[i].out_h, cases[i].out_w);

        ck_assert_uint_eq(mae_frame_shrink(&frame), cases[i].want);
    }
}
END_TEST

/* A plane v = 2 x + 3 y of the picture, averaged over shrink^2 pixels by a decoder. */
static MaeImage ramp(size_t height, size_t width, unsigned shrink)
{
    const size_t rows = (height + shrink - 1) / shrink,
                 columns = (width + shrink - 1) / shrink;
    MaeImage img = {0};
    MaeError err = {0};

    ck_assert_ok(mae_image_reshape(&img, rows, columns, 1, MAE_PIXEL_F32, &err));
    img.picture.height = height;
    img.picture.width = width;
    img.picture.shrink = shrink;
    for (size_t i = 0; i < rows * columns; i++)
        ((float *)img.data)[i] = (float)shrink * (2.0f * ((float)(i % columns) + 0.5f) +
                                                  3.0f * ((float)(i / columns) + 0.5f));
    return img;
}

/*
 * Wherever the box begins in a scaled pixel, results lie where they would unscaled: to
 * the few hundredths of a scaled pixel by which Pillow's windows shift a bicubic. Half a
 * pixel would be 2.5 * shrink.
 */
START_TEST(scaled_images_are_sampled_in_place)
{
    MaeImage full = ramp(203, 181, 1), want = {0}, got = {0};
    MaeError err = {0};
    MaeRng rng;

    mae_rng_init(&rng, 4, 0, 0, MAE_RNG_TEST);
    for (unsigned shrink = 2; shrink <= 8; shrink *= 2) {
        MaeImage small = ramp(203, 181, shrink);

        for (int round = 0; round < 50; round++) {
            const MaeBox box = {draw(&rng, 40), draw(&rng, 40), 120 + draw(&rng, 40),
                                110 + draw(&rng, 30)};
            MaeFrame frame = mae_frame_crop(box, 14, 12);
            const MaePart part = mae_frame_part(&frame, shrink, MAE_BICUBIC);
            MaePart whole;

            ck_assert(part.box.top <= box.top && part.box.left <= box.left);
            ck_assert_uint_eq(part.box.top + part.box.height, box.top + box.height);
            ck_assert_uint_eq(part.box.left + part.box.width, box.left + box.width);
            /* away from the edges, where clipped filters lean to one side */
            frame.keep = (MaeBox){4, 4, 6, 4};
            whole = mae_frame_part(&frame, shrink, MAE_BICUBIC);
            ck_assert_uint_lt(whole.box.height, part.box.height);
            ck_assert_ok(mae_image_resize(&want, &full, &frame, MAE_BICUBIC, NULL, &err));
            ck_assert_ok(mae_image_resize(&got, &small, &frame, MAE_BICUBIC, NULL, &err));
            for (size_t i = 0; i < 24; i++)
                ck_assert_double_eq_tol((double)((float *)got.data)[i],
                                        (double)((float *)want.data)[i], 0.15 * shrink);
        }
        mae_image_done(&small);
    }
    mae_image_done(&full);
    mae_image_done(&want);
    mae_image_done(&got);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_frame");
    TCase *tc = tcase_create("frame");

    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, a_part_is_all_that_is_needed, 0, 3);
    tcase_add_test(tc, shrinking_keeps_the_size_of_the_result);
    tcase_add_test(tc, scaled_images_are_sampled_in_place);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
