#include <stdlib.h>
#include <string.h>

#include "data/pack_parts.h"
#include "image/resize.h"
#include "store/h5out.h"

#define BURST_BYTES ((size_t)64 << 20)
#define BURST_IMAGES 256

/* What one thread keeps between images. */
typedef struct Reader {
    MaeImage img, scaled;
    MaeReadBuffer buffer;
    MaeResizer resizer;
} Reader;

/* Images that are decoded side by side and then written as rows. */
typedef struct Burst {
    const MaePack *pack;
    MaeImage model; /* shape and type of all images */
    size_t bytes;   /* of one */
    size_t images;  /* room for so many */
    size_t first;   /* position of the first one */
    unsigned char *rows;
    MaeError *why;   /* [images] */
    Reader *readers; /* [threads] */
} Burst;

/* One image as it is to be stored. @param[out] img points into the reader. */
static MaeStatus prepare(const MaePack *pack, size_t sample, Reader *reader,
                         MaeImage **img, MaeError *err)
{
    const size_t side = pack->opt->size;
    MaeFrame frame;

    *img = &reader->img;
    MAE_TRY(mae_dataset_read(pack->ds, sample, &reader->img, &reader->buffer, err));
    if (side == 0 || (reader->img.height == side && reader->img.width == side))
        return MAE_OK;
    *img = &reader->scaled;
    MAE_TRY(mae_frame_center(&frame, reader->img.height, reader->img.width, side, side,
                             side, err));
    return mae_image_resize(&reader->scaled, &reader->img, &frame, MAE_BICUBIC,
                            &reader->resizer, err);
}

static MaeStatus fits(const MaeImage *model, const MaeImage *img, MaeError *err)
{
    if (img->type != model->type)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "has %zu bytes per channel, the first image has %zu; one file holds one "
                 "type",
                 mae_pixel_size(img->type), mae_pixel_size(model->type));
    if (img->height != model->height || img->width != model->width)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "is %zu x %zu pixels, the first image %zu x %zu; a size to scale to "
                 "makes them alike, or OUT.tar holds them as they are",
                 img->height, img->width, model->height, model->width);
    return MAE_OK;
}

static void decode(void *ctx, size_t tile, size_t thread)
{
    Burst *burst = ctx;
    MaeError *why = &burst->why[tile];
    MaeImage *img = NULL;

    why->status = prepare(burst->pack, burst->pack->samples[burst->first + tile],
                          &burst->readers[thread], &img, why);
    if (why->status == MAE_OK)
        why->status = fits(&burst->model, img, why);
    if (why->status == MAE_OK)
        memcpy(burst->rows + tile * burst->bytes, img->data, burst->bytes);
}

static MaeStatus open_burst(Burst *burst, const MaePack *pack, MaeError *err)
{
    const size_t threads = mae_pool_threads(pack->opt->pool);
    MaeImage *img = NULL;
    MaeError why = {0};

    burst->pack = pack;
    burst->readers = calloc(threads, sizeof *burst->readers);
    if (burst->readers == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", pack->path);
    if (prepare(pack, pack->samples[0], &burst->readers[0], &img, &why) != MAE_OK)
        return mae_pack_blame(pack, pack->samples[0], &why, err);
    burst->model = *img;
    burst->bytes = img->height * mae_image_row_bytes(img);
    burst->images = BURST_BYTES / burst->bytes;
    burst->images = burst->images < 1              ? 1
                    : burst->images > BURST_IMAGES ? BURST_IMAGES
                                                   : burst->images;
    burst->rows = malloc(burst->images * burst->bytes);
    burst->why = calloc(burst->images, sizeof *burst->why);
    if (burst->rows == NULL || burst->why == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu images of %zu bytes",
                 pack->path, burst->images, burst->bytes);
    return MAE_OK;
}

static void close_burst(Burst *burst)
{
    const size_t threads = mae_pool_threads(burst->pack->opt->pool);

    for (size_t i = 0; burst->readers != NULL && i < threads; i++) {
        mae_image_done(&burst->readers[i].img);
        mae_image_done(&burst->readers[i].scaled);
        mae_read_buffer_done(&burst->readers[i].buffer);
        mae_resizer_done(&burst->readers[i].resizer);
    }
    free(burst->readers);
    free(burst->rows);
    free(burst->why);
}

static MaeStatus put_labels(const MaePack *pack, MaeH5Out *out, MaeError *err)
{
    const size_t classes = mae_dataset_info(pack->ds)->classes;
    const char **names;
    int64_t *labels;

    if (!mae_dataset_info(pack->ds)->labelled)
        return MAE_OK;
    labels = malloc(pack->count * sizeof *labels);
    names = malloc((classes + 1) * sizeof *names);
    for (size_t i = 0; labels != NULL && i < pack->count; i++)
        labels[i] = mae_dataset_label(pack->ds, pack->samples[i]);
    for (size_t i = 0; names != NULL && i < classes; i++)
        names[i] = mae_dataset_class(pack->ds, i);
    if (labels != NULL && names != NULL) {
        mae_h5out_ints(out, "labels", labels, &pack->count, 1);
        mae_h5out_texts(out, "class_names", names, classes);
    }
    free(names);
    free(labels);
    if (labels == NULL || names == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu labels", pack->path,
                 pack->count);
    return mae_h5out_check(out, err);
}

static MaeStatus put_images(Burst *burst, MaeH5Out *out, MaeError *err)
{
    static const MaeH5Element elements[] = {
        [MAE_PIXEL_U8] = MAE_H5_ELEMENT_U8,
        [MAE_PIXEL_U16] = MAE_H5_ELEMENT_U16,
        [MAE_PIXEL_F32] = MAE_H5_ELEMENT_F32,
    };
    const MaePack *pack = burst->pack;
    const MaeImage *model = &burst->model;
    const MaeH5Element element = elements[model->type];
    const size_t shape[4] = {pack->count, model->height, model->width, model->channels};

    mae_h5out_define_as(out, "images", element, shape, 4);
    for (burst->first = 0; burst->first < pack->count; burst->first += burst->images) {
        const size_t left = pack->count - burst->first;
        const size_t images = left < burst->images ? left : burst->images;

        mae_pack_tell(pack, burst->first);
        mae_pool_run(pack->opt->pool, images, decode, burst);
        for (size_t i = 0; i < images; i++) {
            if (burst->why[i].status != MAE_OK)
                return mae_pack_blame(pack, pack->samples[burst->first + i],
                                      &burst->why[i], err);
        }
        mae_h5out_rows_as(out, "images", element, burst->first, images, burst->rows);
        MAE_TRY(mae_h5out_check(out, err));
    }
    return MAE_OK;
}

static MaeStatus write_file(Burst *burst, MaeError *err)
{
    const MaePack *pack = burst->pack;
    MaeH5Out *out = NULL;
    MaeStatus status;

    MAE_TRY(mae_h5out_create(&out, pack->path, err));
    status = put_labels(pack, out, err);
    if (status == MAE_OK)
        status = put_images(burst, out, err);
    if (status != MAE_OK) {
        mae_h5out_abort(out);
        return status;
    }
    MAE_TRY(mae_h5out_commit(out, err));
    mae_pack_tell(pack, pack->count);
    return MAE_OK;
}

MaeStatus mae_pack_h5(const MaePack *pack, MaeError *err)
{
    Burst burst = {.pack = pack};
    MaeStatus status = open_burst(&burst, pack, err);

    if (status == MAE_OK)
        status = write_file(&burst, err);
    close_burst(&burst);
    return status;
}
