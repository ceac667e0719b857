/**
 * @file gallery.h
 * A few images to look at, in memory and ready for a model: single files, or samples
 * spread over a dataset.
 *
 * Every image goes through the transform as in training or evaluation: decoded by
 * content, channels adapted (grey and RGB), resized, cropped, normalised.
 *
 * Shapes   N images [C,H,W] of the transform's output size.
 * Memory   A gallery owns its images and names; at most MAE_GALLERY_MAX of them.
 * Errors   ARG for no or too many images; else as reading, decoding and transforming
 *          report them, each message naming the image. One bad image fails the gallery.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_EVAL_GALLERY_H
#define MAE_EVAL_GALLERY_H

#include <stddef.h>

#include "base/log.h"
#include "base/status.h"
#include "data/dataset.h"
#include "data/transform.h"

/** Most images of a gallery. */
#define MAE_GALLERY_MAX 256

/** Read-only once open. */
typedef struct MaeGallery {
    size_t count;    /* N, 1 .. MAE_GALLERY_MAX */
    float *images;   /* [N,C,H,W] normalised */
    char **names;    /* [N] path of the file, or name of the sample */
    size_t *samples; /* [N] which of the dataset they are; NULL: they are files */
    float low, high; /* data values that mean black and white: 0 and 1 for integer pixels,
                        0 and 0 (unknown, see MaePreviewSpec) for f32 */
} MaeGallery;

/**
 * Read image files (JPEG or PNG).
 * @param limits of each file; NULL: the defaults.
 * @param[out] gallery closed by the caller; closed already on failure.
 * @param transform checked by this call; its random choices, if any, are those of sample
 *                  0, 1, ... of epoch 0 and seed 0.
 */
MaeStatus mae_gallery_files(MaeGallery *gallery, const MaeTransform *transform,
                            const char *const *paths, size_t count,
                            const MaeImageLimits *limits, MaeError *err);

/**
 * Read @p count samples spread evenly over a dataset (all of them if it has fewer); the
 * same samples every time.
 * @param path as for mae_dataset_open.  @param limits as above.  @param log may be NULL.
 */
MaeStatus mae_gallery_dataset(MaeGallery *gallery, const MaeTransform *transform,
                              const char *path, size_t count,
                              const MaeImageLimits *limits, const MaeLog *log,
                              MaeError *err);

/** The same of an open dataset. */
MaeStatus mae_gallery_spread(MaeGallery *gallery, const MaeTransform *transform,
                             const MaeDataset *ds, size_t count, MaeError *err);

/** Read the samples with these indices of an open dataset, in this order. */
MaeStatus mae_gallery_samples(MaeGallery *gallery, const MaeTransform *transform,
                              const MaeDataset *ds, const size_t *samples, size_t count,
                              MaeError *err);

/** Read and decode one image file with @p channels (grey or RGB); messages begin with its
 *  path. @param[out] img any valid object, reshaped.  @param limits as above. */
MaeStatus mae_gallery_picture(MaeImage *img, const char *path, size_t channels,
                              const MaeImageLimits *limits, MaeError *err);

/** Release everything; accepts NULL and a zeroed or closed gallery. */
void mae_gallery_close(MaeGallery *gallery);

#endif /* MAE_EVAL_GALLERY_H */
