/**
 * @file thumbnail.h
 * Small pictures of a dataset's samples, whole and as they are stored: neither cropped
 * nor normalised as models see them.
 *
 * A picture is scaled until its longer side is the side asked for: a larger one is
 * resampled, a smaller one enlarged by the largest whole factor that fits (nearest
 * neighbour). Channels as on a canvas (eval/canvas.h). f32 pixels span the picture's own
 * range from black to white.
 *
 * Memory   Buffers grow to the largest picture seen.
 * Errors   As reading and resampling report them; the message names the sample.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_EVAL_THUMBNAIL_H
#define MAE_EVAL_THUMBNAIL_H

#include "data/dataset.h"
#include "image/resize.h"

/** What is kept between pictures; zero-initialise. */
typedef struct MaeThumbnailer {
    MaeImage img;
    MaeReadBuffer buffer;
    MaeResizer scratch;
    float *values; /* [capacity] of the small picture */
    size_t capacity;
} MaeThumbnailer;

/** @param[out] thumb u8 RGB, at most [side,side], any valid image; reshaped. */
MaeStatus mae_thumbnail_read(MaeThumbnailer *t, MaeImage *thumb, const MaeDataset *ds,
                             size_t sample, size_t side, MaeError *err);

/** Release the buffers; accepts a zeroed object. */
void mae_thumbnailer_done(MaeThumbnailer *t);

#endif /* MAE_EVAL_THUMBNAIL_H */
