#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "support/test.h"

MaeImage fixture_picture(size_t height, size_t width, size_t channels, MaePixel type,
                         uint64_t seed)
{
    const size_t n = height * width * channels;
    float *noise = mae_test_normal(n, seed, 77);
    MaeImage img = {0};
    MaeError err = {0};

    ck_assert_ok(mae_image_reshape(&img, height, width, channels, type, &err));
    for (size_t i = 0; i < n; i++) {
        const double x = (double)(i / channels % width),
                     y = (double)(i / channels / width);
        const double wave = sin(x / 7.0 + (double)(i % channels)) * cos(y / 5.0);
        const double v = fmin(fmax(0.5 + 0.4 * wave + 0.02 * (double)noise[i], 0.0), 1.0);

        if (type == MAE_PIXEL_U8)
            ((uint8_t *)img.data)[i] = (uint8_t)lrint(v * 255.0);
        else if (type == MAE_PIXEL_U16)
            ((uint16_t *)img.data)[i] = (uint16_t)lrint(v * 65535.0);
        else
            ((float *)img.data)[i] = (float)v;
    }
    free(noise);
    return img;
}

static void jpeg_layout(struct jpeg_compress_struct *jpeg, jpeg_scan_info scans[4],
                        const FixtureJpeg *how)
{
    for (int c = 0; c < jpeg->num_components; c++) {
        if (how->sampling[c][0] > 0) {
            jpeg->comp_info[c].h_samp_factor = how->sampling[c][0];
            jpeg->comp_info[c].v_samp_factor = how->sampling[c][1];
        }
        scans[c] = (jpeg_scan_info){.comps_in_scan = 1, .component_index = {c}, .Se = 63};
    }
    if (how->progressive)
        jpeg_simple_progression(jpeg);
    if (how->planar) {
        jpeg->scan_info = scans;
        jpeg->num_scans = jpeg->num_components;
    }
    jpeg->arith_code = how->arithmetic;
    jpeg->restart_interval = how->restart;
}

uint8_t *fixture_jpeg(size_t *size, const MaeImage *img, FixtureJpeg how)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg_scan_info scans[4];
    unsigned char *bytes = NULL;
    unsigned long length = 0;

    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &length);
    jpeg.image_height = (JDIMENSION)img->height;
    jpeg.image_width = (JDIMENSION)img->width;
    jpeg.input_components = (int)img->channels;
    jpeg.in_color_space = how.given;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, how.stored);
    jpeg_set_quality(&jpeg, how.quality > 0 ? how.quality : 95, TRUE);
    if (how.no_adobe)
        jpeg.write_Adobe_marker = FALSE;
    jpeg_layout(&jpeg, scans, &how);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        uint8_t *row =
            (uint8_t *)img->data + jpeg.next_scanline * mae_image_row_bytes(img);

        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    *size = length;
    return bytes;
}

size_t fixture_png_channels(int color)
{
    return color == PNG_COLOR_TYPE_RGB          ? 3
           : color == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
           : color == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                : 1;
}

png_color fixture_palette(size_t i)
{
    return (png_color){(png_byte)(i * 7 + 3), (png_byte)(255 - i), (png_byte)(i * 31)};
}

typedef struct Sink {
    uint8_t *data;
    size_t size;
} Sink;

static void sink_write(png_structp png, png_bytep from, size_t size)
{
    Sink *sink = png_get_io_ptr(png);

    sink->data = realloc(sink->data, sink->size + size);
    ck_assert_ptr_nonnull(sink->data);
    memcpy(sink->data + sink->size, from, size);
    sink->size += size;
}

static void sink_flush(png_structp png)
{
    (void)png;
}

static void png_colors(png_structp png, png_infop info, FixturePng how)
{
    png_byte alpha[3] = {0, 128, 255};
    png_color_16 key = {.index = 0, .red = 1, .green = 2, .blue = 3, .gray = 1};
    png_color palette[256];

    for (size_t i = 0; i < 256; i++)
        palette[i] = fixture_palette(i);
    if (how.color == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 1 << how.depth);
    if (how.transparent)
        png_set_tRNS(png, info, alpha, how.depth > 1 ? 3 : 2, &key);
}

/* Samples to the bytes of the file: big-endian, the first of a byte in its high bits. */
static void pack_row(uint8_t *row, const uint16_t *samples, size_t n, int depth)
{
    for (size_t i = 0; i < n; i++) {
        if (depth == 16) {
            row[2 * i] = (uint8_t)(samples[i] >> 8);
            row[2 * i + 1] = (uint8_t)samples[i];
        } else {
            const size_t bit = i * (size_t)depth;

            row[bit / 8] |= (uint8_t)(samples[i] << (8 - (size_t)depth - bit % 8));
        }
    }
}

uint8_t *fixture_png(size_t *size, const uint16_t *samples, FixturePng how)
{
    const size_t n = how.width * fixture_png_channels(how.color);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t **rows = mae_test_alloc(how.height * sizeof *rows);
    Sink sink = {0};

    png_set_write_fn(png, &sink, sink_write, sink_flush);
    png_set_IHDR(png, info, (png_uint_32)how.width, (png_uint_32)how.height, how.depth,
                 how.color, how.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_colors(png, info, how);
    png_write_info(png, info);
    for (size_t y = 0; y < how.height; y++) {
        rows[y] = mae_test_alloc(2 * n + 8);
        pack_row(rows[y], samples + y * n, n, how.depth);
    }
    png_write_image(png, rows);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    for (size_t y = 0; y < how.height; y++)
        free(rows[y]);
    free(rows);
    *size = sink.size;
    return sink.data;
}

size_t fixture_resident(void)
{
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss * 1024;
}

/* The middle of a picture, at a scale that its size picks. */
static MaePart middle(const void *ctx, size_t height, size_t width)
{
    (void)ctx;
    return (MaePart){{height / 3, width / 3, height / 3 + 1, width / 3 + 1},
                     1u << (height + width) % 4};
}

/* A picture that decodes whole does so in part; one that does not may. */
static void survive_part(const void *bytes, size_t size, const MaeImageLimits *limits,
                         MaeStatus whole)
{
    const MaeChooser chooser = {middle, NULL};
    MaeImage img = {0};
    MaeError err = {0};
    const MaeStatus status =
        mae_image_decode_part(&img, bytes, size, limits, &chooser, &err);

    ck_assert_msg(status == MAE_OK || (status == whole && status == MAE_ERR_FORMAT),
                  "%s: %s", mae_status_name(status), err.msg);
    mae_image_done(&img);
}

MaeStatus fixture_survive(const void *bytes, size_t size)
{
    const MaeImageLimits limits = {.max_pixels = 1 << 20, .max_memory = 1 << 24};
    uint8_t *exact = malloc(size > 0 ? size : 1); /* so that overreads are seen */
    MaeImage img = {0};
    MaeError err = {0};
    MaeStatus status;
    unsigned sum = 0;

    ck_assert_ptr_nonnull(exact);
    memcpy(exact, bytes, size);
    status = mae_image_decode(&img, exact, size, &limits, &err);
    ck_assert_msg(status == MAE_OK || status == MAE_ERR_FORMAT, "%s: %s",
                  mae_status_name(status), err.msg);
    if (status == MAE_OK) {
        for (size_t i = 0; i < img.height * mae_image_row_bytes(&img); i++)
            sum += ((const uint8_t *)img.data)[i];
        ck_assert_uint_le(sum, UINT32_MAX);
    } else {
        ck_assert_uint_gt(strlen(err.msg), 0);
    }
    mae_image_done(&img);
    survive_part(exact, size, &limits, status);
    free(exact);
    return status;
}
