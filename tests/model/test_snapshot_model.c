#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/pos_embed.h"
#include "snapshot_fixture.h"
#include "support/test.h"

START_TEST(loading_an_autoencoder)
{
    MaeLoadedModel loaded;
    MaeError err = {0};
    SnapshotFixture f, other;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    snapshot_fixture_save(&f, NULL);
    ck_assert_ok(mae_loaded_autoencoder_open(&loaded, f.path, &err));
    ck_assert_uint_eq(loaded.model.as.autoencoder.table.total, f.table->total);
    ck_assert_mem_eq(loaded.weights, f.weights, f.table->total * sizeof(float));
    mae_loaded_model_close(&loaded);
    snapshot_fixture_open(&other, MAE_SNAPSHOT_CLASSIFIER);
    snapshot_fixture_save(&other, NULL);
    ck_assert_fails(mae_loaded_autoencoder_open(&loaded, other.path, &err), MAE_ERR_ARG,
                    "expected a checkpoint of an autoencoder, found a");
    ck_assert_fails(mae_loaded_autoencoder_open(&loaded, "/nonexistent/x.h5", &err),
                    MAE_ERR_IO, "/nonexistent/x.h5");
    snapshot_fixture_close(&f);
    snapshot_fixture_close(&other);
}
END_TEST

START_TEST(a_spoilt_model)
{
    MaeLoadedModel loaded;
    MaeError err = {0};
    SnapshotFixture f;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_CLASSIFIER);
    f.weights[mae_param_find(f.table, "head.bias")->at.off + 2] = INFINITY;
    snapshot_fixture_save(&f, NULL);
    ck_assert_fails(mae_loaded_model_open(&loaded, f.path, &err), MAE_ERR_FORMAT,
                    "params/head.bias: expected finite numbers, element 2 is inf");
    snapshot_fixture_close(&f);
}
END_TEST

/* A classifier of the same encoder, and what it starts from. */
typedef struct Target {
    MaeClassifier model;
    float *w, *start;
} Target;

static MaeStatus transfer(Target *t, const SnapshotFixture *f, const MaeArch *arch,
                          MaeError *err)
{
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeStatus status;

    memset(t, 0, sizeof *t);
    ck_assert_int_eq(mae_classifier_open(&t->model, arch, err), MAE_OK);
    t->w = mae_snapshot_alloc(&t->model.table);
    t->start = mae_snapshot_alloc(&t->model.table);
    mae_classifier_init(&t->model, t->w, 3);
    memcpy(t->start, t->w, t->model.table.total * sizeof(float));
    ck_assert_int_eq(mae_snapshot_open(&reader, &read, f->path, err), MAE_OK);
    status = mae_snapshot_encoder(reader, &read, &t->model, t->w, err);
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    return status;
}

static void target_close(Target *t)
{
    free(t->w);
    free(t->start);
    mae_classifier_close(&t->model);
}

static bool kept(const char *name, bool has_norm)
{
    return strncmp(name, "head.", 5) == 0 || strncmp(name, "fc_norm.", 8) == 0 ||
           (!has_norm && strncmp(name, "norm.", 5) == 0);
}

static void compare_transfer(const Target *t, const SnapshotFixture *f, bool has_norm)
{
    for (size_t i = 0; i < t->model.table.count; i++) {
        const MaeParamEntry *entry = &t->model.table.entries[i];
        const MaeParamEntry *from = mae_param_find(f->table, entry->name);
        const float *want = t->start + entry->at.off;

        if (!kept(entry->name, has_norm)) {
            ck_assert_msg(from != NULL, "%s", entry->name);
            want = f->weights + from->at.off;
        }
        mae_test_close(entry->name, t->w + entry->at.off, want, entry->at.count, 0.0,
                       0.0);
    }
}

START_TEST(encoder_transfer)
{
    MaeArch arch = SNAPSHOT_ARCH;
    MaeError err = {0};
    SnapshotFixture f, other;
    Target t;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    snapshot_fixture_save(&f, NULL);
    snapshot_fixture_open(&other, MAE_SNAPSHOT_CLASSIFIER);
    snapshot_fixture_save(&other, NULL);
    arch.classes = 5;
    for (int cls = 0; cls < 2; cls++) {
        arch.pooling = cls ? MAE_POOL_CLS : MAE_POOL_MEAN;
        ck_assert_ok(transfer(&t, &f, &arch, &err));
        compare_transfer(&t, &f, true);
        target_close(&t);
        ck_assert_ok(transfer(&t, &other, &arch, &err));
        compare_transfer(&t, &other, false);
        target_close(&t);
    }
    snapshot_fixture_close(&f);
    snapshot_fixture_close(&other);
}
END_TEST

START_TEST(encoder_transfer_resizes_positions)
{
    MaeArch arch = SNAPSHOT_ARCH;
    MaeError err = {0};
    SnapshotFixture f;
    Target t;
    float want[(1 + 16) * 8];

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    snapshot_fixture_save(&f, NULL);
    arch.classes = 5;
    arch.grid.height = arch.grid.width = 16;
    ck_assert_ok(transfer(&t, &f, &arch, &err));
    mae_pos_embed_resize(
        want, 4, 4, f.weights + mae_param_find(f.table, "pos_embed")->at.off, 2, 3, 8);
    mae_test_close("pos_embed", t.w + t.model.encoder.pos_embed.off, want, 17 * 8, 0.0,
                   0.0);
    target_close(&t);
    snapshot_fixture_close(&f);
}
END_TEST

START_TEST(encoder_transfer_refuses_other_shapes)
{
    const struct {
        size_t offset, value;
        const char *message;
    } cases[] = {
        {offsetof(MaeArch, grid.channels), 3, "in_chans: expected 3, got 2"},
        {offsetof(MaeArch, grid.patch), 2, "patch_size: expected 2, got 4"},
        {offsetof(MaeArch, embed_dim), 16, "embed_dim: expected 16, got 8"},
        {offsetof(MaeArch, depth), 3, "depth: expected 3, got 2"},
        {offsetof(MaeArch, heads), 4, "num_heads: expected 4, got 2"},
    };
    SnapshotFixture f;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    snapshot_fixture_save(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        MaeArch arch = SNAPSHOT_ARCH;
        MaeError err = {0};
        Target t;

        arch.classes = 5;
        *(size_t *)(void *)((char *)&arch + cases[i].offset) = cases[i].value;
        ck_assert_fails(transfer(&t, &f, &arch, &err), MAE_ERR_SHAPE, cases[i].message);
        ck_assert_mem_eq(t.w, t.start, t.model.table.total * sizeof(float));
        target_close(&t);
    }
    snapshot_fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("models from snapshots");
    TCase *tc = tcase_create("files");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, loading_an_autoencoder);
    tcase_add_test(tc, a_spoilt_model);
    tcase_add_test(tc, encoder_transfer);
    tcase_add_test(tc, encoder_transfer_resizes_positions);
    tcase_add_test(tc, encoder_transfer_refuses_other_shapes);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
