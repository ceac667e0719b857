#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pack_parts.h"
#include "store/output.h"
#include "store/tar.h"

#define TOLD 256 /* samples between two reports of progress */

/* What is kept between samples. */
typedef struct Buffers {
    MaeReadBuffer file;
    MaeImage img;
} Buffers;

/* One name a line. */
static MaeStatus put_classes(const MaePack *pack, MaeOutput *out, MaeError *err)
{
    const size_t classes = mae_dataset_info(pack->ds)->classes;
    size_t size = 0, at = 0;
    char *text;

    if (!mae_dataset_info(pack->ds)->labelled)
        return MAE_OK;
    for (size_t i = 0; i < classes; i++) {
        const char *name = mae_dataset_class(pack->ds, i);

        if (strchr(name, '\n') != NULL)
            MAE_FAIL(err, MAE_ERR_ARG,
                     "%s: a tar cannot hold the class name \"%.60s\" with a line break; "
                     "OUT.h5 can",
                     pack->path, name);
        size += strlen(name) + 1;
    }
    text = malloc(size + 1);
    if (text == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu class names", pack->path,
                 classes);
    for (size_t i = 0; i < classes; i++)
        at += (size_t)sprintf(text + at, "%s\n", mae_dataset_class(pack->ds, i));
    mae_tar_put(out, "__classes__", text, size);
    free(text);
    return MAE_OK;
}

static MaeStatus put_file(const MaePack *pack, MaeOutput *out, size_t sample,
                          const char *key, Buffers *buffers, MaeError *err)
{
    char name[64];
    size_t size = 0;
    MaeImageFormat format;

    MAE_TRY(mae_dataset_load(pack->ds, sample, &buffers->file, &size, err));
    format = mae_image_sniff(buffers->file.data, size);
    if (format == MAE_IMAGE_UNKNOWN)
        MAE_FAIL(err, MAE_ERR_FORMAT, "is no JPEG or PNG file");
    (void)snprintf(name, sizeof name, "%s.%s", key,
                   format == MAE_IMAGE_JPEG ? "jpg" : "png");
    mae_tar_put(out, name, buffers->file.data, size);
    return MAE_OK;
}

static MaeStatus put_png(const MaePack *pack, MaeOutput *out, size_t sample,
                         const char *key, Buffers *buffers, MaeError *err)
{
    MaeImage *img = &buffers->img;
    uint8_t *bytes = NULL;
    size_t size = 0;
    char name[64];

    MAE_TRY(mae_dataset_read(pack->ds, sample, img, &buffers->file, err));
    if (img->type == MAE_PIXEL_F32 || (img->channels != 1 && img->channels != 3))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s with %zu channels cannot be a PNG in a tar; OUT.h5 can hold it",
                 img->type == MAE_PIXEL_F32 ? "float32" : "an image", img->channels);
    MAE_TRY(mae_image_encode_png(&bytes, &size, img, err));
    (void)snprintf(name, sizeof name, "%s.png", key);
    mae_tar_put(out, name, bytes, size);
    free(bytes);
    return MAE_OK;
}

static MaeStatus put_sample(const MaePack *pack, MaeOutput *out, size_t i,
                            Buffers *buffers, MaeError *err)
{
    const size_t sample = pack->samples[i];
    const int64_t label = mae_dataset_label(pack->ds, sample);
    char key[32], name[48], text[32];
    MaeError why = {0};
    MaeStatus status;

    (void)snprintf(key, sizeof key, "%08zu", i);
    status = mae_dataset_info(pack->ds)->encoded
                 ? put_file(pack, out, sample, key, buffers, &why)
                 : put_png(pack, out, sample, key, buffers, &why);
    if (status != MAE_OK)
        return mae_pack_blame(pack, sample, &why, err);
    if (label >= 0) {
        (void)snprintf(name, sizeof name, "%s.cls", key);
        mae_tar_put(out, name, text,
                    (size_t)snprintf(text, sizeof text, "%lld", (long long)label));
    }
    return mae_output_check(out, err);
}

MaeStatus mae_pack_tar(const MaePack *pack, MaeError *err)
{
    Buffers buffers = {.file = {0}};
    MaeOutput out;
    MaeStatus status;

    MAE_TRY(mae_output_open(&out, pack->path, NULL, err));
    status = put_classes(pack, &out, err);
    for (size_t i = 0; status == MAE_OK && i < pack->count; i++) {
        if (i % TOLD == 0)
            mae_pack_tell(pack, i);
        status = put_sample(pack, &out, i, &buffers, err);
    }
    mae_image_done(&buffers.img);
    mae_read_buffer_done(&buffers.file);
    if (status != MAE_OK) {
        mae_output_abort(&out);
        return status;
    }
    mae_tar_end(&out);
    MAE_TRY(mae_output_commit(&out, err));
    mae_pack_tell(pack, pack->count);
    return MAE_OK;
}
