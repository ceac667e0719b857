/* JPEG and PNG from anywhere: decoded within small limits, or refused. */
#include <stdint.h>

#include "fuzz.h"
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const MaeImageLimits limits = {
        .max_pixels = 1 << 20, .max_memory = 32 << 20, .max_scans = 50};
    MaeImage image = {0};
    MaeError err = {0};

    (void)mae_image_decode(&image, data, size, &limits, &err);
    mae_image_done(&image);
    return 0;
}
