#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "fixture.h"
#include "support/test.h"

/* A TIFF header with one directory of @p before other entries and the orientation. */
static size_t make_tiff(uint8_t *to, bool little, unsigned before, unsigned type,
                        unsigned value)
{
    uint8_t *at = to;
    const uint32_t fields[] = {42, 8, before + 1};
    const size_t widths[] = {2, 4, 2};

#define PUT(v, n)                                                                        \
    for (size_t k_ = 0; k_ < (n); k_++)                                                  \
    *at++ = (uint8_t)((uint32_t)(v) >> (little ? 8 * k_ : 8 * ((n)-1 - k_)))
    *at++ = little ? 'I' : 'M';
    *at++ = little ? 'I' : 'M';
    for (size_t i = 0; i < 3; i++)
        PUT(fields[i], widths[i]);
    for (unsigned i = 0; i <= before; i++) {
        PUT(i < before ? 0x010fu : 0x0112u, 2);
        PUT(i < before ? 2 : type, 2);
        PUT(1, 4);
        PUT(i < before ? 7 : value, 2);
        PUT(0, 2);
    }
#undef PUT
    return (size_t)(at - to);
}

static size_t segment(uint8_t *to, const char *header, size_t header_size,
                      const uint8_t *body, size_t size)
{
    const size_t length = 2 + header_size + size;

    to[0] = 0xff;
    to[1] = 0xe1;
    to[2] = (uint8_t)(length >> 8);
    to[3] = (uint8_t)length;
    memcpy(to + 4, header, header_size);
    memcpy(to + 4 + header_size, body, size);
    return 2 + length;
}

/* SOI, an APP1 that is not Exif, the Exif APP1, SOS. */
static size_t make_jpeg(uint8_t *to, const uint8_t *tiff, size_t size)
{
    size_t n = 2;

    memcpy(to, "\xff\xd8", 2);
    n += segment(to + n, "http://ns", 10, tiff, 4);
    n += segment(to + n, "Exif\0", 6, tiff, size);
    memcpy(to + n, "\xff\xda\x00\x08", 4);
    return n + 4;
}

static size_t make_png(uint8_t *to, const uint8_t *tiff, size_t size)
{
    memcpy(to, "\x89PNG\r\n\x1a\n", 8);
    memcpy(to + 8, "\0\0\0\2tIMExxyyyy", 14);
    memset(to + 22, 0, 3);
    to[25] = (uint8_t)size;
    memcpy(to + 26, "eXIf", 4);
    memcpy(to + 30, tiff, size);
    memset(to + 30 + size, 0, 4);
    return 34 + size;
}

static int orientation_of(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    int value;

    ck_assert_ptr_nonnull(exact);
    memcpy(exact, bytes, size);
    value = mae_image_orientation(exact, size);
    free(exact);
    return value;
}

START_TEST(found_in_both_formats_and_byte_orders)
{
    uint8_t tiff[128], file[256];

    for (unsigned value = 0; value <= 10; value++) {
        const int want = value >= 1 && value <= 8 ? (int)value : 1;

        for (unsigned little = 0; little < 2; little++) {
            const size_t size = make_tiff(tiff, little == 1, value % 3, 3, value);

            ck_assert_int_eq(orientation_of(file, make_jpeg(file, tiff, size)), want);
            ck_assert_int_eq(orientation_of(file, make_png(file, tiff, size)), want);
        }
    }
}
END_TEST

START_TEST(anything_odd_means_upright)
{
    uint8_t tiff[128], file[256];
    size_t size = make_tiff(tiff, true, 0, 4, 6), whole;

    ck_assert_int_eq(orientation_of(file, make_jpeg(file, tiff, size)), 1);
    size = make_tiff(tiff, true, 1, 3, 6);
    whole = make_jpeg(file, tiff, size);
    for (size_t cut = 0; cut < whole - 6; cut++)
        ck_assert_int_eq(orientation_of(file, cut), 1);
    ck_assert_int_eq(orientation_of(file, whole), 6);
    whole = make_png(file, tiff, size);
    for (size_t cut = 0; cut < whole - 6; cut++)
        ck_assert_int_eq(orientation_of(file, cut), 1);
    memset(tiff + 4, 0xff, 4); /* directory far outside */
    ck_assert_int_eq(orientation_of(file, make_jpeg(file, tiff, size)), 1);
    ck_assert_int_eq(orientation_of((const uint8_t *)"GIF89a", 6), 1);
}
END_TEST

START_TEST(damage_is_survived)
{
    uint8_t tiff[128], file[256], copy[256];
    MaeRng rng;

    mae_rng_init(&rng, 11, 0, 0, MAE_RNG_TEST);
    for (int round = 0; round < 20000; round++) {
        const size_t n = make_tiff(tiff, round % 2 == 0, 2, 3, 6);
        const size_t size =
            round % 4 < 2 ? make_jpeg(file, tiff, n) : make_png(file, tiff, n);
        int value;

        memcpy(copy, file, size);
        for (uint32_t i = mae_rng_below(&rng, 4) + 1; i > 0; i--)
            copy[3 + mae_rng_below(&rng, (uint32_t)size - 3)] =
                (uint8_t)(mae_rng_below(&rng, 3) == 0 ? 255 : mae_rng_below(&rng, 256));
        value = orientation_of(copy, size);
        ck_assert_int_ge(value, 1);
        ck_assert_int_le(value, 8);
    }
}
END_TEST

/* Stored pixels 0 1 2 / 3 4 5, upright by EXIF 2.3, figure of tag 0x0112. */
START_TEST(orient_turns_pixels_upright)
{
    static const uint8_t want[9][6] = {
        {0},
        {0, 1, 2, 3, 4, 5},
        {2, 1, 0, 5, 4, 3},
        {5, 4, 3, 2, 1, 0},
        {3, 4, 5, 0, 1, 2},
        {0, 3, 1, 4, 2, 5},
        {3, 0, 4, 1, 5, 2},
        {5, 2, 4, 1, 3, 0},
        {2, 5, 1, 4, 0, 3},
    };

    for (int o = 1; o <= 8; o++) {
        for (int t = 0; t < 2; t++) {
            const MaePixel type = t == 0 ? MAE_PIXEL_U8 : MAE_PIXEL_F32;
            MaeImage img = {0};
            MaeError err = {0};

            ck_assert_ok(mae_image_reshape(&img, 2, 3, 3, type, &err));
            for (size_t i = 0; i < 18; i++) {
                if (type == MAE_PIXEL_U8)
                    ((uint8_t *)img.data)[i] = (uint8_t)(i / 3 + 50 * (i % 3));
                else
                    ((float *)img.data)[i] = (float)(i / 3 + 50 * (i % 3));
            }
            ck_assert_ok(mae_image_orient(&img, o, &err));
            ck_assert_uint_eq(img.height, o < 5 ? 2 : 3);
            ck_assert_uint_eq(img.width, o < 5 ? 3 : 2);
            for (size_t i = 0; i < 18; i++) {
                const double got = type == MAE_PIXEL_U8 ? (double)((uint8_t *)img.data)[i]
                                                        : (double)((float *)img.data)[i];

                ck_assert_double_eq(got, (double)(want[o][i / 3] + 50 * (i % 3)));
            }
            mae_image_done(&img);
        }
    }
}
END_TEST

START_TEST(orient_refuses_other_numbers)
{
    MaeImage img = fixture_picture(2, 2, 1, MAE_PIXEL_U8, 1);
    MaeError err = {0};

    ck_assert_fails(mae_image_orient(&img, 0, &err), MAE_ERR_ARG, "got 0");
    ck_assert_fails(mae_image_orient(&img, 9, &err), MAE_ERR_ARG, "got 9");
    mae_image_done(&img);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_exif");
    TCase *tc = tcase_create("exif");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, found_in_both_formats_and_byte_orders);
    tcase_add_test(tc, anything_odd_means_upright);
    tcase_add_test(tc, damage_is_survived);
    tcase_add_test(tc, orient_turns_pixels_upright);
    tcase_add_test(tc, orient_refuses_other_numbers);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
