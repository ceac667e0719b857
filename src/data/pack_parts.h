/**
 * @file pack_parts.h
 * The two formats of pack.h; internal to pack.c, pack_tar.c, pack_h5.c.
 */
#ifndef MAE_DATA_PACK_PARTS_H
#define MAE_DATA_PACK_PARTS_H

#include "data/pack.h"

typedef struct MaePack {
    const MaeDataset *ds;
    const char *path;
    const MaePackOptions *opt;
    const size_t *samples; /* [count] to write, in this order */
    size_t count;
} MaePack;

MaeStatus mae_pack_tar(const MaePack *pack, MaeError *err);
MaeStatus mae_pack_h5(const MaePack *pack, MaeError *err);

/** Tell the watch that @p done samples are written. */
void mae_pack_tell(const MaePack *pack, size_t done);

/** Put the sample's name in front of the message of a failure. @return its status. */
MaeStatus mae_pack_blame(const MaePack *pack, size_t sample, const MaeError *why,
                         MaeError *err);

#endif /* MAE_DATA_PACK_PARTS_H */
