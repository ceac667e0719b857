/**
 * @file eval_report.h
 * How mae-eval presents its results: a table, or JSON.
 */
#ifndef MAE_TOOLS_COMMON_EVAL_REPORT_H
#define MAE_TOOLS_COMMON_EVAL_REPORT_H

#include "common/eval_head.h"
#include "common/feature_source.h"
#include "eval/score.h"

/** Results and what they were taken from; borrowed. */
typedef struct EvalReport {
    const char *checkpoint, *train, *test;
    bool random; /* the encoder was initialised anew */
    uint64_t seed;
    size_t train_count, test_count, classes;
    const MaeEmbedSpec *spec;
    const MaeScoreOptions *options;
    const MaeScores *scores; /* [spec->count], or NULL */
    const EvalHead *head;
    const char *sheet; /* path of the contact sheet; NULL: none */
} EvalReport;

/** Read which probes are wanted, "knn,ridge"; the rest of @p options is left alone. */
MaeStatus eval_report_probes(MaeScoreOptions *options, const char *list, MaeError *err);

/** ARG if more neighbours are asked for than there are training images. */
MaeStatus eval_report_counts(const MaeScoreOptions *options, size_t images,
                             MaeError *err);

/**
 * Counts of 0 become 20 neighbours that vote and 10 retrieved, or @p images if they are
 * fewer, with a note; @p images are those that could be read. ARG as above.
 */
MaeStatus eval_report_defaults(MaeScoreOptions *options, size_t images, const MaeLog *log,
                               MaeError *err);

/** Write it on stdout. */
MaeStatus eval_report_print(const EvalReport *report, bool json, MaeError *err);

#endif /* MAE_TOOLS_COMMON_EVAL_REPORT_H */
