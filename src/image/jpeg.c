#include <assert.h>
#include <limits.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jerror.h>
#include <jpeglib.h>

#include "image/codec.h"

/* Pixels around a box that make it exact; smooth upsampling looks two pixels far. */
#define MARGIN ((size_t)8)

#define FEW_SCANS 32 /* that may be as large as a picture may be */

/*
 * libjpeg reports errors by a call that must not return: it jumps back into the function
 * that started it. Everything that must survive the jump lives here, not in locals.
 */
typedef struct Guard {
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    MaeStatus status;
    MaeError *err;
    unsigned warnings;
    const MaeImageLimits *limits; /* decoding: what the file may ask for */
    size_t size;                  /* decoding: bytes of the file */
} Guard;

_Noreturn static void give_up(Guard *guard, MaeStatus status)
{
    guard->status = status;
    longjmp(guard->escape, 1);
}

static void on_error(j_common_ptr codec)
{
    Guard *guard = codec->client_data;
    const MaeStatus status =
        codec->err->msg_code == JERR_OUT_OF_MEMORY ? MAE_ERR_NOMEM : MAE_ERR_FORMAT;
    char text[JMSG_LENGTH_MAX];

    if (codec->err->msg_code == JERR_NO_BACKING_STORE && guard->limits != NULL)
        (void)snprintf(text, sizeof text,
                       "decoding needs over the limit of %zu bytes (see max_pixels)",
                       guard->limits->max_memory);
    else
        codec->err->format_message(codec, text);
    give_up(guard,
            mae_error_set(guard->err, status, __FILE__, __LINE__, "JPEG: %s", text));
}

/* The default would print. A file that ends early is only a warning to libjpeg. */
static void on_message(j_common_ptr codec, int level)
{
    Guard *guard = codec->client_data;

    if (level >= 0)
        return;
    guard->warnings++;
    if (codec->err->msg_code == JWRN_JPEG_EOF)
        give_up(guard, mae_error_set(guard->err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                                     "JPEG: truncated: the file ends before the image"));
}

/* Small files can hold thousands of scans that each walk over the whole image. Real ones
 * have about ten; many over a large image would take seconds. */
static void on_progress(j_common_ptr codec)
{
    const struct jpeg_decompress_struct *jpeg = (j_decompress_ptr)codec;
    Guard *guard = codec->client_data;
    const double visited = (double)jpeg->input_scan_number * (double)jpeg->image_width *
                           (double)jpeg->image_height;

    if (jpeg->input_scan_number <= (int)guard->limits->max_scans &&
        (jpeg->input_scan_number <= FEW_SCANS ||
         visited <= 6.0 * (double)guard->limits->max_pixels))
        return;
    give_up(guard, mae_error_set(guard->err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                                 "JPEG: too many scans: %d of %u x %u pixels, limit %u",
                                 jpeg->input_scan_number, jpeg->image_width,
                                 jpeg->image_height, guard->limits->max_scans));
}

static struct jpeg_error_mgr *guard_errors(Guard *guard)
{
    struct jpeg_error_mgr *errors = jpeg_std_error(&guard->errors);

    errors->error_exit = on_error;
    errors->emit_message = on_message;
    return errors;
}

/*
 * A Huffman-coded file spends a bit or more on every block of 8 x 8 samples, and so does
 * arithmetic coding of any photograph; a tiny one that claims a huge image is refused
 * before memory and time are spent on grey.
 */
static void check_size(const struct jpeg_decompress_struct *jpeg, Guard *guard)
{
    double bytes = 0.0;

    for (int c = 0; c < jpeg->num_components; c++)
        bytes += (double)jpeg->comp_info[c].width_in_blocks *
                 (double)jpeg->comp_info[c].height_in_blocks / 8.0;
    if (bytes > (double)guard->size)
        give_up(guard,
                mae_error_set(guard->err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                              "JPEG: truncated: %zu bytes cannot hold %u x %u pixels",
                              guard->size, jpeg->image_width, jpeg->image_height));
}

/* Header, limits and the colour space to ask for. @return channels of the image. */
static size_t read_header(struct jpeg_decompress_struct *jpeg, Guard *guard)
{
    size_t channels = 3, left;

    (void)jpeg_read_header(jpeg, TRUE);
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
        jpeg->out_color_space = JCS_GRAYSCALE;
        channels = 1;
        break;
    case JCS_RGB:
    case JCS_YCbCr:
        jpeg->out_color_space = JCS_RGB;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        jpeg->out_color_space = JCS_CMYK;
        break;
    default:
        give_up(guard, mae_error_set(guard->err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                                     "JPEG: %d components of unknown colour space",
                                     jpeg->num_components));
    }
    guard->status =
        mae_image_check_limits(&left, "JPEG", jpeg->image_height, jpeg->image_width,
                               channels, 0, guard->limits, guard->err);
    if (guard->status != MAE_OK)
        give_up(guard, guard->status);
    check_size(jpeg, guard);
    jpeg->mem->max_memory_to_use = left < LONG_MAX ? (long)left : LONG_MAX;
    return channels;
}

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* a * b / 255, rounded, for a and b up to 255. */
static unsigned multiply_255(unsigned a, unsigned b)
{
    const unsigned t = a * b + 128;

    return ((t >> 8) + t) >> 8;
}

/* Pillow's CMYK to RGB, ink 0 = none: (255 - k) * (1 - c). Adobe stores 255 - ink. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, size_t width, unsigned invert)
{
    for (size_t x = 0; x < width; x++, rgb += 3, cmyk += 4) {
        const unsigned white = 255 - (cmyk[3] ^ invert);

        for (size_t c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(white - multiply_255(cmyk[c] ^ invert, white));
    }
}

/*
 * May it be decoded in part? A decoder that stops before the end of the file cannot see
 * that it is cut off, so the file must end in EOI. Files of several scans are read whole
 * in any case. Cropping wide chroma samples goes wrong when it is scaled (libjpeg-turbo
 * 2.1.5 takes the width of chroma from the sampling factors alone).
 */
static bool divisible(struct jpeg_decompress_struct *jpeg, const uint8_t *bytes,
                      size_t size)
{
    return !jpeg_has_multiple_scans(jpeg) && jpeg->max_h_samp_factor <= 2 &&
           jpeg->max_v_samp_factor <= 2 && bytes[size - 2] == 0xff &&
           bytes[size - 1] == JPEG_EOI;
}

/* The box to decode, in pixels of the output, and its scale. */
static MaeBox choose(struct jpeg_decompress_struct *jpeg, const MaeChooser *chooser,
                     const uint8_t *bytes, size_t size)
{
    const size_t height = jpeg->image_height, width = jpeg->image_width;
    MaePart part = {{0, 0, height, width}, 1};
    size_t bottom, right;

    if (chooser != NULL)
        part = chooser->choose(chooser->ctx, height, width);
    assert(part.box.top + part.box.height <= height);
    assert(part.box.left + part.box.width <= width);
    jpeg->scale_num = 1;
    jpeg->scale_denom = part.shrink;
    if (!divisible(jpeg, bytes, size))
        part.box = (MaeBox){0, 0, height, width};
    bottom = divide_up(part.box.top + part.box.height, part.shrink);
    right = divide_up(part.box.left + part.box.width, part.shrink);
    part.box.top /= part.shrink;
    part.box.left /= part.shrink;
    part.box.height = bottom - part.box.top;
    part.box.width = right - part.box.left;
    return part.box;
}

/*
 * Leave out columns, then rows, that the box does not need. At the edges of a crop chroma
 * is interpolated as at the edges of a picture, so these are kept away from the box. The
 * only skip starts at the first row and ends between two rows of blocks: others lead to
 * rows of groups that are half used up (libjpeg-turbo, issue 915).
 */
static MaeStatus crop(struct jpeg_decompress_struct *jpeg, MaeImage *img, MaeBox box,
                      size_t channels, MaeError *err)
{
    const size_t band = (size_t)jpeg->max_v_samp_factor * DCTSIZE / jpeg->scale_denom;
    const size_t bottom = box.top + box.height, columns = jpeg->output_width;
    const size_t top = (box.top > MARGIN ? box.top - MARGIN : 0) / band * band;
    size_t right = box.left + box.width + MARGIN;
    JDIMENSION left = box.left > MARGIN ? (JDIMENSION)(box.left - MARGIN) : 0, width;

    right = right < columns ? right : columns;
    width = (JDIMENSION)right - left;
    if (width < columns)
        jpeg_crop_scanline(jpeg, &left, &width);
    MAE_TRY(mae_image_reshape(img, bottom - top, jpeg->output_width, channels,
                              MAE_PIXEL_U8, err));
    img->picture = (MaePicture){.height = jpeg->image_height,
                                .width = jpeg->image_width,
                                .top = top,
                                .left = left,
                                .shrink = jpeg->scale_denom};
    if (top > 0)
        (void)jpeg_skip_scanlines(jpeg, (JDIMENSION)top);
    return MAE_OK;
}

static void read_rows(struct jpeg_decompress_struct *jpeg, MaeImage *img)
{
    const size_t row_bytes = mae_image_row_bytes(img);
    const size_t top = img->picture.top, bottom = top + img->height;
    const unsigned invert = jpeg->saw_Adobe_marker ? 0xff : 0;
    JSAMPARRAY ink = NULL;

    if (jpeg->out_color_space == JCS_CMYK)
        ink = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE,
                                      jpeg->output_width * 4, 1);
    while (jpeg->output_scanline < bottom) {
        uint8_t *row = (uint8_t *)img->data + (jpeg->output_scanline - top) * row_bytes;

        (void)jpeg_read_scanlines(jpeg, ink != NULL ? ink : &row, 1);
        if (ink != NULL)
            cmyk_to_rgb(row, ink[0], img->width, invert);
    }
    if (bottom == jpeg->output_height)
        (void)jpeg_finish_decompress(jpeg);
}

/* The part between create and destroy that may jump. */
static MaeStatus decode_guarded(struct jpeg_decompress_struct *jpeg, MaeImage *img,
                                const void *bytes, size_t size, const MaeChooser *chooser,
                                Guard *guard)
{
    size_t channels;
    MaeBox box;

    if (setjmp(guard->escape) != 0)
        return guard->status;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &guard->progress;
    jpeg_mem_src(jpeg, bytes, size);
    channels = read_header(jpeg, guard);
    box = choose(jpeg, chooser, bytes, size);
    (void)jpeg_start_decompress(jpeg);
    MAE_TRY(crop(jpeg, img, box, channels, guard->err));
    read_rows(jpeg, img);
    img->warnings = guard->warnings;
    return MAE_OK;
}

MaeStatus mae_jpeg_decode(MaeImage *img, const void *bytes, size_t size,
                          const MaeImageLimits *limits, const MaeChooser *chooser,
                          MaeError *err)
{
    Guard guard = {.err = err,
                   .limits = limits,
                   .size = size,
                   .progress = {.progress_monitor = on_progress}};
    struct jpeg_decompress_struct jpeg = {.err = guard_errors(&guard),
                                          .client_data = &guard};
    const MaeStatus status = decode_guarded(&jpeg, img, bytes, size, chooser, &guard);

    jpeg_destroy_decompress(&jpeg);
    return status;
}

/* Collects compressed data; jpeg_mem_dest loses track of its buffer on errors. */
typedef struct Output {
    struct jpeg_destination_mgr manager; /* first: libjpeg's pointer is ours */
    MaeBytes bytes;
    JOCTET block[4096];
} Output;

static void output_open(j_compress_ptr jpeg)
{
    Output *output = (Output *)jpeg->dest;

    output->manager.next_output_byte = output->block;
    output->manager.free_in_buffer = sizeof output->block;
}

static void output_flush(j_compress_ptr jpeg, size_t size)
{
    Output *output = (Output *)jpeg->dest;

    if (!mae_bytes_append(&output->bytes, output->block, size))
        ERREXIT1(jpeg, JERR_OUT_OF_MEMORY, 0);
    output_open(jpeg);
}

static boolean output_full(j_compress_ptr jpeg)
{
    output_flush(jpeg, sizeof((Output *)jpeg->dest)->block);
    return TRUE;
}

static void output_close(j_compress_ptr jpeg)
{
    output_flush(jpeg, sizeof((Output *)jpeg->dest)->block - jpeg->dest->free_in_buffer);
}

static MaeStatus encode_guarded(struct jpeg_compress_struct *jpeg, Output *output,
                                const MaeImage *img, int quality, Guard *guard)
{
    const size_t row_bytes = mae_image_row_bytes(img);

    if (setjmp(guard->escape) != 0)
        return guard->status;
    jpeg_create_compress(jpeg);
    jpeg->dest = &output->manager;
    jpeg->image_height = (JDIMENSION)img->height;
    jpeg->image_width = (JDIMENSION)img->width;
    jpeg->input_components = (int)img->channels;
    jpeg->in_color_space = img->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        uint8_t *row = (uint8_t *)img->data + jpeg->next_scanline * row_bytes;

        (void)jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    return MAE_OK;
}

MaeStatus mae_image_encode_jpeg(uint8_t **bytes, size_t *size, const MaeImage *img,
                                int quality, MaeError *err)
{
    Guard guard = {.err = err};
    struct jpeg_compress_struct jpeg = {.err = guard_errors(&guard),
                                        .client_data = &guard};
    Output output = {.manager = {.init_destination = output_open,
                                 .empty_output_buffer = output_full,
                                 .term_destination = output_close}};
    MaeStatus status;

    if (img->type != MAE_PIXEL_U8 || (img->channels != 1 && img->channels != 3))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "JPEG: needs 8-bit grey or RGB, got %zu channels of %zu bytes",
                 img->channels, mae_pixel_size(img->type));
    if (img->height > JPEG_MAX_DIMENSION || img->width > JPEG_MAX_DIMENSION ||
        img->height == 0 || img->width == 0)
        MAE_FAIL(err, MAE_ERR_SHAPE, "JPEG: sides must be 1..%ld, got %zu x %zu",
                 JPEG_MAX_DIMENSION, img->width, img->height);
    status = encode_guarded(&jpeg, &output, img, quality, &guard);
    jpeg_destroy_compress(&jpeg);
    if (status != MAE_OK) {
        free(output.bytes.data);
        return status;
    }
    *bytes = output.bytes.data;
    *size = output.bytes.size;
    return MAE_OK;
}
