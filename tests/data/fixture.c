#include "data/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/rng.h"

const char *fixture_path(const char *folder, const char *name)
{
    static char paths[8][1024];
    static unsigned next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *fixture_folder(const char *folder, const char *name)
{
    const char *path = fixture_path(folder, name);

    ck_assert_msg(mkdir(path, 0777) == 0, "mkdir %s", path);
    return path;
}

MaeImage fixture_image(size_t height, size_t width, size_t channels, uint64_t seed)
{
    MaeImage img = {0};
    MaeError err = {0};
    MaeRng rng;

    mae_rng_init(&rng, seed, 0, 0, MAE_RNG_TEST);
    ck_assert_ok(mae_image_reshape(&img, height, width, channels, MAE_PIXEL_U8, &err));
    for (size_t i = 0; i < height * width * channels; i++)
        ((unsigned char *)img.data)[i] = (unsigned char)mae_rng_below(&rng, 256);
    return img;
}

void fixture_write_png(const char *path, const MaeImage *img)
{
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_ok(mae_image_encode_png(&bytes, &size, img, &err));
    mae_test_write(path, bytes, size);
    free(bytes);
}

void fixture_png(const char *path, size_t height, size_t width, size_t channels,
                 uint64_t seed)
{
    MaeImage img = fixture_image(height, width, channels, seed);

    fixture_write_png(path, &img);
    mae_image_done(&img);
}

void fixture_jpeg(const char *path, size_t height, size_t width, size_t channels,
                  uint64_t seed)
{
    MaeImage img = fixture_image(height, width, channels, seed);
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;

    ck_assert_ok(mae_image_encode_jpeg(&bytes, &size, &img, 90, &err));
    mae_test_write(path, bytes, size);
    free(bytes);
    mae_image_done(&img);
}

void fixture_classes(const char *root, size_t classes, size_t each, size_t height,
                     size_t width)
{
    for (size_t c = 0; c < classes; c++) {
        char name[64];

        (void)snprintf(name, sizeof name, "c%zu", c);
        (void)fixture_folder(root, name);
        for (size_t i = 0; i < each; i++) {
            (void)snprintf(name, sizeof name, "c%zu/%03zu.png", c, i);
            fixture_png(fixture_path(root, name), height, width, 3, c * each + i);
        }
    }
}

void fixture_idx(const char *path, bool gz, size_t ndim, const uint32_t *dims,
                 const void *bytes, size_t size)
{
    unsigned char head[16] = {0, 0, 8, (unsigned char)ndim};
    gzFile file = gzopen(path, gz ? "wb" : "wbT");

    for (size_t i = 0; i < ndim; i++) {
        for (size_t k = 0; k < 4; k++)
            head[4 + 4 * i + k] = (unsigned char)(dims[i] >> (24 - 8 * k));
    }
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, head, (unsigned)(4 + 4 * ndim)), (int)(4 + 4 * ndim));
    if (size > 0)
        ck_assert_int_eq(gzwrite(file, bytes, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(file), Z_OK);
}

void fixture_mnist(const char *folder, const char *prefix, bool gz, size_t count,
                   uint32_t h, uint32_t w)
{
    const uint32_t dims[3] = {(uint32_t)count, h, w};
    const size_t item = (size_t)h * w;
    unsigned char *bytes = mae_test_alloc(count * item), *labels = mae_test_alloc(count);
    char name[128];

    for (size_t i = 0; i < count * item; i++)
        bytes[i] = (unsigned char)(7 * (i / item) + i % item);
    for (size_t i = 0; i < count; i++)
        labels[i] = (unsigned char)(i % 10);
    (void)snprintf(name, sizeof name, "%s-images-idx3-ubyte%s", prefix, gz ? ".gz" : "");
    fixture_idx(fixture_path(folder, name), gz, 3, dims, bytes, count * item);
    (void)snprintf(name, sizeof name, "%s-labels-idx1-ubyte%s", prefix, gz ? ".gz" : "");
    fixture_idx(fixture_path(folder, name), gz, 1, dims, labels, count);
    free(bytes);
    free(labels);
}

static void keep_line(void *ctx, MaeLogLevel level, const char *line)
{
    FixtureLog *log = ctx;

    (void)level;
    log->lines++;
    (void)snprintf(log->last, sizeof log->last, "%s", line);
}

void fixture_log(FixtureLog *log)
{
    *log = (FixtureLog){.log = {.fn = keep_line, .ctx = log, .level = MAE_LOG_TRACE}};
}
