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
static void read_tensors(const char *path)
{
    MaeCkptReader *reader = NULL;
    MaeError err = {0};

    if (mae_ckpt_open(&reader, path, &err) != MAE_OK)
        return;
    for (size_t i = 0; i < mae_ckpt_tensor_count(reader, ""); i++) {
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
    mae_ckpt_close(reader);
}

static void describe(const MaeLoadedModel *loaded)
{
    static MaeConfig cfg;
    const MaeSnapshot *snapshot = &loaded->snapshot;
    const MaeParamTable *table = mae_snapshot_model_table(&loaded->model);
    MaeJson *json = mae_describe_snapshot(snapshot, table);
    MaeError err = {0};
    char *text;

    mae_json_set(json, "tensors", mae_describe_tensors(table, loaded->weights));
    text = mae_json_dump(json, 2);
    if (text == NULL)
        abort();
    free(text);
    mae_json_free(json);
    (void)mae_config_parse_text(&cfg, MAE_CONF_PRETRAIN, "fuzz", snapshot->config,
                                strlen(snapshot->config), NULL, 0, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzFile file = seal(data, size);
    MaeLoadedModel loaded;
    MaeError err = {0};

    fuzz_h5_begin();
    read_tensors(file.path);
    if (mae_loaded_model_open(&loaded, file.path, &err) == MAE_OK) {
        describe(&loaded);
        mae_loaded_model_close(&loaded);
    }
    fuzz_h5_end();
    fuzz_file_done(&file);
    return 0;
}
