/*
 * JPEG and PNG from anywhere, whole and in part: decoded in small limits and turned as
 * EXIF says, or refused. Checksums of PNG chunks are mended, to get behind them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fuzz.h"
#include "image/image.h"

/* The middle of a picture, at a scale that its size picks. */
static MaePart middle(const void *ctx, size_t height, size_t width)
{
    (void)ctx;
    return (MaePart){{height / 3, width / 3, height / 3 + 1, width / 3 + 1},
                     1u << (height + width) % 4};
}

static size_t big_endian(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* Chunks are length, name, data and the checksum of the last two. */
static void mend(uint8_t *png, size_t size)
{
    for (size_t at = 8; size >= 12 && at <= size - 12;) {
        const size_t length = big_endian(png + at);
        uint32_t sum;

        if (length > size - at - 12)
            return;
        sum = (uint32_t)crc32(0, png + at + 4, (unsigned)length + 4);
        for (size_t i = 0; i < 4; i++)
            png[at + 8 + length + i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const MaeImageLimits limits = {
        .max_pixels = 1 << 20, .max_memory = 32 << 20, .max_scans = 50};
    const MaeChooser chooser = {middle, NULL};
    uint8_t *copy = fuzz_copy(data, size);
    MaeImage image = {0};
    MaeError err = {0};

    if (mae_image_sniff(copy, size) == MAE_IMAGE_PNG)
        mend(copy, size);
    if (mae_image_decode(&image, copy, size, &limits, &err) == MAE_OK &&
        mae_image_orient(&image, mae_image_orientation(copy, size), &err) != MAE_OK)
        abort();
    (void)mae_image_decode_part(&image, copy, size, &limits, &chooser, &err);
    mae_image_done(&image);
    free(copy);
    return 0;
}
