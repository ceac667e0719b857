/**
 * @file survey.h
 * Reads every image of a dataset once: which are bad and why, and how large each is.
 *
 * Memory   24 bytes per image and the reason of each bad one.
 * Errors   Bad images are no failure of the survey; NOMEM.
 * Threads  Images are shared out over the pool; what is found does not depend on it.
 */
#ifndef MAE_DATA_SURVEY_H
#define MAE_DATA_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"
#include "data/dataset.h"

#define MAE_SURVEY_KINDS 64 /* reasons that are told apart */

/** Told how far a long job is, now and then, by the thread that started it. */
typedef struct MaeWatch {
    void (*fn)(void *ctx, size_t done, size_t total); /* NULL: nobody listens */
    void *ctx;
} MaeWatch;

/** How much of an image is looked at. */
typedef enum MaeSurveyDepth {
    MAE_SURVEY_WHOLE, /* all pixels are decoded */
    MAE_SURVEY_SIZE,  /* enough to know the size, where the format allows it */
} MaeSurveyDepth;

typedef struct MaeSurveyItem {
    MaeStatus status;       /* not MAE_OK: bad */
    uint32_t height, width; /* pixels; 0 if bad */
    char *reason;           /* NULL unless bad */
} MaeSurveyItem;

typedef struct MaeSurvey {
    MaeSurveyItem *items; /* [count], one per sample */
    size_t count, bad;
} MaeSurvey;

/** @param[out] survey released by mae_survey_done; empty after a failure. */
MaeStatus mae_survey_run(MaeSurvey *survey, const MaeDataset *ds, MaeSurveyDepth depth,
                         MaePool *pool, MaeWatch watch, MaeError *err);

/** Bad images whose reasons are the same but for the numbers in them. */
typedef struct MaeSurveyKind {
    const char *reason; /* of the first of them; the survey's */
    size_t count;
} MaeSurveyKind;

/**
 * Count the bad images by reason, the most frequent first, then as met. All reasons that
 * find no place are one more at the end.
 * @return number of kinds.
 */
size_t mae_survey_kinds(const MaeSurvey *survey,
                        MaeSurveyKind kinds[MAE_SURVEY_KINDS + 1]);

/** Accepts a zeroed survey. */
void mae_survey_done(MaeSurvey *survey);

#endif /* MAE_DATA_SURVEY_H */
