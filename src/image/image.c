#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "image/codec.h"

/* Memory that a picture may take: that of 16-bit RGB. */
#define PIXEL_BYTES ((size_t)6)
#define LEAST_MEMORY ((size_t)1 << 30)

size_t mae_pixel_size(MaePixel type)
{
    switch (type) {
    case MAE_PIXEL_U8:
        return 1;
    case MAE_PIXEL_U16:
        return 2;
    case MAE_PIXEL_F32:
        return 4;
    }
    return 4;
}

size_t mae_image_row_bytes(const MaeImage *img)
{
    return img->width * img->channels * mae_pixel_size(img->type);
}

void mae_image_done(MaeImage *img)
{
    if (img == NULL)
        return;
    free(img->data);
    *img = (MaeImage){0};
}

MaeStatus mae_image_reshape(MaeImage *img, size_t height, size_t width, size_t channels,
                            MaePixel type, MaeError *err)
{
    const size_t sides[] = {height, width, channels};
    size_t bytes = mae_pixel_size(type);

    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        if (sides[i] == 0 || bytes > SIZE_MAX / 2 / sides[i])
            MAE_FAIL(err, MAE_ERR_SHAPE, "image: [%zu,%zu,%zu] is not a possible shape",
                     height, width, channels);
        bytes *= sides[i];
    }
    if (bytes > img->capacity) {
        /* Not realloc: the old contents need no copy and may make room. */
        void *data = malloc(bytes);

        if (data == NULL)
            MAE_FAIL(err, MAE_ERR_NOMEM,
                     "image: out of memory for %zu bytes, [%zu,%zu,%zu]", bytes, height,
                     width, channels);
        free(img->data);
        img->data = data;
        img->capacity = bytes;
    }
    img->height = height;
    img->width = width;
    img->channels = channels;
    img->type = type;
    img->picture = (MaePicture){.height = height, .width = width, .shrink = 1};
    return MAE_OK;
}

MaeImageLimits mae_image_limits(const MaeImageLimits *given)
{
    MaeImageLimits limits = given != NULL ? *given : (MaeImageLimits){0};

    if (limits.max_pixels == 0)
        limits.max_pixels = MAE_IMAGE_PIXELS;
    if (limits.max_memory == 0)
        limits.max_memory =
            limits.max_pixels > SIZE_MAX / PIXEL_BYTES
                ? SIZE_MAX
                : mae_larger(PIXEL_BYTES * limits.max_pixels, LEAST_MEMORY);
    if (limits.max_scans == 0)
        limits.max_scans = 500;
    return limits;
}

MaeImageFormat mae_image_sniff(const void *bytes, size_t size)
{
    static const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const unsigned char jpeg[] = {0xff, 0xd8, 0xff};

    if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return MAE_IMAGE_JPEG;
    if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
        return MAE_IMAGE_PNG;
    return MAE_IMAGE_UNKNOWN;
}

MaeStatus mae_image_check_limits(size_t *left, const char *format, size_t height,
                                 size_t width, size_t pixel_bytes, size_t extra,
                                 const MaeImageLimits *limits, MaeError *err)
{
    if (height == 0 || width == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: image of %zu x %zu pixels", format, width,
                 height);
    if (width > limits->max_pixels / height)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: %zu x %zu pixels are over the limit of %zu pixels (max_pixels)",
                 format, width, height, limits->max_pixels);
    if (extra >= limits->max_memory ||
        height * width >= (limits->max_memory - extra) / pixel_bytes)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: %zu x %zu pixels of %zu bytes are over the limit of %zu bytes (see "
                 "max_pixels)",
                 format, width, height, pixel_bytes, limits->max_memory);
    *left = limits->max_memory - extra - height * width * pixel_bytes;
    return MAE_OK;
}

bool mae_bytes_append(MaeBytes *bytes, const void *data, size_t size)
{
    if (size > bytes->capacity - bytes->size) {
        const size_t capacity = 2 * bytes->capacity + size + 4096;
        uint8_t *grown = realloc(bytes->data, capacity);

        if (grown == NULL)
            return false;
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return true;
}

/* What is often found under the name of a picture; NULL: none of these. */
static const char *other_format(const unsigned char *bytes, size_t size)
{
    static const struct {
        const char *name;
        size_t at, length;
        const char *magic;
    } formats[] = {{"a GIF", 0, 4, "GIF8"},           {"a WebP", 8, 4, "WEBP"},
                   {"a TIFF", 0, 4, "II*\0"},         {"a TIFF", 0, 4, "MM\0*"},
                   {"an AVIF or HEIF", 4, 4, "ftyp"}, {"a BMP", 0, 2, "BM"}};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (size >= formats[i].at + formats[i].length &&
            memcmp(bytes + formats[i].at, formats[i].magic, formats[i].length) == 0)
            return formats[i].name;
    }
    for (size_t i = 0; i < size && i < 64; i++) {
        if (memchr("\t\r\n", bytes[i], 3) == NULL && (bytes[i] < ' ' || bytes[i] > '~'))
            return NULL;
    }
    return "a text or web page";
}

/* Which format an unknown file is of, or else its first bytes as hex. */
static MaeStatus fail_unknown(const unsigned char *bytes, size_t size, MaeError *err)
{
    const char *format = other_format(bytes, size);
    char start[3 * 8 + 1] = "";

    if (size == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "image: file is empty (0 bytes)");
    if (format != NULL)
        MAE_FAIL(err, MAE_ERR_FORMAT, "image: neither JPEG nor PNG: %s of %zu bytes",
                 format, size);
    for (size_t i = 0; i < 8 && i < size; i++)
        (void)snprintf(start + 3 * i, 4, " %02x", bytes[i]);
    MAE_FAIL(err, MAE_ERR_FORMAT, "image: neither JPEG nor PNG: %zu bytes, starts with%s",
             size, start);
}

MaeStatus mae_image_decode(MaeImage *img, const void *bytes, size_t size,
                           const MaeImageLimits *limits, MaeError *err)
{
    return mae_image_decode_part(img, bytes, size, limits, NULL, err);
}

MaeStatus mae_image_decode_part(MaeImage *img, const void *bytes, size_t size,
                                const MaeImageLimits *limits, const MaeChooser *chooser,
                                MaeError *err)
{
    const MaeImageLimits use = mae_image_limits(limits);

    img->warnings = 0;
    switch (mae_image_sniff(bytes, size)) {
    case MAE_IMAGE_JPEG:
        return mae_jpeg_decode(img, bytes, size, &use, chooser, err);
    case MAE_IMAGE_PNG:
        return mae_png_decode(img, bytes, size, &use, err);
    case MAE_IMAGE_UNKNOWN:
        break;
    }
    return fail_unknown(bytes, size, err);
}
