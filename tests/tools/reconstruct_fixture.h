/**
 * @file reconstruct_fixture.h
 * mae-reconstruct run in a folder with checkpoints and images.
 */
#ifndef MAE_TESTS_TOOLS_RECONSTRUCT_FIXTURE_H
#define MAE_TESTS_TOOLS_RECONSTRUCT_FIXTURE_H

#include "support/test.h"

/* Checkpoints, images and a replay input in a folder that the tool is run in. */
typedef struct Place {
    char *folder;
    int code; /* of the last run */
    char *out, *err;
} Place;

/** A folder with norm.h5, plain.h5, classifier.h5, a.png, b.png and cut.png, damaged. */
void place_open(Place *p);
void place_close(Place *p);

/** Path of a file in the folder; static storage, the last 4 results are valid. */
const char *place_path(const Place *p, const char *name);

/** Write an RGB PNG of which the first @p keep bytes are there. */
void place_image(const Place *p, const char *name, size_t height, size_t width,
                 size_t keep);

/** Write masks of the grid of patches: three.png, none.png, all.png; and large.png. */
void place_masks(const Place *p);

/** Run the tool in the folder with arguments separated by single spaces. */
void place_run(Place *p, const char *arguments);

/** Whether a file is there. */
bool place_has(const Place *p, const char *name);

/** Fail unless @p text contains @p part. */
void place_expect(const char *text, const char *part);

#endif /* MAE_TESTS_TOOLS_RECONSTRUCT_FIXTURE_H */
