/* HDF5 image files from anywhere: rows can be read, or the file is refused. */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "store/h5images.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzFile file = fuzz_file(data, size);
    MaeH5Images *images = NULL;
    MaeError err = {0};

    if (mae_h5images_open(&images, file.path, &err) == MAE_OK) {
        size_t count, height, width, channels;
        int pixel;
        void *row;

        mae_h5images_shape(images, &count, &height, &width, &channels, &pixel);
        row = height * width * channels <= 1 << 20
                  ? malloc(height * width * channels * 4 + 1)
                  : NULL;
        if (row != NULL)
            (void)mae_h5images_read(images, 0, row, &err);
        free(row);
        mae_h5images_close(images);
    }
    fuzz_file_done(&file);
    return 0;
}
