/**
 * @file canvas.h
 * A picture that is put together from others: images, maps of numbers, frames, on white.
 *
 *   image   [C,H,W] of values in [0,1]; one channel is drawn grey, three as RGB, another
 *           number as the grey mean of all channels: which three would be red, green and
 *           blue is not known, and the mean shows something in any of them
 *   map     [R,C] of numbers, a square of pixels each, coloured between low and high
 *
 * Enlargement is by whole factors (nearest neighbour), so pixels stay exact. There is no
 * text in the picture; titles are the caller's output. What does not fit is cut off.
 *
 * Colours  sequential: 16 samples of viridis, interpolated (S. van der Walt and N. Smith
 *          2015, CC0): as bright as the value is large, also in grey and for the colour
 *          blind. diverging: blue, white, red, for numbers around 0.
 * Memory   A MaeImage of the caller, u8 RGB.
 * Errors   SHAPE or NOMEM when it is made; drawing cannot fail. Values that are not
 *          finite are drawn mid-grey.
 * Threads  Reentrant; different regions of one canvas may be drawn concurrently.
 */
#ifndef MAE_EVAL_CANVAS_H
#define MAE_EVAL_CANVAS_H

#include <stddef.h>
#include <stdint.h>

#include "image/image.h"

typedef enum MaeColours { MAE_COLOURS_SEQUENTIAL, MAE_COLOURS_DIVERGING } MaeColours;

/** Numbers to colours: low and below is the first colour, high and above the last. */
typedef struct MaePalette {
    MaeColours colours;
    float low, high; /* low < high, else everything has the middle colour */
} MaePalette;

/** Whole factor, 1 or more, by which the longer side reaches @p wanted pixels. */
size_t mae_canvas_scale(size_t height, size_t width, size_t wanted);

/** Make @p canvas a white picture. SHAPE if a side is 0 or too large, NOMEM. */
MaeStatus mae_canvas_open(MaeImage *canvas, size_t height, size_t width, MaeError *err);

/** Smallest and largest finite value of @p values [n]; 0 and 1 if there is none. */
MaePalette mae_palette_fit(MaeColours colours, const float *values, size_t n);

/** The same, symmetric around 0: diverging. */
MaePalette mae_palette_around_zero(const float *values, size_t n);

/** @param[out] rgb the colour of @p value. */
void mae_palette_colour(const MaePalette *palette, float value, uint8_t rgb[3]);

/**
 * @param[out] rgb colour of one pixel of an image [C,...] of values in [0,1].
 * @param pixel its first channel.  @param plane floats to the next one.
 */
void mae_canvas_pixel(uint8_t rgb[3], const float *pixel, size_t channels, size_t plane);

/** Fill a rectangle. */
void mae_canvas_fill(MaeImage *canvas, MaeBox box, const uint8_t rgb[3]);

/** The outline of @p box, @p thick pixels, inside of it. */
void mae_canvas_frame(MaeImage *canvas, MaeBox box, size_t thick, const uint8_t rgb[3]);

/** Draw @p image [C,H,W] with its corner at (top, left), each pixel scale x scale. */
void mae_canvas_image(MaeImage *canvas, size_t top, size_t left, size_t scale,
                      const float *image, size_t channels, size_t height, size_t width);

/** Copy @p picture, u8 RGB, with its corner at (top, left). */
void mae_canvas_paste(MaeImage *canvas, size_t top, size_t left, const MaeImage *picture);

/** Draw @p map [rows,columns] likewise, each number cell x cell pixels. */
void mae_canvas_map(MaeImage *canvas, size_t top, size_t left, size_t cell,
                    const float *map, size_t rows, size_t columns,
                    const MaePalette *palette);

/** Write a picture as PNG: whole or not at all. */
MaeStatus mae_canvas_write(const MaeImage *canvas, const char *path, MaeError *err);

#endif /* MAE_EVAL_CANVAS_H */
