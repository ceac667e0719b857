/**
 * @file hostile.h
 * Files under the name of a picture: some decode, some are refused, none costs much.
 */
#ifndef MAE_TESTS_IMAGE_HOSTILE_H
#define MAE_TESTS_IMAGE_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

typedef struct HostileFile {
    const char *name;
    const char *message; /* a piece of the error; NULL: it decodes */
    uint8_t *(*make)(size_t *size, unsigned arg);
    unsigned arg;
} HostileFile;

/** All of them. @param[out] count of the array. */
const HostileFile *hostile_files(size_t *count);

/** The bytes of one; the caller frees. */
uint8_t *hostile_make(const HostileFile *file, size_t *size);

#endif /* MAE_TESTS_IMAGE_HOSTILE_H */
