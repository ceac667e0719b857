#include "support/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "model/snapshot.h"
#include "support/model.h"
#include "support/test.h"

static size_t size_attr(const char *golden, const char *name)
{
    return (size_t)mae_test_h5_attr(golden, "/", name);
}

MaeArch test_golden_arch(const char *golden, bool norm_pix)
{
    const size_t size = size_attr(golden, "img_size");

    return (MaeArch){
        .grid = {size_attr(golden, "in_chans"), size, size,
                 size_attr(golden, "patch_size")},
        .embed_dim = size_attr(golden, "embed_dim"),
        .depth = size_attr(golden, "depth"),
        .heads = size_attr(golden, "num_heads"),
        .mlp_ratio = mae_test_h5_attr(golden, "/", "mlp_ratio"),
        .decoder_dim = size_attr(golden, "decoder_embed_dim"),
        .decoder_depth = size_attr(golden, "decoder_depth"),
        .decoder_heads = size_attr(golden, "decoder_num_heads"),
        .norm_pix_loss = norm_pix,
    };
}

static void save(const char *path, MaeSnapshotKind kind, const MaeArch *arch,
                 double ratio, const MaeParamTable *table, const float *w)
{
    float mean[8], std[8];
    char none[] = "";
    MaeError err = {0};
    const MaeSnapshot snapshot = {.kind = kind,
                                  .arch = *arch,
                                  .mask_ratio = ratio,
                                  .mean = mean,
                                  .std = std,
                                  .config = none,
                                  .history = none};

    ck_assert_uint_le(arch->grid.channels, 8);
    for (size_t c = 0; c < arch->grid.channels; c++) {
        mean[c] = 0.5f;
        std[c] = 0.25f;
    }
    ck_assert_ok(mae_snapshot_save(path, &snapshot, table, w, NULL, &err));
}

void test_golden_checkpoint(const char *path, const char *golden, bool norm_pix)
{
    const MaeArch arch = test_golden_arch(golden, norm_pix);
    MaeAutoencoder model;
    MaeError err = {0};
    float *w;

    ck_assert_ok(mae_autoencoder_open(&model, &arch, &err));
    w = mae_test_alloc(model.table.total * sizeof *w);
    test_load_params(golden, "params", &model.table, w);
    save(path, MAE_SNAPSHOT_AUTOENCODER, &arch,
         mae_test_h5_attr(golden, "/", "mask_ratio"), &model.table, w);
    free(w);
    mae_autoencoder_close(&model);
}

void test_classifier_checkpoint(const char *path)
{
    const MaeArch arch = {.grid = {3, 8, 8, 4},
                          .embed_dim = 8,
                          .depth = 1,
                          .heads = 2,
                          .mlp_ratio = 2.0,
                          .classes = 3};
    MaeClassifier model;
    MaeError err = {0};
    float *w;

    ck_assert_ok(mae_classifier_open(&model, &arch, &err));
    w = mae_test_alloc(model.table.total * sizeof *w);
    test_random_params(&model.table, w, 1);
    save(path, MAE_SNAPSHOT_CLASSIFIER, &arch, 0.0, &model.table, w);
    free(w);
    mae_classifier_close(&model);
}
