/**
 * @file fuzz.h
 * What the fuzz targets share: the input as a file without a disk.
 */
#ifndef MAE_TESTS_FUZZ_FUZZ_H
#define MAE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** An anonymous file in memory that readers can open by path. */
typedef struct FuzzFile {
    int fd;
    char path[64];
} FuzzFile;

/** Aborts if the system refuses. */
FuzzFile fuzz_file(const uint8_t *data, size_t size);
void fuzz_file_done(FuzzFile *file);

#endif /* MAE_TESTS_FUZZ_FUZZ_H */
