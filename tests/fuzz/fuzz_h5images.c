/* HDF5 image files from anywhere: rows can be read, or the file is refused. */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "fuzz_h5.h"
#include "store/h5images.h"

enum { VALUES = 1 << 20, ROWS = 64 };

static void read_rows(MaeH5Images *images)
{
    size_t count, height, width, channels;
    int pixel;
    MaeError err = {0};

    mae_h5images_shape(images, &count, &height, &width, &channels, &pixel);
    for (size_t i = 0; i < mae_h5images_classes(images) && i < ROWS; i++)
        (void)mae_h5images_class(images, i);
    for (size_t i = 0; i < count && i < ROWS && height * width * channels <= VALUES;
         i++) {
        void *row = malloc(height * width * channels * 4);

        (void)mae_h5images_label(images, i);
        (void)mae_h5images_read(images, i, row, &err);
        free(row);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzFile file = fuzz_file(data, size);
    MaeH5Images *images = NULL;
    MaeError err = {0};

    fuzz_h5_begin();
    if (mae_h5images_open(&images, file.path, &err) == MAE_OK) {
        read_rows(images);
        mae_h5images_close(images);
    }
    fuzz_h5_end();
    fuzz_file_done(&file);
    return 0;
}
