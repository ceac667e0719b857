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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Equal, with any number as good as any other. */
static bool alike(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        if (*a != *b && !(is_digit(*a) && is_digit(*b)))
            return false;
        if (is_digit(*a)) {
            a += strspn(a, "0123456789");
            b += strspn(b, "0123456789");
        } else {
            a++;
            b++;
        }
    }
    return true;
}

/* Move the last kind before all that are less frequent. */
static void sort_in(MaeSurveyKind *kinds, size_t at)
{
    const MaeSurveyKind kind = kinds[at];

    for (; at > 0 && kinds[at - 1].count < kind.count; at--)
        kinds[at] = kinds[at - 1];
    kinds[at] = kind;
}

size_t mae_survey_kinds(const MaeSurvey *survey,
                        MaeSurveyKind kinds[MAE_SURVEY_KINDS + 1])
{
    MaeSurveyKind others = {.reason = "other reasons"};
    size_t known = 0;

    for (size_t i = 0; i < survey->count; i++) {
        const char *reason = survey->items[i].reason;
        size_t k = 0;

        if (reason == NULL)
            continue;
        while (k < known && !alike(kinds[k].reason, reason))
            k++;
        if (k == known && known < MAE_SURVEY_KINDS)
            kinds[known++] = (MaeSurveyKind){.reason = reason};
        (k < known ? &kinds[k] : &others)->count++;
    }
    for (size_t k = 1; k < known; k++)
        sort_in(kinds, k);
    if (others.count > 0)
        kinds[known++] = others;
    return known;
}

void mae_survey_done(MaeSurvey *survey)
{
    for (size_t i = 0; survey->items != NULL && i < survey->count; i++)
        free(survey->items[i].reason);
    free(survey->items);
    *survey = (MaeSurvey){.count = 0};
}
