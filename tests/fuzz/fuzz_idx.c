/* IDX files of images and of labels, gzipped or not: every byte can be read, or none. */
#include <stdint.h>
#include <stdlib.h>

#include "data/idx.h"
#include "fuzz.h"

enum { MOST = 1 << 20 }; /* bytes fetched at once */

static void read_all(const char *path, size_t ndim)
{
    MaeError err = {0};
    MaeIdx idx = {0};

    if (mae_idx_open(&idx, path, ndim, &err) == MAE_OK && idx.item <= MOST) {
        const size_t at_once = MOST / idx.item;
        unsigned char *bytes = malloc(MOST);

        for (size_t i = 0; i < idx.dims[0]; i += at_once) {
            const size_t left = idx.dims[0] - i;

            if (mae_idx_fetch(&idx, i, left < at_once ? left : at_once, bytes, &err) !=
                MAE_OK)
                abort();
        }
        free(bytes);
    }
    mae_idx_close(&idx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzFile file = fuzz_file(data, size);

    read_all(file.path, 1);
    read_all(file.path, 3);
    fuzz_file_done(&file);
    return 0;
}
