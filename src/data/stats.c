#include "data/stats.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* What one thread keeps between images. */
typedef struct Reader {
    MaeImage img;
    MaeReadBuffer buffer;
} Reader;

typedef struct Survey {
    const MaeDataset *ds;
    const size_t *indices;
    size_t total, images; /* of which every total/images-th is looked at */
    size_t channels;
    Reader *readers;   /* [threads] */
    double *moments;   /* [images,C,2] mean and variance */
    MaeStatus *status; /* [images] */
    MaeError first;    /* why sample 0 of the survey is bad, if it is */
} Survey;

static double pixel(const MaeImage *img, size_t i)
{
    switch (img->type) {
    case MAE_PIXEL_U8:
        return ((const unsigned char *)img->data)[i] / 255.0;
    case MAE_PIXEL_U16:
        return ((const uint16_t *)img->data)[i] / 65535.0;
    case MAE_PIXEL_F32:
        break;
    }
    return (double)((const float *)img->data)[i];
}

/* Two passes: E[x^2] - E[x]^2 cancels badly when |mean| >> std. */
static void measure(double moments[2], const MaeImage *img, size_t channel)
{
    const size_t pixels = img->height * img->width;
    double sum = 0.0, square = 0.0;

    for (size_t i = 0; i < pixels; i++)
        sum += pixel(img, i * img->channels + channel);
    moments[0] = sum / (double)pixels;
    for (size_t i = 0; i < pixels; i++) {
        const double d = pixel(img, i * img->channels + channel) - moments[0];

        square += d * d;
    }
    moments[1] = square / (double)pixels;
}

static void survey_image(void *ctx, size_t tile, size_t thread)
{
    Survey *survey = ctx;
    Reader *reader = &survey->readers[thread];
    const size_t at = survey->total / survey->images * tile +
                      survey->total % survey->images * tile / survey->images;
    const size_t sample = survey->indices == NULL ? at : survey->indices[at];
    MaeError *err = tile == 0 ? &survey->first : NULL;

    survey->status[tile] =
        mae_dataset_read(survey->ds, sample, &reader->img, &reader->buffer, err);
    for (size_t c = 0; survey->status[tile] == MAE_OK && c < survey->channels; c++)
        measure(&survey->moments[2 * (tile * survey->channels + c)], &reader->img, c);
}

/* Combine in index order. @return images that could be read. */
static size_t combine(const Survey *survey, float *mean, float *std)
{
    size_t used = 0;

    for (size_t i = 0; i < survey->images; i++)
        used += survey->status[i] == MAE_OK;
    for (size_t c = 0; c < survey->channels && used > 0; c++) {
        double sum = 0.0, square = 0.0;

        for (size_t i = 0; i < survey->images; i++) {
            if (survey->status[i] == MAE_OK)
                sum += survey->moments[2 * (i * survey->channels + c)];
        }
        sum /= (double)used;
        for (size_t i = 0; i < survey->images; i++) {
            const double *moments = &survey->moments[2 * (i * survey->channels + c)];

            if (survey->status[i] == MAE_OK)
                square += moments[1] + (moments[0] - sum) * (moments[0] - sum);
        }
        mean[c] = (float)sum;
        std[c] = (float)sqrt(square / (double)used);
        if (!(std[c] > 0.0f))
            std[c] = 1.0f;
    }
    return used;
}

static MaeStatus run(Survey *survey, float *mean, float *std, size_t *used, MaePool *pool,
                     MaeError *err)
{
    size_t good;

    if (survey->readers == NULL || survey->moments == NULL || survey->status == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "mean and std: out of memory for %zu images",
                 survey->images);
    mae_pool_run(pool, survey->images, survey_image, survey);
    for (size_t i = 0; i < survey->images; i++) {
        if (survey->status[i] == MAE_ERR_NOMEM)
            MAE_FAIL(err, MAE_ERR_NOMEM, "mean and std: out of memory for an image");
    }
    good = combine(survey, mean, std);
    if (good == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "mean and std: none of %zu images can be read, the first: %s",
                 survey->images, survey->first.msg);
    if (used != NULL)
        *used = good;
    return MAE_OK;
}

MaeStatus mae_stats_measure(float *mean, float *std, size_t *used, const MaeDataset *ds,
                            const size_t *indices, size_t count, size_t max_images,
                            MaePool *pool, MaeError *err)
{
    const size_t total = indices == NULL ? mae_dataset_info(ds)->count : count;
    const size_t limit = max_images == 0 ? MAE_STATS_SAMPLES : max_images;
    const size_t threads = mae_pool_threads(pool);
    Survey survey = {
        .ds = ds,
        .indices = indices,
        .total = total,
        .images = total < limit ? total : limit,
        .channels = mae_dataset_info(ds)->channels,
    };
    MaeStatus status;

    assert(total > 0);
    survey.readers = calloc(threads, sizeof *survey.readers);
    survey.moments = calloc(survey.images * survey.channels, 2 * sizeof(double));
    survey.status = calloc(survey.images, sizeof *survey.status);
    status = run(&survey, mean, std, used, pool, err);
    for (size_t i = 0; survey.readers != NULL && i < threads; i++) {
        mae_image_done(&survey.readers[i].img);
        mae_read_buffer_done(&survey.readers[i].buffer);
    }
    free(survey.readers);
    free(survey.moments);
    free(survey.status);
    return status;
}
