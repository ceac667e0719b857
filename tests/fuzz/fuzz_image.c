/* JPEG and PNG from anywhere, whole and in part: decoded in small limits, or refused. */
#include <stdint.h>

#include "fuzz.h"
#include "image/image.h"

/* The middle of a picture, at a scale that its size picks. */
static MaePart middle(const void *ctx, size_t height, size_t width)
{
    (void)ctx;
    return (MaePart){{height / 3, width / 3, height / 3 + 1, width / 3 + 1},
                     1u << (height + width) % 4};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const MaeImageLimits limits = {
        .max_pixels = 1 << 20, .max_memory = 32 << 20, .max_scans = 50};
    const MaeChooser chooser = {middle, NULL};
    MaeImage image = {0};
    MaeError err = {0};

    (void)mae_image_decode(&image, data, size, &limits, &err);
    (void)mae_image_decode_part(&image, data, size, &limits, &chooser, &err);
    mae_image_done(&image);
    return 0;
}
