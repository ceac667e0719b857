/*
 * Checkpoints whose checksum is right, with any content: listed, described and loaded as
 * the tools do, or refused. The input is what follows the user block.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"
#include "fuzz.h"
#include "fuzz_h5.h"
#include "model/describe.h"
#include "store/ckptblock.h"
#include "store/crc32c.h"

static FuzzFile seal(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(MAE_CKPT_BLOCK + size);
    FuzzFile file;

    if (bytes == NULL)
        abort();
    mae_ckptblock_make(bytes, size, mae_crc32c(0, data, size));
    memcpy(bytes + MAE_CKPT_BLOCK, data, size);
    file = fuzz_file(bytes, MAE_CKPT_BLOCK + size);
    free(bytes);
    return file;
}

/* What is listed can be read, or is damaged. */
static void read_tensors(const MaeCkptReader *reader)
{
    for (size_t i = 0; i < mae_ckpt_tensor_count(reader, ""); i++) {
        MaeError err = {0};
        MaeTensorInfo info;
        size_t count;

        mae_ckpt_tensor(reader, "", i, &info);
        if (mae_tensor_count(&count, info.shape, info.ndim, 1 << 20)) {
            float *values = malloc(count * sizeof *values + 1);

            (void)mae_ckpt_get_tensor(reader, info.name, values, info.shape, info.ndim,
                                      &err);
            free(values);
        }
    }
}

static void print(const MaeSnapshot *snapshot, const MaeParamTable *table,
                  const float *weights)
{
    static MaeConfig cfg;
    MaeJson *json = mae_describe_snapshot(snapshot, table);
    MaeError err = {0};
    char *text;

    mae_json_set(json, "tensors", mae_describe_tensors(table, weights));
    text = mae_json_dump(json, 2);
    if (text == NULL)
        abort();
    free(text);
    mae_json_free(json);
    (void)mae_config_parse_text(&cfg, MAE_CONF_PRETRAIN, "fuzz", snapshot->config,
                                strlen(snapshot->config), NULL, 0, &err);
}

/* A snapshot that opens has a model, and as much memory as its file is enough for it. */
static void load(const MaeCkptReader *reader, const MaeSnapshot *snapshot)
{
    const MaeParamTable *table;
    MaeSnapshotModel model;
    MaeError err = {0};
    float *weights;

    if (mae_snapshot_model_open(&model, snapshot->kind, &snapshot->arch, &err) != MAE_OK)
        abort();
    table = mae_snapshot_model_table(&model);
    weights = mae_snapshot_alloc(table);
    if (weights == NULL)
        abort();
    if (mae_snapshot_weights(reader, table, weights, &err) == MAE_OK)
        print(snapshot, table, weights);
    free(weights);
    mae_snapshot_model_close(&model);
}

/* As fine-tuning does, on images of twice the height. */
static void take_encoder(const MaeCkptReader *reader, const MaeSnapshot *snapshot)
{
    MaeArch arch = snapshot->arch;
    MaeClassifier model;
    MaeError err = {0};
    float *weights;

    arch.classes = 2;
    arch.grid.height *= 2;
    if (arch.grid.height * arch.grid.width > 1 << 16 ||
        mae_classifier_open(&model, &arch, &err) != MAE_OK)
        return;
    weights = mae_snapshot_alloc(&model.table);
    if (weights == NULL)
        abort();
    (void)mae_snapshot_encoder(reader, snapshot, &model, weights, &err);
    free(weights);
    mae_classifier_close(&model);
}

static void open_and_read(const char *path)
{
    MaeCkptReader *reader = NULL;
    MaeSnapshot snapshot = {0};
    MaeError err = {0};

    if (mae_snapshot_open(&reader, &snapshot, path, &err) == MAE_OK) {
        load(reader, &snapshot);
        take_encoder(reader, &snapshot);
    } else if (mae_ckpt_open(&reader, path, &err) == MAE_OK) {
        read_tensors(reader);
    }
    mae_snapshot_done(&snapshot);
    mae_ckpt_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzFile file = seal(data, size);

    fuzz_h5_begin();
    open_and_read(file.path);
    fuzz_h5_end();
    fuzz_file_done(&file);
    return 0;
}
