#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"

/* A stretch of the file; every access is checked against its end. */
typedef struct Span {
    const unsigned char *at;
    size_t size;
} Span;

/* Unsigned number of 2 or 4 bytes; 0 beyond the end, which no caller takes for valid. */
static uint32_t number(Span span, size_t offset, size_t bytes, bool little)
{
    uint32_t value = 0;

    if (offset > span.size || bytes > span.size - offset)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | span.at[offset + (little ? bytes - 1 - i : i)];
    return value;
}

static Span part(Span span, size_t offset, size_t size)
{
    if (offset > span.size)
        return (Span){span.at, 0};
    if (size > span.size - offset)
        size = span.size - offset;
    return (Span){span.at + offset, size};
}

/* Tag 0x0112, one SHORT, in the first directory of a TIFF header. */
static int tiff_orientation(Span tiff)
{
    const bool little = tiff.size >= 2 && memcmp(tiff.at, "II", 2) == 0;
    uint32_t directory, entries;

    if (!little && (tiff.size < 2 || memcmp(tiff.at, "MM", 2) != 0))
        return 1;
    if (number(tiff, 2, 2, little) != 42)
        return 1;
    directory = number(tiff, 4, 4, little);
    entries = number(tiff, directory, 2, little);
    for (uint32_t i = 0; i < entries; i++) {
        const Span entry = part(tiff, (size_t)directory + 2 + (size_t)12 * i, 12);

        if (entry.size < 12)
            return 1;
        if (number(entry, 0, 2, little) == 0x0112) {
            const uint32_t value = number(entry, 8, 2, little);
            const bool usable = number(entry, 2, 2, little) == 3 &&
                                number(entry, 4, 4, little) == 1 && value >= 1 &&
                                value <= 8;

            return usable ? (int)value : 1;
        }
    }
    return 1;
}

/* Segments are FF, marker, length of 2 bytes (itself included); pixels follow SOS. */
static Span jpeg_exif(Span file)
{
    static const char header[] = "Exif\0"; /* with the final NUL: six bytes */
    size_t at = 2;

    while (at + 4 <= file.size && file.at[at] == 0xff) {
        const unsigned marker = file.at[at + 1];
        const size_t length = number(file, at + 2, 2, false);
        const Span body = part(file, at + 4, length - 2);

        if (marker == 0xff) { /* padding */
            at++;
            continue;
        }
        if (length < 2 || marker == 0xda || marker == 0xd9)
            break;
        if (marker == 0xe1 && body.size >= sizeof header &&
            memcmp(body.at, header, sizeof header) == 0)
            return part(body, sizeof header, body.size);
        at += 2 + length;
    }
    return (Span){0};
}

/* Chunks are length, name, data, CRC. */
static Span png_exif(Span file)
{
    size_t at = 8;

    while (at + 12 <= file.size) {
        const size_t length = number(file, at, 4, false);

        if (memcmp(file.at + at + 4, "eXIf", 4) == 0)
            return part(file, at + 8, length);
        if (length > file.size - at - 12 || memcmp(file.at + at + 4, "IEND", 4) == 0)
            break;
        at += 12 + length;
    }
    return (Span){0};
}

int mae_image_orientation(const void *bytes, size_t size)
{
    const Span file = {bytes, size};

    switch (mae_image_sniff(bytes, size)) {
    case MAE_IMAGE_JPEG:
        return tiff_orientation(jpeg_exif(file));
    case MAE_IMAGE_PNG:
        return tiff_orientation(png_exif(file));
    case MAE_IMAGE_UNKNOWN:
        break;
    }
    return 1;
}

MaeStatus mae_image_orient(MaeImage *img, int orientation, MaeError *err)
{
    const bool turned = orientation >= 5; /* rows become columns */
    const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 ||
                        orientation == 8; /* source columns run backwards */
    const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 ||
                        orientation == 7; /* source rows run backwards */
    const size_t height = img->height, width = img->width;
    const size_t pixel = img->channels * mae_pixel_size(img->type);
    MaeImage upright = {0};
    unsigned char *out;

    if (orientation < 1 || orientation > 8)
        MAE_FAIL(err, MAE_ERR_ARG, "image: orientation must be 1..8, got %d",
                 orientation);
    if (orientation == 1)
        return MAE_OK;
    MAE_TRY(mae_image_reshape(&upright, turned ? width : height, turned ? height : width,
                              img->channels, img->type, err));
    upright.warnings = img->warnings;
    out = upright.data;
    for (size_t y = 0; y < upright.height; y++) {
        for (size_t x = 0; x < upright.width; x++, out += pixel) {
            const size_t sx = turned ? y : x, sy = turned ? x : y;
            const size_t row = flip_y ? height - 1 - sy : sy;
            const size_t column = flip_x ? width - 1 - sx : sx;

            memcpy(out, (const unsigned char *)img->data + (row * width + column) * pixel,
                   pixel);
        }
    }
    mae_image_done(img);
    *img = upright;
    return MAE_OK;
}
