#include "snapshot_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/model.h"
#include "support/test.h"

const MaeArch SNAPSHOT_ARCH = {.grid = {2, 8, 12, 4},
                               .embed_dim = 8,
                               .depth = 2,
                               .heads = 2,
                               .mlp_ratio = 2.0,
                               .decoder_dim = 4,
                               .decoder_depth = 1,
                               .decoder_heads = 1,
                               .norm_pix_loss = true};

/* Texts of a snapshot are owned by it. */
static char *own(const char *text)
{
    char *copy = mae_test_alloc(strlen(text) + 1);

    return strcpy(copy, text);
}

static MaeSnapshot sample(MaeSnapshotKind kind)
{
    MaeSnapshot s = {.kind = kind,
                     .arch = SNAPSHOT_ARCH,
                     .mask_ratio = 0.6,
                     .mean = mae_test_alloc(2 * sizeof(float)),
                     .std = mae_test_alloc(2 * sizeof(float)),
                     .config = own("model:\n  depth: 2\n"),
                     .history = own("{\"epoch\":1}\n"),
                     .tool = "mae-test",
                     .version = "1.2.3",
                     .backend = "none",
                     .epoch = 3,
                     .step = 41,
                     .samples = 1000,
                     .batch = 5,
                     .skipped = 2,
                     .in_a_row = 1,
                     .loss_sum = 1.25,
                     .best = -(double)INFINITY,
                     .seconds = 7.5};

    s.mean[0] = 0.1f;
    s.mean[1] = -0.2f;
    s.std[0] = 0.3f;
    s.std[1] = 2.0f;
    if (kind == MAE_SNAPSHOT_CLASSIFIER) {
        s.arch.classes = 3;
        s.arch.decoder_dim = s.arch.decoder_depth = s.arch.decoder_heads = 0;
        s.arch.norm_pix_loss = false;
        s.class_names = mae_test_alloc(3 * sizeof(char *) + 12);
        for (size_t i = 0; i < 3; i++) {
            s.class_names[i] = (char *)(s.class_names + 3) + 4 * i;
            (void)snprintf(s.class_names[i], 4, "c%zu", i);
        }
    }
    return s;
}

void snapshot_fixture_open(SnapshotFixture *f, MaeSnapshotKind kind)
{
    MaeError err = {0};

    f->folder = mae_test_folder();
    (void)snprintf(f->path, sizeof f->path, "%s/model.h5", f->folder);
    f->snapshot = sample(kind);
    ck_assert_ok(mae_snapshot_model_open(&f->model, kind, &f->snapshot.arch, &err));
    f->table = mae_snapshot_model_table(&f->model);
    f->weights = mae_snapshot_alloc(f->table);
    ck_assert_ptr_nonnull(f->weights);
    test_random_params(f->table, f->weights, 7);
}

void snapshot_fixture_save(SnapshotFixture *f, const MaeOptim *optim)
{
    MaeError err = {0};

    ck_assert_ok(
        mae_snapshot_save(f->path, &f->snapshot, f->table, f->weights, optim, &err));
}

void snapshot_fixture_close(SnapshotFixture *f)
{
    free(f->weights);
    mae_snapshot_model_close(&f->model);
    mae_snapshot_done(&f->snapshot);
    mae_test_folder_remove(f->folder);
}
