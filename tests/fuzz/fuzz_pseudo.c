/* Tables as text, and as pseudo-labels: rows about samples and classes that exist. */
#include <stdint.h>
#include <stdlib.h>

#include "data/pseudo.h"
#include "fuzz.h"

enum { IMAGES = 3, CLASSES = 2 };

static void read_records(const char *path)
{
    MaeCsvReader csv;
    MaeError err = {0};
    size_t bytes = 0;

    if (mae_csv_open(&csv, path, &err) != MAE_OK)
        abort();
    while (mae_csv_next(&csv, &err) == MAE_OK && csv.count > 0) {
        for (size_t i = 0; i < csv.count; i++) {
            for (const char *c = csv.fields[i]; *c != '\0'; c++)
                bytes++;
        }
    }
    if (bytes > csv.size)
        abort();
    mae_csv_close(&csv);
}

static void read_labels(const char *path)
{
    static const char *const files[IMAGES] = {"cat/1.jpg", "b,c.jpg", "3.png"};
    static const char *const names[CLASSES] = {"cat", "big \"dog\""};
    const MaeClasses classes = {
        .what = "data.train", .path = "fuzz", .count = CLASSES, .names = names};
    const MaeDatasetOptions options = {.in_chans = 1};
    MaeChosen chosen = {0};
    MaeDataset *ds;
    MaeError err = {0};

    if (mae_dataset_open_files(&ds, files, IMAGES, &options, &err) != MAE_OK)
        abort();
    if (mae_pseudo_read(&chosen, path, ds, &classes, &err) == MAE_OK) {
        if (chosen.count == 0 || chosen.count > IMAGES)
            abort();
        for (size_t i = 0; i < chosen.count; i++) {
            if (chosen.samples[i] >= IMAGES || chosen.labels[i] < 0 ||
                chosen.labels[i] >= CLASSES)
                abort();
        }
    }
    mae_pseudo_done(&chosen);
    mae_dataset_close(ds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzFile file = fuzz_file(data, size);

    read_records(file.path);
    read_labels(file.path);
    fuzz_file_done(&file);
    return 0;
}
