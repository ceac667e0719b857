/**
 * @file identity.h
 * Are these the images that a run was trained on? A run that goes on is what it would
 * have been only with the same images in the same order, wherever they lie now.
 *
 * The checksum is CRC-32C of the number of samples, of all labels and of up to
 * MAE_IDENTITY_SAMPLES samples spread evenly over the set, the first and the last
 * included: the bytes of the JPEG or PNG files, otherwise the pixels. Names do not
 * count: a folder that moved and the tar archive made of it are the same set. A sample
 * that is added, removed or moved to another place shifts those behind it and shows; one
 * that is replaced shows if it is looked at.
 *
 * Errors   NOMEM; a sample that cannot be read is part of the set as it is.
 * Threads  Reentrant.
 */
#ifndef MAE_DATA_IDENTITY_H
#define MAE_DATA_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "data/dataset.h"

#define MAE_IDENTITY_SAMPLES 256

/** Zeroed: unknown. */
typedef struct MaeIdentity {
    uint64_t count;
    uint64_t checksum; /* 32 bits */
} MaeIdentity;

/** @param[out] id untouched on failure. */
MaeStatus mae_identity_take(MaeIdentity *id, const MaeDataset *ds, MaeError *err);

/** Unknown is like everything. */
bool mae_identity_same(MaeIdentity a, MaeIdentity b);

#endif /* MAE_DATA_IDENTITY_H */
