/**
 * @file codec.h
 * Internal to image/: one decoder per format, and what the codecs share.
 *
 * Contracts are those of mae_image_decode; @p limits has every field set.
 */
#ifndef MAE_IMAGE_CODEC_H
#define MAE_IMAGE_CODEC_H

#include <stdbool.h>

#include "image/image.h"

MaeStatus mae_jpeg_decode(MaeImage *img, const void *bytes, size_t size,
                          const MaeImageLimits *limits, const MaeChooser *chooser,
                          MaeError *err);
MaeStatus mae_png_decode(MaeImage *img, const void *bytes, size_t size,
                         const MaeImageLimits *limits, MaeError *err);

/**
 * FORMAT if a header asks for more pixels or memory than @p limits allow.
 * @param[out] left memory that remains for the decoder.
 * @param format name for the message.
 * @param extra bytes that the decoder is known to need beside the pixels.
 */
MaeStatus mae_image_check_limits(size_t *left, const char *format, size_t height,
                                 size_t width, size_t pixel_bytes, size_t extra,
                                 const MaeImageLimits *limits, MaeError *err);

/** Encoded bytes as they grow. Zero-initialised is empty; the user frees the data. */
typedef struct MaeBytes {
    uint8_t *data;
    size_t size, capacity;
} MaeBytes;

/** Append; false if memory ran out, and then nothing has changed. */
bool mae_bytes_append(MaeBytes *bytes, const void *data, size_t size);

#endif /* MAE_IMAGE_CODEC_H */
