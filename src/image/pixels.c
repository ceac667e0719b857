#include <stdlib.h>
#include <string.h>

#include "image/image.h"

static MaeStatus grey_to_rgb(MaeImage *img, MaeError *err)
{
    const size_t sample = mae_pixel_size(img->type), pixels = img->height * img->width;
    const unsigned char *grey = img->data;
    MaeImage rgb = {0};
    unsigned char *out;

    MAE_TRY(mae_image_reshape(&rgb, img->height, img->width, 3, img->type, err));
    out = rgb.data;
    for (size_t i = 0; i < pixels; i++, grey += sample) {
        for (size_t c = 0; c < 3; c++, out += sample)
            memcpy(out, grey, sample);
    }
    rgb.warnings = img->warnings;
    rgb.picture = img->picture;
    mae_image_done(img);
    *img = rgb;
    return MAE_OK;
}

/* In place: the grey pixel never lies behind the colours it is made of. */
static void rgb_to_grey(MaeImage *img)
{
    const size_t pixels = img->height * img->width;
    uint8_t *u8 = img->data;
    uint16_t *u16 = img->data;
    float *f32 = img->data;

    for (size_t i = 0; i < pixels; i++) {
        const size_t r = 3 * i, g = r + 1, b = r + 2;

        switch (img->type) {
        case MAE_PIXEL_U8:
            u8[i] =
                (uint8_t)((19595u * u8[r] + 38470u * u8[g] + 7471u * u8[b] + 0x8000u) >>
                          16);
            break;
        case MAE_PIXEL_U16:
            u16[i] = (uint16_t)((19595u * u16[r] + 38470u * u16[g] + 7471u * u16[b] +
                                 0x8000u) >>
                                16);
            break;
        case MAE_PIXEL_F32:
            f32[i] = 0.299f * f32[r] + 0.587f * f32[g] + 0.114f * f32[b];
            break;
        }
    }
    img->channels = 1;
}

MaeStatus mae_image_channels(MaeImage *img, size_t channels, MaeError *err)
{
    if (img->channels == channels)
        return MAE_OK;
    if (img->channels == 1 && channels == 3)
        return grey_to_rgb(img, err);
    if (img->channels != 3 || channels != 1)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "image: cannot turn %zu channels into %zu (only grey 1 and RGB 3)",
                 img->channels, channels);
    rgb_to_grey(img);
    return MAE_OK;
}

MaeStatus mae_image_to_u8(MaeImage *img, MaeError *err)
{
    const size_t samples = img->height * img->width * img->channels;
    const uint16_t *u16 = img->data;
    uint8_t *u8 = img->data;

    if (img->type == MAE_PIXEL_U8)
        return MAE_OK;
    if (img->type == MAE_PIXEL_F32)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "image: expected 8-bit or 16-bit pixels, found floats");
    for (size_t i = 0; i < samples; i++)
        u8[i] = (uint8_t)((u16[i] + 128u) / 257u);
    img->type = MAE_PIXEL_U8;
    return MAE_OK;
}
