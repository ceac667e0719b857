#include "data/survey.h"

#include <stdlib.h>
#include <string.h>

#define BURST 256 /* images between two reports of progress */

/* What one thread keeps between images. */
typedef struct Reader {
    MaeImage img;
    MaeReadBuffer buffer;
} Reader;

typedef struct Job {
    const MaeDataset *ds;
    MaeSurveyItem *items;
    MaeSurveyDepth depth;
    Reader *readers; /* [threads] */
    size_t first;    /* image of tile 0 */
} Job;

static void look(void *ctx, size_t tile, size_t thread)
{
    Job *job = ctx;
    Reader *reader = &job->readers[thread];
    MaeSurveyItem *item = &job->items[job->first + tile];
    MaeError err = {0};

    item->status = (job->depth == MAE_SURVEY_SIZE ? mae_dataset_peek : mae_dataset_read)(
        job->ds, job->first + tile, &reader->img, &reader->buffer, &err);
    if (item->status == MAE_OK) {
        item->height = (uint32_t)reader->img.picture.height;
        item->width = (uint32_t)reader->img.picture.width;
        return;
    }
    item->reason = strdup(err.msg);
    if (item->reason == NULL)
        item->status = MAE_ERR_NOMEM;
}

static MaeStatus run(Job *job, MaeSurvey *survey, MaePool *pool, MaeWatch watch,
                     MaeError *err)
{
    for (job->first = 0; job->first < survey->count; job->first += BURST) {
        const size_t left = survey->count - job->first;
        const size_t burst = left < BURST ? left : BURST;

        if (watch.fn != NULL)
            watch.fn(watch.ctx, job->first, survey->count);
        mae_pool_run(pool, burst, look, job);
        for (size_t i = job->first; i < job->first + burst; i++) {
            if (survey->items[i].status == MAE_ERR_NOMEM)
                MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for image %zu of %zu", i + 1,
                         survey->count);
            survey->bad += survey->items[i].status != MAE_OK;
        }
    }
    if (watch.fn != NULL)
        watch.fn(watch.ctx, survey->count, survey->count);
    return MAE_OK;
}

MaeStatus mae_survey_run(MaeSurvey *survey, const MaeDataset *ds, MaeSurveyDepth depth,
                         MaePool *pool, MaeWatch watch, MaeError *err)
{
    const size_t threads = mae_pool_threads(pool);
    Job job = {.ds = ds, .depth = depth};
    MaeStatus status = MAE_ERR_NOMEM;

    *survey = (MaeSurvey){.count = mae_dataset_info(ds)->count};
    job.items = survey->items = calloc(survey->count, sizeof *survey->items);
    job.readers = calloc(threads, sizeof *job.readers);
    if (job.items != NULL && job.readers != NULL)
        status = run(&job, survey, pool, watch, err);
    else
        (void)mae_error_set(err, status, __FILE__, __LINE__,
                            "out of memory for a survey of %zu images", survey->count);
    for (size_t i = 0; job.readers != NULL && i < threads; i++) {
        mae_image_done(&job.readers[i].img);
        mae_read_buffer_done(&job.readers[i].buffer);
    }
    free(job.readers);
    if (status != MAE_OK)
        mae_survey_done(survey);
    return status;
}

void mae_survey_done(MaeSurvey *survey)
{
    for (size_t i = 0; survey->items != NULL && i < survey->count; i++)
        free(survey->items[i].reason);
    free(survey->items);
    *survey = (MaeSurvey){.count = 0};
}
