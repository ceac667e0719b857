/*
 * From JPEG files to tensors, one thread: 500 x 375 pictures of quality 92, a random
 * resized crop of 224, flip, normalisation.
 *
 *   bench_loader [FOLDER]   reads the images in FOLDER, which is filled first if it does
 *                           not exist; default a folder of its own, removed at the end
 *
 * Prints one JSON line: images a second of processor time of the loader, milliseconds an
 * image of it and its parts, best and median of ROUNDS passes over PASS images.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data/loader.h"
#include "image/resize_table.h"
#include "support/photo.h"

enum { PICTURES = 64, HEIGHT = 375, WIDTH = 500, SIDE = 224, PASS = 512, ROUNDS = 7 };

static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};

typedef struct Bench {
    const char *folder;
    MaeDataset *ds;
    MaeTransform transform;
    MaeImage img;
    MaeReadBuffer buffer;
    MaeTransformScratch scratch;
    float *tensor;
} Bench;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_loader: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void need(MaeStatus status, const MaeError *err)
{
    if (status != MAE_OK)
        die("failed", err->msg);
}

/* Processor time: others on the machine count less. */
static double seconds_used(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void path_of(char path[512], const char *folder, size_t i)
{
    snprintf(path, 512, "%s/%03zu.jpg", folder, i);
}

static void write_picture(const char *folder, size_t i, MaeImage *img)
{
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    char path[512];
    FILE *file;

    mae_test_photo(img->data, HEIGHT, WIDTH, i);
    need(mae_image_encode_jpeg(&bytes, &size, img, 92, &err), &err);
    path_of(path, folder, i);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        die(path, strerror(errno));
    free(bytes);
}

static void fill_folder(const char *folder)
{
    MaeImage img = {0};
    MaeError err = {0};

    need(mae_image_reshape(&img, HEIGHT, WIDTH, 3, MAE_PIXEL_U8, &err), &err);
    for (size_t i = 0; i < PICTURES; i++)
        write_picture(folder, i, &img);
    mae_image_done(&img);
}

static void empty_folder(const char *folder)
{
    char path[512];

    for (size_t i = 0; i < PICTURES; i++) {
        path_of(path, folder, i);
        unlink(path);
    }
    rmdir(folder);
}

/* --- what is measured: seconds for PASS images ------------------------------------ */

static double run_loader(Bench *b)
{
    const MaeLoaderOptions opt = {.sampler = {.count = mae_dataset_info(b->ds)->count,
                                              .batch_size = 32,
                                              .training = true,
                                              .world = 1}};
    const MaeBatch *batch;
    MaeLoader *loader = NULL;
    MaeError err = {0};
    double start;

    need(mae_loader_open(&loader, b->ds, &b->transform, &opt, &err), &err);
    start = seconds_used();
    for (size_t done = 0; done < PASS; done += 32) {
        need(mae_loader_next(loader, &batch, &err), &err);
        mae_loader_release(loader, batch);
    }
    start = seconds_used() - start;
    mae_loader_close(loader);
    return start;
}

static MaeDraw draw_of(size_t i)
{
    return (MaeDraw){.epoch = (uint32_t)(i / PICTURES), .sample = i % PICTURES};
}

typedef struct Choice {
    const MaeTransform *transform;
    MaeDraw draw;
} Choice;

static MaePart choose(const void *ctx, size_t height, size_t width)
{
    const Choice *choice = ctx;

    return mae_transform_part(choice->transform, height, width, choice->draw);
}

static void read_one(Bench *b, size_t i, bool part)
{
    const Choice choice = {&b->transform, draw_of(i)};
    const MaeChooser chooser = {choose, &choice};
    const size_t sample = i % mae_dataset_info(b->ds)->count;
    MaeError err = {0};

    need(mae_dataset_read_part(b->ds, sample, part ? &chooser : NULL, &b->img, &b->buffer,
                               &err),
         &err);
}

static double run_whole(Bench *b)
{
    const double start = seconds_used();

    for (size_t i = 0; i < PASS; i++)
        read_one(b, i, false);
    return seconds_used() - start;
}

static double run_part(Bench *b)
{
    const double start = seconds_used();

    for (size_t i = 0; i < PASS; i++)
        read_one(b, i, true);
    return seconds_used() - start;
}

static double run_transform(Bench *b)
{
    MaeError err = {0};
    double start;

    read_one(b, 0, false);
    start = seconds_used();
    for (size_t i = 0; i < PASS; i++)
        need(mae_transform_apply(&b->transform, b->tensor, &b->img, &b->scratch,
                                 draw_of(i), &err),
             &err);
    return seconds_used() - start;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The parts take turns, so that a busy moment does not hit one of them alone. */
static void measure(Bench *b)
{
    static double (*const runs[])(Bench *) = {run_loader, run_whole, run_part,
                                              run_transform};
    static const char *const names[] = {"loader", "read_whole", "read_part", "transform"};
    double seconds[4][ROUNDS];

    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 4; i++)
            seconds[i][round] = runs[i](b);
    }
    printf("{\"bench\": \"loader\", \"threads\": 1, \"resize\": \"%s\", "
           "\"images\": %zu, \"side\": %d",
           mae_resize_best()->name, mae_dataset_info(b->ds)->count, SIDE);
    for (size_t i = 0; i < 4; i++) {
        qsort(seconds[i], ROUNDS, sizeof(double), by_size);
        printf(", \"%s_ms\": {\"min\": %.4f, \"median\": %.4f}", names[i],
               1e3 * seconds[i][0] / PASS, 1e3 * seconds[i][ROUNDS / 2] / PASS);
    }
    printf(", \"images_per_s\": {\"median\": %.1f, \"max\": %.1f}}\n",
           PASS / seconds[0][ROUNDS / 2], PASS / seconds[0][0]);
}

int main(int argc, char **argv)
{
    char own[] = "/tmp/bench_loader_XXXXXX";
    const MaeDatasetOptions opt = {.in_chans = 3, .unlabelled = true};
    Bench b = {.folder = argc > 1 ? argv[1] : mkdtemp(own)};
    MaeError err = {0};

    if (b.folder == NULL)
        die(own, strerror(errno));
    if (argc == 1 || mkdir(b.folder, 0777) == 0)
        fill_folder(b.folder);
    b.transform = mae_transform_default(3, SIDE, SIDE, MAE_AUGMENT_CROP_FLIP);
    b.transform.mean = mean;
    b.transform.std = std;
    b.tensor = malloc(sizeof(float) * 3 * SIDE * SIDE);
    if (b.tensor == NULL)
        die("tensor", "out of memory");
    need(mae_dataset_open(&b.ds, b.folder, &opt, &err), &err);
    measure(&b);
    mae_dataset_close(b.ds);
    mae_image_done(&b.img);
    mae_read_buffer_done(&b.buffer);
    mae_transform_scratch_done(&b.scratch);
    free(b.tensor);
    if (argc == 1)
        empty_folder(b.folder);
    return 0;
}
