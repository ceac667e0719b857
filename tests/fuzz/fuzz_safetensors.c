/* safetensors from anywhere: every tensor listed can be read, or the file is refused. */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "store/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzFile file = fuzz_file(data, size);
    MaeSafetensors *tensors = NULL;
    MaeError err = {0};

    if (mae_safetensors_open(&tensors, file.path, &err) == MAE_OK) {
        size_t count = 0;
        const MaeTensorInfo *list = mae_safetensors_list(tensors, &count);

        for (size_t i = 0; i < count; i++) {
            size_t n = 0;
            float *values;

            if (!mae_tensor_count(&n, list[i].shape, list[i].ndim, 1 << 20))
                continue;
            values = malloc(n * sizeof *values + 1);
            (void)mae_safetensors_read(tensors, i, values, &err);
            free(values);
        }
        mae_safetensors_close(tensors);
    }
    fuzz_file_done(&file);
    return 0;
}
