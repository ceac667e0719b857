/**
 * @file fixture.h
 * Pictures and files that the image tests make in memory.
 *
 * Memory   Files come from malloc and are freed by the caller; a fault of libjpeg or
 *          libpng aborts the test.
 */
#ifndef MAE_TESTS_IMAGE_FIXTURE_H
#define MAE_TESTS_IMAGE_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>

#include "image/image.h"

/** A smooth picture with some noise, the same for the same arguments. F32 is 0..1. */
MaeImage fixture_picture(size_t height, size_t width, size_t channels, MaePixel type,
                         uint64_t seed);

/** How to write a JPEG. */
typedef struct FixtureJpeg {
    J_COLOR_SPACE given, stored; /* of the samples; in the file */
    bool progressive, no_adobe;
    int quality; /* 0: 95 */
    bool planar; /* a scan for each component */
    bool arithmetic;
    unsigned restart;       /* blocks between restart markers; 0: none */
    uint8_t sampling[4][2]; /* across and down, of each component; 0: libjpeg's default */
} FixtureJpeg;

/** U8 samples, bit for bit as given, to a JPEG file. */
uint8_t *fixture_jpeg(size_t *size, const MaeImage *img, FixtureJpeg how);

/** How to write a PNG. */
typedef struct FixturePng {
    size_t height, width;
    int color, depth; /* as in IHDR */
    bool interlaced, transparent;
} FixturePng;

/** Number of samples in a pixel: 1 for a palette. */
size_t fixture_png_channels(int color);

/** Samples [H,W,C], one per element, to a PNG file; palette: fixture_palette(). */
uint8_t *fixture_png(size_t *size, const uint16_t *samples, FixturePng how);

/** Entry @p i of the palette that fixture_png writes. */
png_color fixture_palette(size_t i);

/** Largest resident memory of this process so far, in bytes. */
size_t fixture_resident(void);

/** Decode must fail with FORMAT or succeed with a whole image; so must a part. */
MaeStatus fixture_survive(const void *bytes, size_t size);

#endif /* MAE_TESTS_IMAGE_FIXTURE_H */
