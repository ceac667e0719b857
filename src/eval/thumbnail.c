#include "eval/thumbnail.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/size.h"
#include "eval/canvas.h"

void mae_thumbnailer_done(MaeThumbnailer *t)
{
    mae_image_done(&t->img);
    mae_read_buffer_done(&t->buffer);
    mae_resizer_done(&t->scratch);
    free(t->values);
    *t = (MaeThumbnailer){0};
}

/* @p values [C,H,W] in 0 .. 1, enlarged to at most @p side. */
static MaeStatus draw(MaeImage *thumb, const float *values, size_t channels,
                      size_t height, size_t width, size_t side, MaeError *err)
{
    const size_t fits = side / mae_larger(height, width), scale = fits > 0 ? fits : 1;

    MAE_TRY(mae_canvas_open(thumb, height * scale, width * scale, err));
    mae_canvas_image(thumb, 0, 0, scale, values, channels, height, width);
    return MAE_OK;
}

static MaeStatus grow(MaeThumbnailer *t, size_t count, MaeError *err)
{
    float *grown;

    if (count <= t->capacity)
        return MAE_OK;
    grown = realloc(t->values, count * sizeof *grown);
    if (grown == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "thumbnail: out of memory for %zu numbers", count);
    t->values = grown;
    t->capacity = count;
    return MAE_OK;
}

/* The picture's own range becomes 0 .. 1. */
static void stretch(float *values, size_t n)
{
    const MaePalette range = mae_palette_fit(MAE_COLOURS_SEQUENTIAL, values, n);
    const double span = (double)range.high - (double)range.low;

    for (size_t i = 0; i < n; i++)
        values[i] =
            span > 0.0 ? (float)(((double)values[i] - (double)range.low) / span) : 0.5f;
}

static size_t scaled(size_t length, size_t most, size_t side)
{
    const size_t made =
        most > side ? (size_t)((double)length * (double)side / (double)most) : length;

    return made > 0 ? made : 1;
}

static MaeStatus shrink(MaeThumbnailer *t, MaeImage *thumb, size_t side, MaeError *err)
{
    const MaeImage *img = &t->img;
    const size_t most = mae_larger(img->height, img->width);
    const size_t height = scaled(img->height, most, side);
    const size_t width = scaled(img->width, most, side);
    const size_t count = img->channels * height * width;
    const MaeFrame frame = mae_frame_crop(mae_image_box(img), height, width);

    MAE_TRY(grow(t, count, err));
    MAE_TRY(mae_image_tensor(t->values, img, &frame, (MaeNormal){0}, MAE_BICUBIC,
                             &t->scratch, err));
    if (img->type == MAE_PIXEL_F32)
        stretch(t->values, count);
    return draw(thumb, t->values, img->channels, height, width, side, err);
}

MaeStatus mae_thumbnail_read(MaeThumbnailer *t, MaeImage *thumb, const MaeDataset *ds,
                             size_t sample, size_t side, MaeError *err)
{
    MaeError why = {0};
    MaeStatus status = mae_dataset_read(ds, sample, &t->img, &t->buffer, &why);
    char name[256];

    assert(side > 0);
    if (status == MAE_OK)
        status = shrink(t, thumb, side, &why);
    if (status == MAE_OK)
        return MAE_OK;
    mae_dataset_name(ds, sample, name, sizeof name);
    return mae_error_set(err, status, why.file, why.line, "%s: %s", name, why.msg);
}
