#include "data/identity.h"

#include "base/size.h"
#include "store/bytes.h"
#include "store/crc32c.h"

static void add_number(uint32_t *sum, uint64_t value)
{
    unsigned char bytes[8];

    mae_put_u64(bytes, value);
    *sum = mae_crc32c(*sum, bytes, sizeof bytes);
}

static MaeStatus add_file(uint32_t *sum, const MaeDataset *ds, size_t index,
                          MaeReadBuffer *buffer, MaeError *err)
{
    size_t size;

    MAE_TRY(mae_dataset_load(ds, index, buffer, &size, err));
    *sum = mae_crc32c(*sum, buffer->data, size);
    return MAE_OK;
}

static MaeStatus add_pixels(uint32_t *sum, const MaeDataset *ds, size_t index,
                            MaeImage *img, MaeReadBuffer *buffer, MaeError *err)
{
    MAE_TRY(mae_dataset_read(ds, index, img, buffer, err));
    add_number(sum, img->height);
    add_number(sum, img->width);
    *sum =
        mae_crc32c(*sum, img->data,
                   img->height * img->width * img->channels * mae_pixel_size(img->type));
    return MAE_OK;
}

static MaeStatus add_samples(uint32_t *sum, const MaeDataset *ds, MaeError *err)
{
    const MaeDatasetInfo *info = mae_dataset_info(ds);
    const size_t looks = mae_smaller(info->count, MAE_IDENTITY_SAMPLES);
    MaeReadBuffer buffer = {0};
    MaeImage img = {0};
    MaeStatus status = MAE_OK;

    for (size_t i = 0; i < looks && status != MAE_ERR_NOMEM; i++) {
        const size_t last = info->count - 1, steps = mae_larger(looks - 1, 1);
        const size_t index = last / steps * i + last % steps * i / steps;

        status = info->encoded ? add_file(sum, ds, index, &buffer, err)
                               : add_pixels(sum, ds, index, &img, &buffer, err);
        if (status != MAE_OK) /* bad, the same every time */
            add_number(sum, index);
    }
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
    return status == MAE_ERR_NOMEM ? status : MAE_OK;
}

MaeStatus mae_identity_take(MaeIdentity *id, const MaeDataset *ds, MaeError *err)
{
    const MaeDatasetInfo *info = mae_dataset_info(ds);
    uint32_t sum = 0;

    add_number(&sum, info->count);
    for (size_t i = 0; i < info->count && info->labelled; i++)
        add_number(&sum, (uint64_t)mae_dataset_label(ds, i));
    MAE_TRY(add_samples(&sum, ds, err));
    *id = (MaeIdentity){info->count, sum};
    return MAE_OK;
}

bool mae_identity_same(MaeIdentity a, MaeIdentity b)
{
    return a.count == 0 || b.count == 0 ||
           (a.count == b.count && a.checksum == b.checksum);
}
