/**
 * @file snapshot_fixture.h
 * A small model with random weights and a checkpoint of it, for tests of snapshots.
 */
#ifndef MAE_TESTS_MODEL_SNAPSHOT_FIXTURE_H
#define MAE_TESTS_MODEL_SNAPSHOT_FIXTURE_H

#include "model/snapshot.h"

/** Two channels of 8 x 12 pixels, patch 4, encoder 8 x 2, decoder 4 x 1. */
extern const MaeArch SNAPSHOT_ARCH;

/** Everything is released by snapshot_fixture_close. */
typedef struct SnapshotFixture {
    char *folder, path[1100];
    MaeSnapshot snapshot;
    MaeSnapshotModel model;
    const MaeParamTable *table;
    float *weights;
} SnapshotFixture;

/** A classifier has 3 classes, named, and pools the mean. */
void snapshot_fixture_open(SnapshotFixture *f, MaeSnapshotKind kind);

/** Write it to f->path. @param optim may be NULL. */
void snapshot_fixture_save(SnapshotFixture *f, const MaeOptim *optim);
void snapshot_fixture_close(SnapshotFixture *f);

#endif /* MAE_TESTS_MODEL_SNAPSHOT_FIXTURE_H */
