#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "support/test.h"

START_TEST(reshape_grows_and_keeps)
{
    MaeImage img = {0};
    MaeError err = {0};
    const void *data;

    mae_image_done(NULL);
    mae_image_done(&img);
    ck_assert_ok(mae_image_reshape(&img, 10, 20, 3, MAE_PIXEL_U16, &err));
    ck_assert_uint_ge(img.capacity, 1200);
    ck_assert_uint_eq(mae_image_row_bytes(&img), 120);
    data = img.data;
    ck_assert_ok(mae_image_reshape(&img, 5, 5, 1, MAE_PIXEL_F32, &err));
    ck_assert_ptr_eq(img.data, data);
    ck_assert_fails(mae_image_reshape(&img, 5, 0, 1, MAE_PIXEL_U8, &err), MAE_ERR_SHAPE,
                    "[5,0,1]");
    ck_assert_fails(mae_image_reshape(&img, SIZE_MAX / 4, 8, 3, MAE_PIXEL_U8, &err),
                    MAE_ERR_SHAPE, "possible");
    ck_assert_uint_eq(img.height, 5);
    mae_image_done(&img);
    ck_assert_ptr_null(img.data);
}
END_TEST

START_TEST(content_decides_the_format)
{
    MaeImage img = fixture_picture(8, 8, 3, MAE_PIXEL_U8, 1), out = {0};
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_fails(mae_image_decode(&out, "", 0, NULL, &err), MAE_ERR_FORMAT, "empty");
    ck_assert_fails(mae_image_decode(&out, NULL, 0, NULL, &err), MAE_ERR_FORMAT, "empty");
    ck_assert_fails(mae_image_decode(&out, "GIF89a", 6, NULL, &err), MAE_ERR_FORMAT,
                    "neither JPEG nor PNG: a GIF of 6 bytes");
    ck_assert_int_eq(mae_image_sniff("\xff\xd8", 2), MAE_IMAGE_UNKNOWN);
    ck_assert_ok(mae_image_encode_jpeg(&bytes, &size, &img, 90, &err));
    ck_assert_int_eq(mae_image_sniff(bytes, size), MAE_IMAGE_JPEG);
    free(bytes);
    ck_assert_ok(mae_image_encode_png(&bytes, &size, &img, &err));
    ck_assert_int_eq(mae_image_sniff(bytes, size), MAE_IMAGE_PNG);
    free(bytes);
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

START_TEST(limits_are_the_callers)
{
    const MaeImageLimits pixels = {.max_pixels = 899}, memory = {.max_memory = 2700};
    const MaeImageLimits defaults = mae_image_limits(NULL);
    MaeImage img = fixture_picture(30, 30, 3, MAE_PIXEL_U8, 1), out = {0};
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_uint_eq(defaults.max_scans, 500);
    for (int png = 0; png < 2; png++) {
        ck_assert_ok(png ? mae_image_encode_png(&bytes, &size, &img, &err)
                         : mae_image_encode_jpeg(&bytes, &size, &img, 90, &err));
        ck_assert_fails(mae_image_decode(&out, bytes, size, &pixels, &err),
                        MAE_ERR_FORMAT, "30 x 30 pixels are over the limit of 899");
        ck_assert_fails(mae_image_decode(&out, bytes, size, &memory, &err),
                        MAE_ERR_FORMAT, "over the limit of 2700 bytes");
        ck_assert_ok(mae_image_decode(&out, bytes, size, &defaults, &err));
        free(bytes);
    }
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

START_TEST(memory_follows_the_pixels)
{
    const size_t gib = (size_t)1 << 30;
    static const MaeImageLimits given[] = {
        {.max_pixels = 1},
        {.max_pixels = 200000000},
        {.max_pixels = SIZE_MAX / 6},
        {.max_pixels = SIZE_MAX},
        {.max_pixels = 200000000, .max_memory = 5, .max_scans = 7}};
    const size_t memory[] = {gib, 1200000000, SIZE_MAX / 6 * 6, SIZE_MAX, 5};
    MaeImageLimits got = mae_image_limits(NULL);

    ck_assert_uint_eq(got.max_pixels, 178956970);
    ck_assert_uint_eq(got.max_memory, gib);
    ck_assert_uint_eq(got.max_scans, 500);
    ck_assert_double_le((double)got.max_pixels, MAE_IMAGE_PIXELS_MAX);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        got = mae_image_limits(&given[i]);
        ck_assert_uint_eq(got.max_pixels, given[i].max_pixels);
        ck_assert_uint_eq(got.max_memory, memory[i]);
        ck_assert_uint_eq(got.max_scans, i == 4 ? 7 : 500);
    }
}
END_TEST

/* libpng has a limit of its own on the sides; ours says what to raise. */
START_TEST(a_long_line_is_judged_by_its_pixels)
{
    MaeImageLimits limits = {.max_pixels = 999};
    MaeImage img = fixture_picture(1, 1000, 1, MAE_PIXEL_U8, 1), out = {0};
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_ok(mae_image_encode_png(&bytes, &size, &img, &err));
    ck_assert_fails(mae_image_decode(&out, bytes, size, &limits, &err), MAE_ERR_FORMAT,
                    "1000 x 1 pixels are over the limit of 999 pixels (max_pixels)");
    limits.max_pixels = 1000;
    ck_assert_ok(mae_image_decode(&out, bytes, size, &limits, &err));
    free(bytes);
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

START_TEST(buffers_are_reused)
{
    MaeImage big = fixture_picture(40, 40, 3, MAE_PIXEL_U8, 1), out = {0};
    MaeImage small = fixture_picture(20, 20, 1, MAE_PIXEL_U8, 1);
    MaeError err = {0};
    uint8_t *first = NULL, *second = NULL;
    size_t first_size, second_size;
    const void *data;

    ck_assert_ok(mae_image_encode_png(&first, &first_size, &big, &err));
    ck_assert_ok(mae_image_encode_jpeg(&second, &second_size, &small, 90, &err));
    ck_assert_ok(mae_image_decode(&out, first, first_size, NULL, &err));
    data = out.data;
    ck_assert_ok(mae_image_decode(&out, second, second_size, NULL, &err));
    ck_assert_ptr_eq(out.data, data);
    ck_assert_uint_eq(out.channels, 1);
    /* a failure in between leaves the object usable */
    ck_assert_int_eq(mae_image_decode(&out, first, first_size / 2, NULL, &err),
                     MAE_ERR_FORMAT);
    ck_assert_ok(mae_image_decode(&out, first, first_size, NULL, &err));
    ck_assert_mem_eq(out.data, big.data, 40 * 40 * 3);
    free(first);
    free(second);
    mae_image_done(&big);
    mae_image_done(&small);
    mae_image_done(&out);
}
END_TEST

typedef struct Job {
    const uint8_t *bytes;
    size_t size;
    const void *want;
    int wrong;
} Job;

/* Good and bad files in turn: an error in one thread must not reach another. */
static void *decode_often(void *arg)
{
    Job *job = arg;
    MaeImage img = {0};
    MaeError err = {0};

    for (int i = 0; i < 50; i++) {
        job->wrong += mae_image_decode(&img, job->bytes, job->size, NULL, &err) != MAE_OK;
        job->wrong += memcmp(img.data, job->want, (size_t)48 * 48 * 3) != 0;
        job->wrong += mae_image_decode(&img, job->bytes, job->size / 2, NULL, &err) !=
                      MAE_ERR_FORMAT;
    }
    mae_image_done(&img);
    return NULL;
}

START_TEST(threads_do_not_meet)
{
    MaeImage img = fixture_picture(48, 48, 3, MAE_PIXEL_U8, 1), want[2] = {{0}, {0}};
    uint8_t *bytes[2] = {NULL, NULL};
    size_t size[2];
    MaeError err = {0};
    pthread_t threads[4];
    Job jobs[4];

    ck_assert_ok(mae_image_encode_jpeg(&bytes[0], &size[0], &img, 90, &err));
    ck_assert_ok(mae_image_encode_png(&bytes[1], &size[1], &img, &err));
    for (size_t i = 0; i < 2; i++)
        ck_assert_ok(mae_image_decode(&want[i], bytes[i], size[i], NULL, &err));
    for (size_t i = 0; i < 4; i++) {
        jobs[i] = (Job){bytes[i % 2], size[i % 2], want[i % 2].data, 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, decode_often, &jobs[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(jobs[i].wrong, 0);
    }
    for (size_t i = 0; i < 2; i++) {
        free(bytes[i]);
        mae_image_done(&want[i]);
    }
    mae_image_done(&img);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_image");
    TCase *tc = tcase_create("image");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, reshape_grows_and_keeps);
    tcase_add_test(tc, content_decides_the_format);
    tcase_add_test(tc, limits_are_the_callers);
    tcase_add_test(tc, memory_follows_the_pixels);
    tcase_add_test(tc, a_long_line_is_judged_by_its_pixels);
    tcase_add_test(tc, buffers_are_reused);
    tcase_add_test(tc, threads_do_not_meet);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
