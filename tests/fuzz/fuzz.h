/**
 * @file fuzz.h
 * What the fuzz targets share: the input as a file.
 *
 * A target states in its first comment what holds for any input; what does not hold
 * aborts. Every function aborts if the system refuses.
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

FuzzFile fuzz_file(const uint8_t *data, size_t size);
void fuzz_file_done(FuzzFile *file);

/** A folder below $TMPDIR or /tmp that lasts as long as the process. */
const char *fuzz_folder(void);

/** Write a file into that folder, replacing what was there. */
void fuzz_put(const char *name, const uint8_t *data, size_t size);

/** The input as a text, cut at its first NUL byte; the caller frees. */
char *fuzz_text(const uint8_t *data, size_t size);

/** A copy of the input that may be changed; the caller frees. */
uint8_t *fuzz_copy(const uint8_t *data, size_t size);

#endif /* MAE_TESTS_FUZZ_FUZZ_H */
