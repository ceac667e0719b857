/**
 * @file convert.h
 * Models of other programs: safetensors to checkpoints and back.
 *
 * Import   Names are recognised as MAE's / timm's or Hugging Face's; the architecture
 *          follows from the tensors' shapes, and what they do not tell (heads, image size
 *          if not square, norm_pix_loss, mask ratio, mean and std, class names) from
 *          config.json and preprocessor_config.json beside the file and from key=value
 *          (card.h). Without a mean and std the model works on pixels as they are (0, 1),
 *          with a warning. Numbers that are not finite are refused.
 * Export   Tensors sorted by name, config.json and, for Hugging Face, also
 *          preprocessor_config.json beside them. A file of such a name that says
 *          something else is left alone, the export refused, unless `overwrite` is set.
 *
 * The numbers are copied: a round trip gives the same bytes for every tensor.
 *
 * Errors   ARG and SHAPE: what the caller has to say or choose differently, and tensors
 *          that are missing, unexpected or of another shape; FORMAT: bad files; NUMERIC.
 *          Output is complete or absent.
 * Threads  Reentrant.
 */
#ifndef MAE_MODEL_CONVERT_H
#define MAE_MODEL_CONVERT_H

#include "base/log.h"
#include "model/names.h"

typedef struct MaeConvertOptions {
    MaeNaming naming;             /* of exported tensors */
    bool overwrite;               /* replace other models' config.json */
    const char *const *overrides; /* [override_count] "key=value", import only */
    size_t override_count;
    const char *tool, *version; /* stored in checkpoints */
    const MaeLog *log;          /* may be NULL */
} MaeConvertOptions;

typedef enum MaeConvertKind {
    MAE_CONVERT_CHECKPOINT,  /**< ours */
    MAE_CONVERT_SAFETENSORS, /**< or not recognised: its reader says what is wrong */
} MaeConvertKind;

/**
 * What a file is, by its first bytes. Python pickles (.pth) and HDF5 files of others are
 * FORMAT errors that say what to do.
 */
MaeStatus mae_convert_sniff(MaeConvertKind *kind, const char *path, MaeError *err);

/** Convert @p in, whichever it is, to the other kind. */
MaeStatus mae_convert(const char *in, const char *out, const MaeConvertOptions *options,
                      MaeError *err);

/** safetensors to a checkpoint. */
MaeStatus mae_import(const char *in, const char *out, const MaeConvertOptions *options,
                     MaeError *err);

/** A checkpoint to safetensors and the files beside it. */
MaeStatus mae_export(const char *in, const char *out, const MaeConvertOptions *options,
                     MaeError *err);

#endif /* MAE_MODEL_CONVERT_H */
