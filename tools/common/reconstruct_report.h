/**
 * @file reconstruct_report.h
 * What mae-reconstruct prints on stdout: a table or one JSON object (NaN and infinity
 * are null there).
 *
 * Errors   NOMEM; a failing stdout shows when the tool ends.
 */
#ifndef MAE_TOOLS_COMMON_RECONSTRUCT_REPORT_H
#define MAE_TOOLS_COMMON_RECONSTRUCT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/gallery.h"
#include "eval/preview.h"
#include "eval/replay.h"

typedef struct ReconstructReport {
    const char *checkpoint, *out; /* paths */
    const char *strategy;         /* of the masks */
    double ratio;
    uint64_t seed;
    const MaeMask *mask; /* for its sizes */
    MaeDenorm denorm;
    const MaeGallery *gallery;
    MaePreviewScore scores[MAE_GALLERY_MAX]; /* of the gallery's images */
} ReconstructReport;

/** Scores of every image and their mean, masks, and how to read the picture. */
MaeStatus reconstruct_report_print(const ReconstructReport *r, bool json, MaeError *err);

/** What a replay ran and where it is. */
MaeStatus reconstruct_report_replay(const MaeReplaySpec *spec,
                                    const MaeReplayResult *result, const char *checkpoint,
                                    bool json, MaeError *err);

#endif /* MAE_TOOLS_COMMON_RECONSTRUCT_REPORT_H */
