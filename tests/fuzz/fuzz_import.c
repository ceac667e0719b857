/* safetensors of other programs' models: imported as far as writing, or refused. */
#include <stdint.h>

#include "fuzz.h"
#include "model/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const heads[] = {"model.num_heads=1", "model.decoder_num_heads=1"};
    const MaeConvertOptions options = {
        .overrides = heads, .override_count = 2, .tool = "fuzz", .version = "0"};
    FuzzFile file = fuzz_file(data, size);
    MaeError err = {0};

    /* All is read before the output fails. */
    (void)mae_import(file.path, "/proc/self/no-such-folder/out.h5", &options, &err);
    fuzz_file_done(&file);
    return 0;
}
