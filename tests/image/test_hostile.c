/* Small files that ask for much memory or time, and kinds that are refused. */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "fixture.h"
#include "support/cost.h"
#include "support/test.h"

/** A file and what becomes of it. */
typedef struct Case {
    uint8_t *bytes;
    size_t size;
    const char *message; /* NULL: it decodes */
} Case;

static void decode(void *ctx)
{
    const Case *c = ctx;
    MaeImage img = {0};
    MaeError err = {0};

    if (c->message == NULL)
        ck_assert_ok(mae_image_decode(&img, c->bytes, c->size, NULL, &err));
    else
        ck_assert_fails(mae_image_decode(&img, c->bytes, c->size, NULL, &err),
                        MAE_ERR_FORMAT, c->message);
    mae_image_done(&img);
}

/** Decode a file, within 64 MB and a second, and free it. */
static void check(uint8_t *bytes, size_t size, const char *message)
{
    Case c = {bytes, size, message};

    test_costs_less(64, 1.0, decode, &c);
    free(bytes);
}

/** Position of the first marker FF @p code. */
static size_t find_marker(const uint8_t *bytes, size_t size, uint8_t code)
{
    size_t at = 0;

    while (at + 1 < size && (bytes[at] != 0xff || bytes[at + 1] != code))
        at++;
    ck_assert_uint_lt(at + 1, size);
    return at;
}

static uint8_t *small_jpeg(size_t *size, FixtureJpeg how, size_t channels)
{
    MaeImage img = fixture_picture(16, 16, channels, MAE_PIXEL_U8, 3);
    uint8_t *bytes = fixture_jpeg(size, &img, how);

    mae_image_done(&img);
    return bytes;
}

/** Write another size into the header behind marker FF @p code. */
static void claim(uint8_t *bytes, size_t size, uint8_t code, unsigned height,
                  unsigned width)
{
    const size_t at = find_marker(bytes, size, code);

    bytes[at + 5] = (uint8_t)(height >> 8);
    bytes[at + 6] = (uint8_t)height;
    bytes[at + 7] = (uint8_t)(width >> 8);
    bytes[at + 8] = (uint8_t)width;
}

static const FixtureJpeg GREY = {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE};
static const FixtureJpeg COLOR = {.given = JCS_RGB, .stored = JCS_YCbCr};

/* A table of one code, '0': all blocks up to a run of 2^14 + 14 more bits are at their end;
 * and a scan header: component 1, refine coefficients 1..63 from bit 1 to bit 0. */
static const uint8_t RUNS[] = {0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0,
                               0,    0,    0, 0,  0,    0, 0, 0, 0, 0, 0xe0};
static const uint8_t REFINE[] = {0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0x10};

/**
 * A grey progressive file of @p side that ends in @p scans more scans, each of which walks
 * over all coefficients of all blocks on a few bytes, and as many zeros as make its size
 * believable.
 */
static uint8_t *many_scans(size_t *size, size_t scans, unsigned side)
{
    /* Fifteen bytes hold eight codes, each for 27,306 blocks. */
    static const uint8_t codes[15] = {0x55, 0x54, 0xaa, 0xa9, 0x55, 0x52, 0xaa, 0xa5,
                                      0x55, 0x4a, 0xaa, 0x95, 0x55, 0x2a, 0xaa};
    const size_t blocks = (size_t)((side + 7) / 8) * ((side + 7) / 8);
    const size_t groups = blocks / (8 * 27306) + 1, part = groups * 15 + sizeof REFINE;
    FixtureJpeg how = GREY;
    size_t length;
    uint8_t *bytes, *grown, *to;

    how.progressive = true;
    bytes = small_jpeg(&length, how, 1);
    *size = length + sizeof RUNS + scans * part + blocks / 8;
    grown = mae_test_alloc(*size);
    memcpy(grown, bytes, length - 2);
    to = grown + length - 2;
    memcpy(to, RUNS, sizeof RUNS);
    to += sizeof RUNS;
    for (size_t i = 0; i < scans; i++) {
        memcpy(to, REFINE, sizeof REFINE);
        to += sizeof REFINE;
        for (size_t g = 0; g < groups; g++, to += 15)
            memcpy(to, codes, 15);
    }
    memcpy(grown + *size - 2, "\xff\xd9", 2);
    free(bytes);
    claim(grown, *size, 0xc2, side, side);
    return grown;
}

START_TEST(jpeg_bombs)
{
    FixtureJpeg arithmetic = COLOR;
    uint8_t *bytes;
    size_t size;

    bytes = small_jpeg(&size, COLOR, 3);
    claim(bytes, size, 0xc0, 65500, 65500);
    check(bytes, size, "65500 x 65500 pixels are over the limit");
    bytes = many_scans(&size, 1000, 65500);
    check(bytes, size, "65500 x 65500 pixels are over the limit");
    bytes = many_scans(&size, 1000, 16);
    check(bytes, size, "too many scans: 501");
    arithmetic.arithmetic = true;
    bytes = small_jpeg(&size, arithmetic, 3);
    claim(bytes, size, 0xc9, 65500, 65500);
    check(bytes, size, "65500 x 65500 pixels are over the limit");
    bytes = small_jpeg(&size, arithmetic, 3);
    claim(bytes, size, 0xc9, 13000, 13000);
    check(bytes, size, "cannot hold 13000 x 13000 pixels");
}
END_TEST

/* As many scans as there may be over pictures of this size. */
START_TEST(scans_of_large_pictures)
{
    static const unsigned sides[] = {500, 1000, 2000, 3000, 3800, 5000};
    size_t size;
    uint8_t *bytes = many_scans(&size, 600, sides[_i]);

    check(bytes, size, "too many scans");
}
END_TEST

/* What libjpeg does not decode is named. */
START_TEST(kinds_of_jpeg)
{
    static const struct {
        int frame, height;
        const char *message;
    } cases[] = {
        {0xc0, 0, "JPEG: Empty JPEG image (DNL not supported)"},
        {0xc3, 16, "JPEG: Unsupported JPEG process: SOF type 0xc3"},
        {0xc5, 16, "JPEG: Unsupported JPEG process: SOF type 0xc5"},
        {0xc7, 16, "JPEG: Unsupported JPEG process: SOF type 0xc7"},
        {0xcb, 16, "JPEG: Unsupported JPEG process: SOF type 0xcb"},
        {0xcf, 16, "JPEG: Unsupported JPEG process: SOF type 0xcf"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        uint8_t *bytes = small_jpeg(&size, COLOR, 3);

        claim(bytes, size, 0xc0, (unsigned)cases[i].height, 16);
        bytes[find_marker(bytes, size, 0xc0) + 1] = (uint8_t)cases[i].frame;
        check(bytes, size, cases[i].message);
    }
}
END_TEST

static void put32(uint8_t *to, size_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

/** Append a chunk at @p to. @return behind it. */
static uint8_t *put_chunk(uint8_t *to, const char *type, const void *data, size_t size)
{
    put32(to, size);
    memcpy(to + 4, type, 4);
    memcpy(to + 8, data, size);
    put32(to + 8 + size, (uint32_t)crc32(0, to + 4, (uInt)(size + 4)));
    return to + 12 + size;
}

/** @p megabytes of zeros, packed; the caller frees. */
static uint8_t *packed_zeros(size_t *size, size_t megabytes)
{
    static const uint8_t zeros[1 << 20];
    const size_t room = megabytes * 1100 + 1024;
    uint8_t *out = mae_test_alloc(room);
    z_stream z = {.next_out = out, .avail_out = (uInt)room};

    ck_assert_int_eq(deflateInit(&z, 9), Z_OK);
    for (size_t i = 0; i < megabytes; i++) {
        z.next_in = (Bytef *)(uintptr_t)zeros;
        z.avail_in = sizeof zeros;
        ck_assert_int_eq(deflate(&z, Z_NO_FLUSH), Z_OK);
    }
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    *size = z.total_out;
    (void)deflateEnd(&z);
    return out;
}

/**
 * A PNG by hand: header, one chunk @p type of @p extra before the pixels unless it is
 * NULL, pixels packed in @p idat.
 */
static uint8_t *make_png(size_t *size, const uint8_t *header, const char *type,
                         const void *extra, size_t extra_size, const void *idat,
                         size_t idat_size)
{
    uint8_t *bytes = mae_test_alloc(extra_size + idat_size + 100), *at = bytes;

    memcpy(at, "\x89PNG\r\n\x1a\n", 8);
    at = put_chunk(at + 8, "IHDR", header, 13);
    if (type != NULL)
        at = put_chunk(at, type, extra, extra_size);
    at = put_chunk(at, "IDAT", idat, idat_size);
    at = put_chunk(at, "IEND", "", 0);
    *size = (size_t)(at - bytes);
    return bytes;
}

/* Size, depth, colour type; compression, filter, interlacing. */
static const uint8_t TINY[13] = {0, 0, 0, 10, 0, 0, 0, 10, 8, 0, 0, 0, 0};

/* A picture of 10 x 10 whose pixels unpack to 256 MB. */
START_TEST(png_with_too_many_pixels)
{
    uint8_t header[13], *zeros, *bytes;
    size_t packed, size;

    memcpy(header, TINY, sizeof header);
    zeros = packed_zeros(&packed, 256);
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        header[12] = (uint8_t)interlaced;
        bytes = make_png(&size, header, NULL, NULL, 0, zeros, packed);
        check(bytes, size, NULL);
    }
    free(zeros);
}
END_TEST

/* Chunks that unpack to 256 MB, and what a file of their size cannot hold. */
START_TEST(png_bombs)
{
    static const struct {
        const char *type, *head;
        size_t head_size;
    } cases[] = {{"zTXt", "x\0", 3}, {"iCCP", "x\0", 3}, {"iTXt", "x\0\1\0\0", 6}};
    uint8_t *zeros, *few, *extra, *bytes, header[13];
    size_t packed, few_size, size;

    zeros = packed_zeros(&packed, 256);
    few = packed_zeros(&few_size, 1);
    extra = mae_test_alloc(packed + 8);
    for (size_t i = 0; i < 3; i++) {
        memcpy(extra, cases[i].head, cases[i].head_size);
        memcpy(extra + cases[i].head_size, zeros, packed);
        bytes = make_png(&size, TINY, cases[i].type, extra, packed + cases[i].head_size,
                         few, few_size);
        check(bytes, size, NULL);
    }
    for (int color = 0; color < 7; color += 2) {
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            memcpy(header, TINY, sizeof header);
            put32(header, 13000);
            put32(header + 4, 13000);
            header[9] = (uint8_t)color;
            header[12] = (uint8_t)interlaced;
            bytes = make_png(&size, header, NULL, NULL, 0, few, 100);
            check(bytes, size, "cannot hold 13000 x 13000 pixels");
            put32(header, 0x7fffffff);
            put32(header + 4, 0x7fffffff);
            header[8] = color == 2 || color == 0 ? 16 : 8;
            bytes = make_png(&size, header, NULL, NULL, 0, few, 100);
            check(bytes, size, "PNG: ");
        }
    }
    free(zeros);
    free(few);
    free(extra);
}
END_TEST

/* Hundreds of thousands of small chunks: time in proportion, nothing kept. */
START_TEST(png_of_many_chunks)
{
    const size_t chunks = 200000;
    uint8_t *few, *bytes, *at;
    size_t packed;

    few = packed_zeros(&packed, 1);
    bytes = mae_test_alloc(chunks * 16 + packed + 100);
    memcpy(bytes, "\x89PNG\r\n\x1a\n", 8);
    at = put_chunk(bytes + 8, "IHDR", TINY, 13);
    for (size_t i = 0; i < chunks; i++)
        at = put_chunk(at, i % 2 == 0 ? "tEXt" : "sPLT", "a\0b", 3);
    at = put_chunk(at, "IDAT", few, packed);
    at = put_chunk(at, "IEND", "", 0);
    check(bytes, (size_t)(at - bytes), NULL);
    free(few);
}
END_TEST

/* Files of other formats are what they are, whatever they are called. */
START_TEST(other_formats_are_named)
{
    static const struct {
        const char *start;
        size_t size;
        const char *message;
    } cases[] = {
        {"GIF89a\1\0\1\0", 10, "image: neither JPEG nor PNG: a GIF of 10 bytes"},
        {"RIFF\4\0\0\0WEBPVP8 ", 16, "a WebP of 16 bytes"},
        {"II*\0\10\0\0\0", 8, "a TIFF of 8 bytes"},
        {"MM\0*\0\0\0\10", 8, "a TIFF of 8 bytes"},
        {"BM\x3a\0\0\0\0\0\0\0", 10, "a BMP of 10 bytes"},
        {"\n <!DOCTYPE html><html>", 23, "a text or web page of 23 bytes"},
        {"<html><body>404", 15, "a text or web page of 15 bytes"},
        {"not a picture", 13, "a text or web page of 13 bytes"},
        {"\0\0\0\x1c"
         "ftypavif",
         12, "an AVIF or HEIF of 12 bytes"},
        {"", 0, "image: file is empty (0 bytes)"},
        {"\xff\xd8", 2, "2 bytes, starts with ff d8"},
        {"\0\0\0\0\0\0\0\0\0", 9, "9 bytes, starts with 00 00 00 00 00 00 00 00"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *bytes = mae_test_alloc(cases[i].size);

        memcpy(bytes, cases[i].start, cases[i].size);
        check(bytes, cases[i].size, cases[i].message);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_hostile");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, jpeg_bombs);
    tcase_add_loop_test(tc, scans_of_large_pictures, 0, 6);
    tcase_add_test(tc, kinds_of_jpeg);
    tcase_add_test(tc, png_with_too_many_pixels);
    tcase_add_test(tc, png_bombs);
    tcase_add_test(tc, png_of_many_chunks);
    tcase_add_test(tc, other_formats_are_named);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
