/**
 * @file image.h
 * Images in memory: JPEG and PNG decoding and encoding, EXIF orientation, channels.
 *
 * Pixels   Decoded pixels equal those of Pillow's `Image.open(...)` on the same codec
 *          library: JPEG with the accurate integer DCT and smooth chroma upsampling, CMYK
 *          and YCCK turned into RGB by Pillow's rule, PNG palettes and 1, 2, 4 bit grey
 *          expanded, alpha dropped (never composited). 16-bit PNG keeps its 16 bits.
 *          Gamma and colour profiles are ignored. The format is found from the content,
 *          never from a file name.
 * Shapes   [H,W,C] interleaved, row-major, no padding; C as stored: 1 grey, 3 RGB.
 * Parts    A decoder can be asked for a box of the picture (MaeChooser). It delivers that
 *          box or more, bit for bit as in the whole picture.
 * Units    U8 0..255, U16 0..65535 in native byte order, F32 as it is.
 * Memory   A MaeImage owns its buffer and grows it when needed, never shrinks it, so a
 *          loop that decodes into one object soon stops allocating.
 * Errors   FORMAT for content (damaged, truncated, unsupported, over a limit), NOMEM,
 *          ARG and SHAPE for misuse, IO for files. After a failure the image object is
 *          valid to reuse or free, but its pixels are undefined.
 * Threads  Reentrant; one image object belongs to one thread at a time.
 * Source   libjpeg-turbo libjpeg.txt; libpng-manual; EXIF 2.3, 4.6.4 (orientation);
 *          Pillow src/libImaging/Convert.c (grey weights, CMYK).
 */
#ifndef MAE_IMAGE_IMAGE_H
#define MAE_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Type of one sample. */
typedef enum MaePixel { MAE_PIXEL_U8, MAE_PIXEL_U16, MAE_PIXEL_F32 } MaePixel;

/** A rectangle in pixels, inside the image it refers to. */
typedef struct MaeBox {
    size_t top, left, height, width;
} MaeBox;

/** The picture that an image is a part of, and where in it the image lies. */
typedef struct MaePicture {
    size_t height, width; /* of all of it, unscaled */
    size_t top, left;     /* of the image's first pixel, in pixels of the image's scale */
    unsigned shrink;      /* the image is at 1/shrink: 1, 2, 4 or 8 */
} MaePicture;

/** An image and its buffer. Zero-initialised is empty and ready for use. */
typedef struct MaeImage {
    size_t height, width, channels; /* pixels; 0 if empty */
    MaePixel type;
    unsigned warnings; /* oddities the last decode got over: damaged entropy data... */
    void *data;        /* [height,width,channels]; owned */
    size_t capacity;   /* bytes owned, at least what the shape needs */
    MaePicture picture;
} MaeImage;

/** What is needed of a picture. */
typedef struct MaePart {
    MaeBox box;      /* unscaled; inside the picture */
    unsigned shrink; /* 1, 2, 4 or 8: it may be scaled down by so much */
} MaePart;

/** Asked when the size of a picture is known, before its pixels are decoded. */
typedef struct MaeChooser {
    MaePart (*choose)(const void *ctx, size_t height, size_t width);
    const void *ctx;
} MaeChooser;

/** Default and largest sensible MaeImageLimits.max_pixels; the first is Pillow's. */
#define MAE_IMAGE_PIXELS 178956970
#define MAE_IMAGE_PIXELS_MAX 2147483648.0

/** What a file may ask for. Zero in a field means its default. */
typedef struct MaeImageLimits {
    size_t max_pixels;  /* height * width; default MAE_IMAGE_PIXELS */
    size_t max_memory;  /* bytes for pixels and decoder state together; default 6 for each
                           of max_pixels, at least 1 GiB */
    unsigned max_scans; /* of a progressive JPEG; default 500. More than 32 together may
                           visit no more than 6 * max_pixels pixels. */
} MaeImageLimits;

/** File formats that can be decoded. */
typedef enum MaeImageFormat {
    MAE_IMAGE_UNKNOWN,
    MAE_IMAGE_JPEG,
    MAE_IMAGE_PNG,
} MaeImageFormat;

/** Bytes of one sample: 1, 2 or 4. */
size_t mae_pixel_size(MaePixel type);

/** Bytes of one row of @p img. */
size_t mae_image_row_bytes(const MaeImage *img);

/** Free the buffer and make the image empty. NULL and empty are fine. */
void mae_image_done(MaeImage *img);

/**
 * Give @p img a shape and a buffer that holds it; contents are undefined, even where the
 * old buffer is kept. It is a whole picture of its own. SHAPE if a side is 0 or the byte
 * count overflows, NOMEM; on failure the image is unchanged.
 */
MaeStatus mae_image_reshape(MaeImage *img, size_t height, size_t width, size_t channels,
                            MaePixel type, MaeError *err);

/** The limits @p given with the defaults of fields that are zero; NULL: all of them. So
 *  max_pixels alone is enough to raise both; SIZE_MAX bytes where 6 of them overflow. */
MaeImageLimits mae_image_limits(const MaeImageLimits *given);

/** Format by the first bytes (signature only). */
MaeImageFormat mae_image_sniff(const void *bytes, size_t size);

/**
 * Decode a whole JPEG or PNG file held in memory.
 *
 * A file that ends early, even in its last marker, is a FORMAT error that says
 * "truncated", as is one too small for the size it claims (no memory is spent on it). Any
 * PNG checksum that fails is a FORMAT error. Damaged JPEG entropy data that the
 * decoder gets over decodes, as in Pillow, and is counted in `warnings`.
 * CMYK JPEGs are taken as inverted when they carry an Adobe marker, as all common writers
 * do (Pillow inverts always).
 *
 * @param[out] img any valid object, reshaped.  @param limits NULL for the defaults.
 */
MaeStatus mae_image_decode(MaeImage *img, const void *bytes, size_t size,
                           const MaeImageLimits *limits, MaeError *err);

/**
 * The same for the part that @p chooser asks for, or more of the picture; img->picture
 * says what came. Pixels of the chosen box equal those of the whole picture, others may
 * differ. A baseline JPEG that ends in its last marker is decoded up to the part's last
 * row: damage behind that goes unnoticed. Anything else is decoded whole.
 * @param chooser NULL: the whole picture. Called once at most.
 */
MaeStatus mae_image_decode_part(MaeImage *img, const void *bytes, size_t size,
                                const MaeImageLimits *limits, const MaeChooser *chooser,
                                MaeError *err);

/**
 * EXIF orientation of a JPEG (first APP1 Exif segment) or PNG (eXIf chunk): 1..8; 1 if
 * there is none or it cannot be trusted. Never fails, reads only inside the buffer.
 */
int mae_image_orientation(const void *bytes, size_t size);

/**
 * Turn pixels upright in place for EXIF orientation 1..8: 2 and 4 mirror left-right and
 * top-bottom, 3 turns by 180 degrees, 5 transposes, 6 and 8 turn by 90 degrees clockwise
 * and counter-clockwise, 7 transposes along the other diagonal. 5..8 swap height and
 * width and need a second buffer for a moment. ARG for another number, NOMEM.
 */
MaeStatus mae_image_orient(MaeImage *img, int orientation, MaeError *err);

/**
 * Change the number of channels in place. Grey to RGB replicates; RGB to grey weighs by
 * ITU-R 601 as Pillow's "L": (19595 R + 38470 G + 7471 B + 32768) >> 16 for integers,
 * 0.299 R + 0.587 G + 0.114 B for F32. Equal counts do nothing; SHAPE otherwise; NOMEM.
 */
MaeStatus mae_image_channels(MaeImage *img, size_t channels, MaeError *err);

/**
 * Bring 16-bit pixels down to 8 bits in place: v / 257, rounded to the nearest, so that 0
 * and 65535 become 0 and 255. 8-bit pixels stay; FORMAT for floats.
 */
MaeStatus mae_image_to_u8(MaeImage *img, MaeError *err);

/**
 * Encode losslessly as PNG: 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels
 * of U8 or U16. @param[out] bytes free() it; set on success only.
 */
MaeStatus mae_image_encode_png(uint8_t **bytes, size_t *size, const MaeImage *img,
                               MaeError *err);

/** As PNG, but baseline JPEG of U8 grey or RGB, 4:2:0. @param quality 1..100. */
MaeStatus mae_image_encode_jpeg(uint8_t **bytes, size_t *size, const MaeImage *img,
                                int quality, MaeError *err);

#endif /* MAE_IMAGE_IMAGE_H */
