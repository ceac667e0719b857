/**
 * @file preview.h
 * What an autoencoder sees: runs it on a few images and writes one PNG, an image a row
 * (eval/panels.h), with the scores of every image:
 *
 *   masked | reconstruction | reconstruction + visible | original
 *
 * Used by mae-reconstruct and, with fixed images and masks, for previews while training.
 *
 * Shapes   N images [C,H,W], L patches.
 * Units    Images are normalised; mean, std, low and high are in data units.
 * Memory   Allocates pictures of one image and the sheet, and frees them.
 * Errors   As mae_reconstruct_open, mae_reconstruct_image (NUMERIC for predictions that
 *          are not finite), mae_panels_open and mae_file_write_atomic report them. The
 *          file is complete or untouched.
 * Threads  The thread that owns the run.
 */
#ifndef MAE_EVAL_PREVIEW_H
#define MAE_EVAL_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/reconstruct.h"
#include "model/autoencoder.h"

/** How predictions become pictures. */
typedef struct MaePreviewSpec {
    const float *mean; /* [C] of the data */
    const float *std;  /* [C] likewise, positive */
    float low, high;   /* values shown black and white, 0 and 1 for u8 and u16 data; both
                          0: smallest and largest value of the images */
    bool oracle;       /* norm_pix_loss only: denormalise with true patch statistics */
} MaePreviewSpec;

/** Scores of one image over its hidden patches; NaN if none is hidden. */
typedef struct MaePreviewScore {
    double psnr; /* dB, infinity if equal; of the picture with visible patches pasted */
    double ssim; /* likewise, -1 .. 1 */
    double loss; /* the model's, target as in training */
} MaePreviewScore;

/** How predictions of @p model are denormalised; caption with mae_denorm_name. */
MaeDenorm mae_preview_denorm(const MaeAutoencoder *model, bool oracle);

/**
 * Reconstruct @p count > 0 images, draw them one a row and write @p path.
 * @param[out] scores [N], or NULL; undefined on failure.
 * @param run   of any batch size, with V as in @p mask and MAE_PREDICT_ALL; its
 *              activations are overwritten.
 * @param w     weights [table.total].
 * @param images [N,C,H,W] normalised.  @param mask of N samples.
 */
MaeStatus mae_preview_write(const char *path, MaePreviewScore *scores,
                            MaeAutoencoderRun *run, MaeWeights w, const float *images,
                            const MaeMask *mask, size_t count, const MaePreviewSpec *spec,
                            MaeError *err);

#endif /* MAE_EVAL_PREVIEW_H */
