/**
 * @file visualize_page.h
 * report.html of mae-visualize: all figures by view, reconstructions under a slider, and
 * what the features are worth beside those of random weights.
 *
 * Errors   As the parts of eval/ that it calls.
 * Threads  Main thread only; drives the pool.
 */
#ifndef MAE_TOOLS_COMMON_VISUALIZE_PAGE_H
#define MAE_TOOLS_COMMON_VISUALIZE_PAGE_H

#include "common/visualize_source.h"
#include "eval/spot_check.h"

/** Models that are scored: those that are looked at, and random weights. */
#define VISUALIZE_SCORED (MAE_VISUAL_MODELS + 1)

/** What was measured; no models if the data have no labels. */
typedef struct VisualizeScores {
    const char *names[VISUALIZE_SCORED];
    MaeScores scores[VISUALIZE_SCORED];
    size_t count;           /* of models */
    size_t queries, memory; /* images */
    size_t retrieved, k;    /* neighbours that are judged, and that vote */
    double chance;          /* precision of neighbours in random order */
} VisualizeScores;

/** Measure, and write the page to @p path. @param figures that were drawn. */
MaeStatus visualize_page_write(VisualizeScores *scores, VisualizeSource *source,
                               const MaeFigures *figures, const char *path,
                               MaeError *err);

#endif /* MAE_TOOLS_COMMON_VISUALIZE_PAGE_H */
