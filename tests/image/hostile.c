#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "fixture.h"
#include "support/test.h"

/** Position of the first marker FF @p code. */
static size_t find_marker(const uint8_t *bytes, size_t size, uint8_t code)
{
    size_t at = 0;

    while (at + 1 < size && (bytes[at] != 0xff || bytes[at + 1] != code))
        at++;
    ck_assert_uint_lt(at + 1, size);
    return at;
}

static const FixtureJpeg GREY = {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE};
static const FixtureJpeg COLOR = {.given = JCS_RGB, .stored = JCS_YCbCr};
static const FixtureJpeg ARITHMETIC = {
    .given = JCS_RGB, .stored = JCS_YCbCr, .arithmetic = true};

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

/* A table of one code, '0': all blocks of a run of 2^14 + 14 more bits are at their end;
 * and a scan header: component 1, refine coefficients 1..63 from bit 1 to bit 0. */
static const uint8_t RUNS[] = {0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0,
                               0,    0,    0, 0,  0,    0, 0, 0, 0, 0, 0xe0};
static const uint8_t REFINE[] = {0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0x10};

#define SCANS 1000

/**
 * A grey progressive file of @p side that ends in SCANS more scans, each of which walks
 * over all coefficients of all blocks on a few bytes, and as many zeros as make its size
 * believable.
 */
static uint8_t *many_scans(size_t *size, unsigned side)
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
    *size = length + sizeof RUNS + SCANS * part + blocks / 8;
    grown = mae_test_alloc(*size);
    memcpy(grown, bytes, length - 2);
    to = grown + length - 2;
    memcpy(to, RUNS, sizeof RUNS);
    to += sizeof RUNS;
    for (size_t i = 0; i < SCANS; i++) {
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

/* A file whose header claims another size. */
static uint8_t *claimed(size_t *size, FixtureJpeg how, uint8_t code, unsigned side)
{
    uint8_t *bytes = small_jpeg(size, how, 3);

    claim(bytes, *size, code, side, side);
    return bytes;
}

static uint8_t *baseline(size_t *size, unsigned side)
{
    return claimed(size, COLOR, 0xc0, side);
}

static uint8_t *arithmetic(size_t *size, unsigned side)
{
    return claimed(size, ARITHMETIC, 0xc9, side);
}

/* @param kind second byte of the marker of the frame. */
static uint8_t *other_frame(size_t *size, unsigned kind)
{
    uint8_t *bytes = small_jpeg(size, COLOR, 3);

    bytes[find_marker(bytes, *size, 0xc0) + 1] = (uint8_t)kind;
    return bytes;
}

static uint8_t *no_height(size_t *size, unsigned width)
{
    uint8_t *bytes = small_jpeg(size, COLOR, 3);

    claim(bytes, *size, 0xc0, 0, width);
    return bytes;
}

static uint8_t *precision(size_t *size, unsigned bits)
{
    uint8_t *bytes = small_jpeg(size, GREY, 1);

    bytes[find_marker(bytes, *size, 0xc0) + 4] = (uint8_t)bits;
    return bytes;
}

/* Colour spaces and codings that decode. */
static uint8_t *sound_jpeg(size_t *size, unsigned which)
{
    static const struct {
        FixtureJpeg how;
        size_t channels;
    } kinds[] = {
        {{.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE}, 1},
        {{.given = JCS_CMYK, .stored = JCS_CMYK}, 4},
        {{.given = JCS_CMYK, .stored = JCS_CMYK, .no_adobe = true}, 4},
        {{.given = JCS_CMYK, .stored = JCS_YCCK}, 4},
        {{.given = JCS_RGB, .stored = JCS_YCbCr, .arithmetic = true}, 3},
        {{.given = JCS_RGB, .stored = JCS_YCbCr, .progressive = true}, 3},
    };

    return small_jpeg(size, kinds[which].how, kinds[which].channels);
}

/* An EXIF header that is wrong in one way, in front of a sound picture. */
static uint8_t *bad_exif(size_t *size, unsigned which)
{
    static const uint8_t head[12] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f'};
    static const uint8_t exif[3][24] = {
        /* The directory lies outside. */
        {'I', 'I', 42, 0, 0xf0, 0xff, 0xff, 0xff},
        /* The next directory is the first again. */
        {'I', 'I', 42, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 0},
        /* As many entries as can be, the only one with as many values as can be. */
        {'M',  'M', 0, 42,   0,    0,    0,    8,    0xff, 0xff, 1,
         0x12, 0,   3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    };
    uint8_t *bytes = small_jpeg(size, COLOR, 3);

    bytes = realloc(bytes, *size + 36);
    ck_assert_ptr_nonnull(bytes);
    memmove(bytes + 38, bytes + 2, *size - 2);
    memcpy(bytes + 2, head, 10);
    memset(bytes + 12, 0, 26);
    memcpy(bytes + 12, exif[which], 24);
    *size += 36;
    return bytes;
}

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

/* Size, depth, colour type; compression, filter, interlacing. */
typedef struct Header {
    uint8_t bytes[13];
} Header;

static Header header(size_t side, int depth, int color, bool interlaced)
{
    Header h = {{0}};

    put32(h.bytes, side);
    put32(h.bytes + 4, side);
    h.bytes[8] = (uint8_t)depth;
    h.bytes[9] = (uint8_t)color;
    h.bytes[12] = interlaced;
    return h;
}

/** A PNG of @p megabytes of pixels, with @p extra before them unless it is NULL. */
static uint8_t *zeros_png(size_t *size, Header h, const char *type, const void *extra,
                          size_t extra_size, size_t megabytes)
{
    size_t packed;
    uint8_t *idat = packed_zeros(&packed, megabytes), *bytes, *at;

    bytes = at = mae_test_alloc(extra_size + packed + 1000);
    memcpy(at, "\x89PNG\r\n\x1a\n", 8);
    at = put_chunk(at + 8, "IHDR", h.bytes, 13);
    if (h.bytes[9] == PNG_COLOR_TYPE_PALETTE)
        at = put_chunk(at, "PLTE", "abcdef", 6);
    if (type != NULL)
        at = put_chunk(at, type, extra, extra_size);
    at = put_chunk(at, "IDAT", idat, packed);
    at = put_chunk(at, "IEND", "", 0);
    *size = (size_t)(at - bytes);
    free(idat);
    return bytes;
}

/* @param code depth * 100 + colour type * 10 + interlacing. */
static uint8_t *liar(size_t *size, size_t side, unsigned code)
{
    return zeros_png(size,
                     header(side, (int)code / 100, (int)code / 10 % 10, code % 10 == 1),
                     NULL, NULL, 0, 1);
}

/* True, and above the default limit. */
static uint8_t *large(size_t *size, unsigned side)
{
    return zeros_png(size, header(side, 1, 0, false), NULL, NULL, 0, 22);
}

static uint8_t *liar_13000(size_t *size, unsigned code)
{
    return liar(size, 13000, code);
}

static uint8_t *liar_2_31(size_t *size, unsigned code)
{
    return liar(size, 0x7fffffff, code);
}

/* A picture of 10 x 10 with 128 MB of pixels. */
static uint8_t *too_many_pixels(size_t *size, unsigned interlaced)
{
    return zeros_png(size, header(10, 8, 0, interlaced == 1), NULL, NULL, 0, 128);
}

/* 128 MB of blanks in a chunk of text or of a colour profile. */
static uint8_t *text_bomb(size_t *size, unsigned which)
{
    static const char *const types[] = {"zTXt", "iCCP", "iTXt"};
    static const size_t heads[] = {3, 3, 6};
    size_t packed;
    uint8_t *zeros = packed_zeros(&packed, 128), *extra, *bytes;

    extra = mae_test_alloc(packed + 8);
    memcpy(extra, which == 2 ? "x\0\1\0\0" : "x\0", heads[which]);
    memcpy(extra + heads[which], zeros, packed);
    bytes = zeros_png(size, header(10, 8, 0, false), types[which], extra,
                      packed + heads[which], 1);
    free(zeros);
    free(extra);
    return bytes;
}

/* Time in proportion, nothing kept. */
static uint8_t *many_chunks(size_t *size, unsigned chunks)
{
    size_t length;
    uint8_t *bytes = zeros_png(&length, header(10, 8, 0, false), NULL, NULL, 0, 1), *at;
    uint8_t *grown = mae_test_alloc(length + (size_t)chunks * 16);

    memcpy(grown, bytes, 33); /* signature and header */
    at = grown + 33;
    for (size_t i = 0; i < chunks; i++)
        at = put_chunk(at, i % 2 == 0 ? "tEXt" : "sPLT", "a\0b", 3);
    memcpy(at, bytes + 33, length - 33);
    *size = (size_t)(at - grown) + length - 33;
    free(bytes);
    return grown;
}

/* @param code as of liar: what decodes. */
static uint8_t *sound_png(size_t *size, unsigned code)
{
    return zeros_png(
        size, header(16, (int)code / 100, (int)code / 10 % 10, code % 10 == 1),
        code / 10 % 10 == PNG_COLOR_TYPE_PALETTE ? "tRNS" : NULL, "\0", 1, 1);
}

static uint8_t *half_png(size_t *size, unsigned code)
{
    uint8_t *bytes = sound_png(size, code);

    *size /= 2;
    return bytes;
}

static uint8_t *half_jpeg(size_t *size, unsigned which)
{
    uint8_t *bytes = sound_jpeg(size, which);

    *size -= *size / 8;
    return bytes;
}

static uint8_t *other_format(size_t *size, unsigned which)
{
    static const struct {
        const char *start;
        size_t size;
    } formats[] = {
        {"", 0},
        {"GIF89a\1\0\1\0", 10},
        {"RIFF\4\0\0\0WEBPVP8 ", 16},
        {"II*\0\10\0\0\0", 8},
        {"MM\0*\0\0\0\10", 8},
        {"BM\x3a\0\0\0\0\0\0\0", 10},
        {"\n <!DOCTYPE html><html>", 23},
        {"\0\0\0\x1c"
         "ftypavif",
         12},
        {"\xff\xd8", 2},
        {"\0\0\0\0\0\0\0\0\0", 9},
    };
    uint8_t *bytes = mae_test_alloc(formats[which].size);

    memcpy(bytes, formats[which].start, formats[which].size);
    *size = formats[which].size;
    return bytes;
}

#define OVER "pixels are over the limit"
#define CANNOT "cannot hold 13000 x 13000 pixels"

static const HostileFile FILES[] = {
    {"jpeg-65500.jpg", "65500 x 65500 " OVER, baseline, 65500},
    {"jpeg-13000.jpg", CANNOT, baseline, 13000},
    {"arithmetic-65500.jpg", "65500 x 65500 " OVER, arithmetic, 65500},
    {"arithmetic-13000.jpg", CANNOT, arithmetic, 13000},
    {"scans-65500.jpg", "65500 x 65500 " OVER, many_scans, 65500},
    {"scans-16.jpg", "too many scans: 501", many_scans, 16},
    {"scans-500.jpg", "too many scans: 501", many_scans, 500},
    {"scans-1000.jpg", "too many scans: 501", many_scans, 1000},
    {"scans-2000.jpg", "too many scans: 269", many_scans, 2000},
    {"scans-3000.jpg", "too many scans: 120", many_scans, 3000},
    {"no-height.jpg", "Empty JPEG image (DNL not supported)", no_height, 16},
    {"lossless.jpg", "SOF type 0xc3", other_frame, 0xc3},
    {"differential.jpg", "SOF type 0xc5", other_frame, 0xc5},
    {"lossless-arithmetic.jpg", "SOF type 0xcb", other_frame, 0xcb},
    {"12-bit.jpg", "precision 12", precision, 12},
    {"grey.jpg", NULL, sound_jpeg, 0},
    {"cmyk.jpg", NULL, sound_jpeg, 1},
    {"cmyk-no-adobe.jpg", NULL, sound_jpeg, 2},
    {"ycck.jpg", NULL, sound_jpeg, 3},
    {"arithmetic.jpg", NULL, sound_jpeg, 4},
    {"jpeg-named.png", NULL, sound_jpeg, 5},
    {"cut.jpg", "JPEG: truncated", half_jpeg, 5},
    {"exif-outside.jpg", NULL, bad_exif, 0},
    {"exif-loop.jpg", NULL, bad_exif, 1},
    {"exif-counts.jpg", NULL, bad_exif, 2},
    {"png-2-31.png", "PNG: ", liar_2_31, 800},
    {"png-2-31-deep.png", "PNG: ", liar_2_31, 1620},
    {"png-2-31-palette.png", "PNG: ", liar_2_31, 831},
    {"png-13000.png", CANNOT, liar_13000, 1661},
    {"png-13000-palette.png", CANNOT, liar_13000, 831},
    {"large.png", "13378 x 13378 " OVER, large, 13378},
    {"pixels.png", NULL, too_many_pixels, 0},
    {"pixels-interlaced.png", NULL, too_many_pixels, 1},
    {"ztxt.png", NULL, text_bomb, 0},
    {"iccp.png", NULL, text_bomb, 1},
    {"itxt.png", NULL, text_bomb, 2},
    {"chunks.png", NULL, many_chunks, 200000},
    {"16-bit.png", NULL, sound_png, 1620},
    {"16-bit-alpha.png", NULL, sound_png, 1661},
    {"palette.png", NULL, sound_png, 130},
    {"palette-interlaced.png", NULL, sound_png, 131},
    {"png-named.jpg", NULL, sound_png, 821},
    {"cut.png", "PNG: ", half_png, 820},
    {"zero.jpg", "file is empty (0 bytes)", other_format, 0},
    {"gif.jpg", "image: neither JPEG nor PNG: a GIF of 10 bytes", other_format, 1},
    {"webp.jpg", "a WebP of 16 bytes", other_format, 2},
    {"tiff.jpg", "a TIFF of 8 bytes", other_format, 3},
    {"big-tiff.jpg", "a TIFF of 8 bytes", other_format, 4},
    {"bmp.jpg", "a BMP of 10 bytes", other_format, 5},
    {"html.jpg", "a text or web page of 23 bytes", other_format, 6},
    {"avif.jpg", "an AVIF or HEIF of 12 bytes", other_format, 7},
    {"soi.jpg", "2 bytes, starts with ff d8", other_format, 8},
    {"zeros.png", "9 bytes, starts with 00 00 00 00 00 00 00 00", other_format, 9},
};

const HostileFile *hostile_files(size_t *count)
{
    *count = sizeof FILES / sizeof *FILES;
    return FILES;
}

uint8_t *hostile_make(const HostileFile *file, size_t *size)
{
    return file->make(size, file->arg);
}
