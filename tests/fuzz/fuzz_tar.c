/*
 * Tar shards of images: samples lie within the archive and under it by name; then as a
 * data set. Checksums of headers are mended, to get behind them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "data/tar_index.h"
#include "fuzz.h"
#include "store/tar.h"
#include "store/tar_header.h"

static void mend(uint8_t *tar, size_t size)
{
    for (size_t at = 0; at < size && size - at >= MAE_TAR_BLOCK;) {
        MaeTarHeader header;
        char length[sizeof header.size + 1] = "";
        unsigned long long blocks;

        memcpy(&header, tar + at, sizeof header);
        if (header.name[0] == '\0')
            return;
        (void)snprintf(header.checksum, sizeof header.checksum, "%06o",
                       (unsigned)mae_tar_checksum(&header));
        memcpy(tar + at, &header, sizeof header);
        memcpy(length, header.size, sizeof header.size);
        blocks = strtoull(length, NULL, 8) / MAE_TAR_BLOCK + 1;
        at += blocks < size ? (size_t)blocks * MAE_TAR_BLOCK : size;
        at += strtoull(length, NULL, 8) % MAE_TAR_BLOCK > 0 ? MAE_TAR_BLOCK : 0;
    }
}

static void check_index(int fd, size_t size)
{
    MaeTarIndex index = {0};
    MaeError err = {0};

    if (mae_tar_index_add(&index, fd, size, "fuzz.tar", true, &err) == MAE_OK) {
        for (size_t i = 0; i < index.count; i++) {
            const MaeTarSample *sample = &index.samples[i];
            const char *name = mae_tar_index_name(&index, i);

            if (sample->offset > size || sample->size > size - sample->offset ||
                name[0] == '/' || strncmp(name, "../", 3) == 0)
                abort();
        }
    }
    mae_tar_index_done(&index);
}

static void read_images(const char *path)
{
    const MaeDatasetOptions options = {
        .limits = {.max_pixels = 1 << 16, .max_memory = 1 << 22}};
    MaeReadBuffer buffer = {0};
    MaeDataset *ds = NULL;
    MaeImage image = {0};
    MaeError err = {0};

    if (mae_dataset_open(&ds, path, &options, &err) == MAE_OK) {
        const MaeDatasetInfo *info = mae_dataset_info(ds);

        for (size_t i = 0; i < info->count; i++) {
            const int64_t label = mae_dataset_label(ds, i);

            if (label >= 0)
                (void)mae_dataset_class(ds, (size_t)label);
            (void)mae_dataset_read(ds, i, &image, &buffer, &err);
        }
    }
    mae_dataset_close(ds);
    mae_image_done(&image);
    mae_read_buffer_done(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    FuzzFile file;

    mend(copy, size);
    file = fuzz_file(copy, size);
    check_index(file.fd, size);
    if (size >= MAE_TAR_BLOCK && mae_tar_sniff(copy))
        read_images(file.path);
    fuzz_file_done(&file);
    free(copy);
    return 0;
}
