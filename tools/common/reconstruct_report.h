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

#include "eval/ensemble.h"
#include "eval/frames.h"
#include "eval/gallery.h"
#include "eval/preview.h"
#include "eval/rank.h"
#include "eval/replay.h"
#include "eval/sweep.h"

/** What all reports say. */
typedef struct ReconstructReport {
    const char *checkpoint, *out; /* paths */
    bool json;
    const char *strategy; /* of the masks */
    const char *painted;  /* path of the mask, or NULL */
    double ratio, trained_ratio;
    uint64_t seed;
    size_t patches, hidden;
    MaeDenorm denorm;
    bool norm_pix_loss;
    const MaeGallery *gallery;
    MaePreviewScore scores[MAE_GALLERY_MAX]; /* of the gallery's images, if panels */
} ReconstructReport;

/** A ranked data set. */
typedef struct ReconstructRanked {
    const MaeRanking *ranking;
    const MaeDataset *ds;
    const char *data, *file; /* paths */
    size_t shown;            /* of the worst, and of the best */
    size_t masks;
} ReconstructRanked;

/** Scores of every image and their mean, masks, and how to read the picture. */
MaeStatus reconstruct_report_print(const ReconstructReport *r, MaeError *err);

/** Scores at every ratio. */
MaeStatus reconstruct_report_sweep(const ReconstructReport *r, const MaeSweep *sweep,
                                   MaeError *err);

/** Scores of whole images, spread if the sheet shows it. */
MaeStatus reconstruct_report_ensemble(const ReconstructReport *r, const MaeEnsemble *e,
                                      MaeEnsembleSheet sheet, MaeError *err);

/** Where the frames are, and commands that make a film of them. */
MaeStatus reconstruct_report_frames(const ReconstructReport *r, const MaeFramesSpec *spec,
                                    size_t frames, MaeError *err);

/** The worst and the best images. */
MaeStatus reconstruct_report_rank(const ReconstructReport *r,
                                  const ReconstructRanked *ranked, MaeError *err);

/** What a replay ran and where it is. */
MaeStatus reconstruct_report_replay(const ReconstructReport *r, const MaeReplaySpec *spec,
                                    const MaeReplayResult *result, MaeError *err);

#endif /* MAE_TOOLS_COMMON_RECONSTRUCT_REPORT_H */
