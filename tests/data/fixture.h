/**
 * @file fixture.h
 * Small datasets for the tests of data/: images that can be told apart, IDX files, logs.
 */
#ifndef MAE_TESTS_DATA_FIXTURE_H
#define MAE_TESTS_DATA_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "image/image.h"
#include "support/test.h"

/** "<folder>/<name>"; static storage, the last 8 results are valid. */
const char *fixture_path(const char *folder, const char *name);

/** Create "<folder>/<name>", which is returned as fixture_path does. */
const char *fixture_folder(const char *folder, const char *name);

/** Random pixels of stream @p seed; mae_image_done it. */
MaeImage fixture_image(size_t height, size_t width, size_t channels, uint64_t seed);

/** Write a picture as PNG. */
void fixture_write_png(const char *path, const MaeImage *img);

/** Write fixture_image(...) as PNG or JPEG (quality 90). */
void fixture_png(const char *path, size_t height, size_t width, size_t channels,
                 uint64_t seed);
void fixture_jpeg(const char *path, size_t height, size_t width, size_t channels,
                  uint64_t seed);

/** Class folders "c0", "c1" ... with @p each RGB PNGs [height,width] "000.png" ... in
 * them; image i of the dataset has seed i. */
void fixture_classes(const char *root, size_t classes, size_t each, size_t height,
                     size_t width);

/** IDX file with @p size bytes behind the header, gzipped or not. */
void fixture_idx(const char *path, bool gz, size_t ndim, const uint32_t *dims,
                 const void *bytes, size_t size);

/** MNIST-like set of @p count images [h,w], pixel k of image i is (7 i + k) % 256, label
 * i % 10, under @p folder with names "<prefix>-images-idx3-ubyte[.gz]". */
void fixture_mnist(const char *folder, const char *prefix, bool gz, size_t count,
                   uint32_t h, uint32_t w);

/** A log that counts lines and keeps the last one. */
typedef struct FixtureLog {
    MaeLog log;
    size_t lines;
    char last[1024];
} FixtureLog;

void fixture_log(FixtureLog *log);

#endif /* MAE_TESTS_DATA_FIXTURE_H */
