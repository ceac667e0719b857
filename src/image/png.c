#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "image/codec.h"

/*
 * libpng reports errors by a jump into the function that started it. Everything that
 * must survive the jump lives here, not in locals.
 */
typedef struct Guard {
    MaeStatus status;
    MaeError *err;
    unsigned warnings;
    bool starved;         /* an allocation has failed: libpng says so only in words */
    const uint8_t *input; /* reading: what is left */
    size_t input_size;
    MaeBytes output; /* writing: what has been made */
} Guard;

_Noreturn static void give_up(png_structp png, MaeStatus status)
{
    Guard *guard = png_get_error_ptr(png);

    guard->status = status;
    png_longjmp(png, 1);
}

_Noreturn static void on_error(png_structp png, png_const_charp text)
{
    const Guard *guard = png_get_error_ptr(png);
    const MaeStatus status = guard->starved ? MAE_ERR_NOMEM : MAE_ERR_FORMAT;

    give_up(png, mae_error_set(guard->err, status, __FILE__, __LINE__, "PNG: %s", text));
}

static void on_warning(png_structp png, png_const_charp text)
{
    Guard *guard = png_get_error_ptr(png);

    (void)text;
    guard->warnings++;
}

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    Guard *guard = png_get_mem_ptr(png);
    void *memory = malloc(size);

    if (memory == NULL)
        guard->starved = true;
    return memory;
}

static void release(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

static void read_bytes(png_structp png, png_bytep to, size_t size)
{
    Guard *guard = png_get_io_ptr(png);

    if (size > guard->input_size)
        give_up(png, mae_error_set(guard->err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                                   "PNG: truncated: the file ends before the image"));
    memcpy(to, guard->input, size);
    guard->input += size;
    guard->input_size -= size;
}

/* PNG is big-endian. */
static bool swap_needed(void)
{
    const uint16_t one = 1;

    return *(const unsigned char *)&one == 1;
}

/* Before the header: nothing but pixels is kept, so no chunk can ask for much memory. The
 * size is judged by shape_image; libpng's own limits are lower. */
static void limit_reader(png_structp png)
{
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_cache_max(png, 64);
    png_set_chunk_malloc_max(png, 1 << 20);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
}

/* Ask for plain grey or RGB of 8 bits, or 16 in native order. */
static void request_pixels(png_structp png, png_infop info)
{
    const int depth = png_get_bit_depth(png, info);
    const int color = png_get_color_type(png, info);

    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    else if (depth < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_alpha(png);
    if (depth == 16 && swap_needed())
        png_set_swap(png);
}

/*
 * Header to shape. 16 bytes a column: libpng holds two rows of up to 8 bytes a pixel.
 * Deflate shrinks by 1032 at most, so a tiny file that claims a huge image is refused
 * before memory is spent on it.
 */
static MaeStatus shape_image(png_structp png, png_infop info, MaeImage *img,
                             const MaeImageLimits *limits, size_t size, MaeError *err)
{
    const size_t height = png_get_image_height(png, info);
    const size_t width = png_get_image_width(png, info);
    const size_t channels =
        (png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR) ? 3 : 1;
    const MaePixel type =
        png_get_bit_depth(png, info) == 16 ? MAE_PIXEL_U16 : MAE_PIXEL_U8;
    size_t left;

    MAE_TRY(mae_image_check_limits(&left, "PNG", height, width,
                                   channels * mae_pixel_size(type), 16 * width, limits,
                                   err));
    if (height * png_get_rowbytes(png, info) / 1032 > size)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "PNG: truncated: %zu bytes cannot hold %zu x %zu pixels", size, width,
                 height);
    return mae_image_reshape(img, height, width, channels, type, err);
}

/* The part that may jump. Rows of an interlaced image are completed pass by pass. */
static MaeStatus decode_guarded(png_structp png, png_infop info, MaeImage *img,
                                const MaeImageLimits *limits, Guard *guard)
{
    const size_t size = guard->input_size;
    int passes;

    if (setjmp(png_jmpbuf(png)) != 0)
        return guard->status;
    limit_reader(png);
    png_set_read_fn(png, guard, read_bytes);
    png_read_info(png, info);
    MAE_TRY(shape_image(png, info, img, limits, size, guard->err));
    request_pixels(png, info);
    passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != mae_image_row_bytes(img))
        png_error(png, "unexpected row size");
    for (int pass = 0; pass < passes; pass++) {
        uint8_t *row = img->data;

        for (size_t y = 0; y < img->height; y++, row += mae_image_row_bytes(img))
            png_read_row(png, row, NULL);
    }
    png_read_end(png, NULL);
    img->warnings = guard->warnings;
    return MAE_OK;
}

MaeStatus mae_png_decode(MaeImage *img, const void *bytes, size_t size,
                         const MaeImageLimits *limits, MaeError *err)
{
    Guard guard = {.err = err, .input = bytes, .input_size = size};
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &guard, on_error,
                                               on_warning, &guard, allocate, release);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    MaeStatus status;

    if (info != NULL)
        status = decode_guarded(png, info, img, limits, &guard);
    else
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "PNG: no memory for the decoder");
    png_destroy_read_struct(&png, &info, NULL);
    return status;
}

static void write_bytes(png_structp png, png_bytep from, size_t size)
{
    Guard *guard = png_get_io_ptr(png);

    if (!mae_bytes_append(&guard->output, from, size)) {
        guard->starved = true;
        png_error(png, "no memory for the encoded image");
    }
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static MaeStatus encode_guarded(png_structp png, png_infop info, const MaeImage *img,
                                Guard *guard)
{
    static const int colors[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                 PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};

    if (setjmp(png_jmpbuf(png)) != 0)
        return guard->status;
    png_set_write_fn(png, guard, write_bytes, flush_nothing);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(png, info, (png_uint_32)img->width, (png_uint_32)img->height,
                 (int)(8 * mae_pixel_size(img->type)), colors[img->channels - 1],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    if (img->type == MAE_PIXEL_U16 && swap_needed())
        png_set_swap(png);
    for (size_t y = 0; y < img->height; y++)
        png_write_row(png, (const uint8_t *)img->data + y * mae_image_row_bytes(img));
    png_write_end(png, info);
    return MAE_OK;
}

MaeStatus mae_image_encode_png(uint8_t **bytes, size_t *size, const MaeImage *img,
                               MaeError *err)
{
    Guard guard = {.err = err};
    png_structp png;
    png_infop info;
    MaeStatus status;

    if (img->type == MAE_PIXEL_F32 || img->channels < 1 || img->channels > 4)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "PNG: needs 1 to 4 channels of 8 or 16 bits, got %zu of %zu bytes",
                 img->channels, mae_pixel_size(img->type));
    if (img->height == 0 || img->height > PNG_UINT_31_MAX || img->width == 0 ||
        img->width > PNG_UINT_31_MAX)
        MAE_FAIL(err, MAE_ERR_SHAPE, "PNG: sides must be 1..2147483647, got %zu x %zu",
                 img->width, img->height);
    png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &guard, on_error, on_warning,
                                    &guard, allocate, release);
    info = png != NULL ? png_create_info_struct(png) : NULL;
    if (info != NULL)
        status = encode_guarded(png, info, img, &guard);
    else
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "PNG: no memory for the encoder");
    png_destroy_write_struct(&png, &info);
    if (status != MAE_OK) {
        free(guard.output.data);
        return status;
    }
    *bytes = guard.output.data;
    *size = guard.output.size;
    return MAE_OK;
}
