/**
 * @file import_shapes.h
 * The architecture of a model from the shapes of its tensors in a file.
 *
 * Errors   FORMAT if a tensor without which nothing can be said is missing or has the
 *          wrong number of dimensions; ARG if something has to be said by the user;
 *          SHAPE if what a card claims contradicts the shapes. Messages begin with the
 *          path.
 */
#ifndef MAE_MODEL_IMPORT_SHAPES_H
#define MAE_MODEL_IMPORT_SHAPES_H

#include "model/card.h"
#include "model/names.h"
#include "model/snapshot.h"
#include "store/safetensors.h"

/** A file whose naming is known. */
typedef struct MaeImportFile {
    const char *path;
    const MaeSafetensors *tensors;
    MaeNaming naming;
} MaeImportFile;

/** Recognise the naming by the class token's name. */
MaeStatus mae_import_naming(MaeImportFile *file, MaeError *err);

/**
 * Kind and complete architecture; heads, image size and norm_pix_loss may be the card's.
 * @param[out] kind, arch written on success.
 */
MaeStatus mae_import_arch(const MaeImportFile *file, const MaeCard *card,
                          MaeSnapshotKind *kind, MaeArch *arch, MaeError *err);

#endif /* MAE_MODEL_IMPORT_SHAPES_H */
