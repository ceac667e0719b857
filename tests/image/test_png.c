#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "base/rng.h"
#include "fixture.h"
#include "support/test.h"

#define HEIGHT ((size_t)13)
#define WIDTH ((size_t)19)

static const struct {
    int color, depth;
} kinds[] = {
    {PNG_COLOR_TYPE_GRAY, 1},        {PNG_COLOR_TYPE_GRAY, 2},
    {PNG_COLOR_TYPE_GRAY, 4},        {PNG_COLOR_TYPE_GRAY, 8},
    {PNG_COLOR_TYPE_GRAY, 16},       {PNG_COLOR_TYPE_PALETTE, 1},
    {PNG_COLOR_TYPE_PALETTE, 2},     {PNG_COLOR_TYPE_PALETTE, 4},
    {PNG_COLOR_TYPE_PALETTE, 8},     {PNG_COLOR_TYPE_RGB, 8},
    {PNG_COLOR_TYPE_RGB, 16},        {PNG_COLOR_TYPE_GRAY_ALPHA, 8},
    {PNG_COLOR_TYPE_GRAY_ALPHA, 16}, {PNG_COLOR_TYPE_RGB_ALPHA, 8},
    {PNG_COLOR_TYPE_RGB_ALPHA, 16},
};

static uint16_t *random_samples(size_t n, int depth, uint64_t seed)
{
    uint16_t *samples = mae_test_alloc(n * sizeof *samples);
    MaeRng rng;

    mae_rng_init(&rng, seed, 0, 0, MAE_RNG_TEST);
    for (size_t i = 0; i < n; i++)
        samples[i] = (uint16_t)mae_rng_below(&rng, 1u << depth);
    return samples;
}

/* What sample @p c of pixel @p i must decode to. */
static unsigned expected(const uint16_t *samples, FixturePng how, size_t i, size_t c)
{
    const size_t stored = fixture_png_channels(how.color);
    const unsigned v = samples[i * stored + (stored < 3 ? 0 : c)];

    if (how.color == PNG_COLOR_TYPE_PALETTE) {
        const png_color entry = fixture_palette(v);

        return c == 0 ? entry.red : c == 1 ? entry.green : entry.blue;
    }
    return how.depth < 8 ? v * 255 / ((1u << how.depth) - 1) : v;
}

static void check_kind(FixturePng how)
{
    const bool grey = (how.color & PNG_COLOR_MASK_COLOR) == 0;
    const size_t n = HEIGHT * WIDTH * fixture_png_channels(how.color);
    uint16_t *samples = random_samples(n, how.depth, 1);
    MaeImage img = {0};
    MaeError err = {0};
    size_t size;
    uint8_t *bytes = fixture_png(&size, samples, how);

    ck_assert_ok(mae_image_decode(&img, bytes, size, NULL, &err));
    ck_assert_uint_eq(img.height, HEIGHT);
    ck_assert_uint_eq(img.width, WIDTH);
    ck_assert_uint_eq(img.channels, grey ? 1 : 3);
    ck_assert_int_eq(img.type, how.depth == 16 ? MAE_PIXEL_U16 : MAE_PIXEL_U8);
    for (size_t i = 0; i < HEIGHT * WIDTH * img.channels; i++) {
        const unsigned got = how.depth == 16 ? ((const uint16_t *)img.data)[i]
                                             : ((const uint8_t *)img.data)[i];
        const unsigned want = expected(samples, how, i / img.channels, i % img.channels);

        ck_assert_msg(got == want, "color %d depth %d sample %zu: got %u, want %u",
                      how.color, how.depth, i, got, want);
    }
    free(bytes);
    free(samples);
    mae_image_done(&img);
}

START_TEST(decodes_every_kind)
{
    FixturePng how = {.height = HEIGHT,
                      .width = WIDTH,
                      .color = kinds[_i].color,
                      .depth = kinds[_i].depth};

    check_kind(how);
    how.interlaced = true;
    check_kind(how);
    if ((how.color & PNG_COLOR_MASK_ALPHA) == 0) {
        how.transparent = true;
        check_kind(how);
        how.interlaced = false;
        check_kind(how);
    }
}
END_TEST

static uint8_t *small_file(size_t *size, bool interlaced)
{
    uint16_t *samples = random_samples(HEIGHT * WIDTH * 3, 8, 2);
    uint8_t *bytes = fixture_png(size, samples,
                                 (FixturePng){.height = HEIGHT,
                                              .width = WIDTH,
                                              .color = PNG_COLOR_TYPE_RGB,
                                              .depth = 8,
                                              .interlaced = interlaced});

    free(samples);
    return bytes;
}

START_TEST(every_truncation_is_refused)
{
    MaeImage out = {0};
    MaeError err = {0};
    size_t size;
    uint8_t *bytes = small_file(&size, _i == 1);

    for (size_t cut = 0; cut < size; cut++)
        ck_assert_msg(fixture_survive(bytes, cut) == MAE_ERR_FORMAT,
                      "%zu of %zu bytes decode", cut, size);
    for (size_t cut = 8; cut < size; cut += 5)
        ck_assert_fails(mae_image_decode(&out, bytes, cut, NULL, &err), MAE_ERR_FORMAT,
                        "truncated");
    free(bytes);
    mae_image_done(&out);
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
    MaeImage out = {0};
    MaeError err = {0};
    size_t size;
    uint8_t *bytes = small_file(&size, false);

    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(fixture_survive(bytes, size) == MAE_ERR_FORMAT,
                      "bit %zu of byte %zu", bit % 8, bit / 8);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    bytes[30] ^= 1; /* the checksum itself, of the header */
    ck_assert_fails(mae_image_decode(&out, bytes, size, NULL, &err), MAE_ERR_FORMAT,
                    "CRC");
    free(bytes);
    mae_image_done(&out);
}
END_TEST

static void put32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Recompute the checksum of every chunk, so that damage gets past it. */
static void mend(uint8_t *bytes, size_t size)
{
    for (size_t at = 8; at + 12 <= size;) {
        const size_t length = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                              (size_t)bytes[at + 2] << 8 | bytes[at + 3];

        if (length > size - at - 12)
            return;
        put32(bytes + at + 8 + length,
              (uint32_t)crc32(0, bytes + at + 4, (uInt)(length + 4)));
        at += 12 + length;
    }
}

START_TEST(bombs_cost_nothing)
{
    static const struct {
        uint32_t width, height;
        const char *message;
    } cases[] = {{0x7fffffff, 0x7fffffff, "PNG: "},
                 {100000, 100000, "over the limit of 178956970 pixels"},
                 {178956970, 1, "bytes are over the limit"},
                 {0, 5, "PNG: "},
                 {13000, 13000, "cannot hold 13000 x 13000 pixels"}};
    const size_t before = fixture_resident();
    MaeImage out = {0};
    MaeError err = {0};
    size_t size;
    uint8_t *bytes = small_file(&size, false);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put32(bytes + 16, cases[i].width);
        put32(bytes + 20, cases[i].height);
        mend(bytes, size);
        ck_assert_fails(mae_image_decode(&out, bytes, size, NULL, &err), MAE_ERR_FORMAT,
                        cases[i].message);
    }
    ck_assert_uint_lt(fixture_resident() - before, (size_t)64 << 20);
    free(bytes);
    mae_image_done(&out);
}
END_TEST

/* 64 MB of blanks in a zTXt or iCCP chunk behind the header. */
START_TEST(compressed_text_is_not_expanded)
{
    static const char *names[] = {"zTXt", "iCCP"};
    const size_t blanks = (size_t)64 << 20;
    uLongf packed = compressBound(blanks);
    uint8_t *text = mae_test_alloc(blanks), *payload = mae_test_alloc(packed), *file;
    MaeImage out = {0};
    MaeError err = {0};
    size_t size, before;
    uint8_t *bytes = small_file(&size, false);

    ck_assert_int_eq(compress(payload, &packed, text, blanks), Z_OK);
    free(text);
    file = mae_test_alloc(size + packed + 16);
    memcpy(file, bytes, 33);
    put32(file + 33, (uint32_t)packed + 3);
    memcpy(file + 37, names[_i], 4);
    memcpy(file + 41, "x\0\0", 3);
    memcpy(file + 44, payload, packed);
    memcpy(file + 48 + packed, bytes + 33, size - 33);
    mend(file, size + packed + 15);
    before = fixture_resident();
    ck_assert_ok(mae_image_decode(&out, file, size + packed + 15, NULL, &err));
    ck_assert_uint_lt(fixture_resident() - before, (size_t)16 << 20);
    free(bytes);
    free(payload);
    free(file);
    mae_image_done(&out);
}
END_TEST

START_TEST(damage_behind_checksums_is_survived)
{
    const bool interlaced = _i % 2 == 1;
    size_t size, decoded = 0;
    uint16_t *samples = random_samples(HEIGHT * WIDTH, 4, 2);
    uint8_t *bytes = fixture_png(&size, samples,
                                 (FixturePng){.height = HEIGHT,
                                              .width = WIDTH,
                                              .color = PNG_COLOR_TYPE_PALETTE,
                                              .depth = 4,
                                              .interlaced = interlaced,
                                              .transparent = true});
    uint8_t *copy = mae_test_alloc(size);
    MaeRng rng;

    mae_rng_init(&rng, 9, 0, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 2000; round++) {
        memcpy(copy, bytes, size);
        for (uint32_t i = mae_rng_below(&rng, 4) + 1; i > 0; i--)
            copy[8 + mae_rng_below(&rng, (uint32_t)size - 8)] =
                (uint8_t)mae_rng_below(&rng, 256);
        mend(copy, size);
        decoded += fixture_survive(copy, size) == MAE_OK;
    }
    ck_assert_uint_gt(decoded, 0);
    ck_assert_uint_lt(decoded, 2000);
    free(copy);
    free(bytes);
    free(samples);
}
END_TEST

START_TEST(encoding_is_lossless)
{
    const MaePixel type = _i % 2 == 0 ? MAE_PIXEL_U8 : MAE_PIXEL_U16;
    const size_t channels = (size_t)_i / 2 + 1;
    MaeImage img = fixture_picture(11, 23, channels, type, 3), out = {0};
    const size_t sample = mae_pixel_size(type);
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_ok(mae_image_encode_png(&bytes, &size, &img, &err));
    ck_assert_ok(mae_image_decode(&out, bytes, size, NULL, &err));
    ck_assert_uint_eq(out.channels, channels < 3 ? 1 : 3);
    ck_assert_int_eq(out.type, type);
    for (size_t i = 0; i < 11 * 23; i++)
        ck_assert_mem_eq((uint8_t *)out.data + i * out.channels * sample,
                         (uint8_t *)img.data + i * channels * sample,
                         out.channels * sample);
    free(bytes);
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

START_TEST(encoding_refuses)
{
    MaeImage real = fixture_picture(2, 2, 3, MAE_PIXEL_F32, 3);
    MaeImage five = fixture_picture(2, 2, 5, MAE_PIXEL_U8, 3);
    const MaeImage empty = {.channels = 1};
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_fails(mae_image_encode_png(&bytes, &size, &real, &err), MAE_ERR_ARG,
                    "8 or 16");
    ck_assert_fails(mae_image_encode_png(&bytes, &size, &five, &err), MAE_ERR_ARG,
                    "got 5");
    ck_assert_fails(mae_image_encode_png(&bytes, &size, &empty, &err), MAE_ERR_SHAPE,
                    "sides");
    ck_assert_ptr_null(bytes);
    mae_image_done(&real);
    mae_image_done(&five);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_png");
    TCase *tc = tcase_create("png");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, decodes_every_kind, 0, sizeof kinds / sizeof *kinds);
    tcase_add_loop_test(tc, every_truncation_is_refused, 0, 2);
    tcase_add_test(tc, every_flipped_bit_is_refused);
    tcase_add_test(tc, bombs_cost_nothing);
    tcase_add_loop_test(tc, compressed_text_is_not_expanded, 0, 2);
    tcase_add_loop_test(tc, damage_behind_checksums_is_survived, 0, 2);
    tcase_add_loop_test(tc, encoding_is_lossless, 0, 8);
    tcase_add_test(tc, encoding_refuses);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
