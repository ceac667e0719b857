/**
 * @file eval_sheet.h
 * The contact sheet of mae-eval: test images and the training images nearest to them.
 *
 * Errors   ARG as said below; else as reading, searching and writing report them.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_EVAL_SHEET_H
#define MAE_TOOLS_COMMON_EVAL_SHEET_H

#include "common/feature_source.h"
#include "eval/contact_sheet.h"

/** What is asked for: EVAL_SHEET_OPTIONS fill it. */
typedef struct EvalSheet {
    const char *path; /* NULL: no sheet */
    size_t queries;   /* test images, drawn by --seed */
} EvalSheet;

/** Rows of the tool's table; @p at offset of its EvalSheet. */
#define EVAL_SHEET_OPTIONS(at)                                                           \
    {"contact-sheet",                                                                    \
     0,                                                                                  \
     MAE_OPTION_TEXT,                                                                    \
     (at) + offsetof(EvalSheet, path),                                                   \
     .value = "FILE.png",                                                                \
     .help = "draw test images and the --retrieved (at most 20) training images "        \
             "nearest to them by the last feature of the table; frames: green the same " \
             "class, red another",                                                       \
     .needs = "train"},                                                                  \
    {                                                                                    \
        "queries", 0, MAE_OPTION_SIZE, (at) + offsetof(EvalSheet, queries),              \
            .value = "N", .min = 1, .max = (double)MAE_CONTACT_ROWS,                     \
            .help = "test images of the contact sheet, drawn by --seed",                 \
            .needs = "contact-sheet"                                                     \
    }

/** ARG for a place where no sheet can be. @param data train, test. */
MaeStatus eval_sheet_check(const EvalSheet *sheet, const char *checkpoint,
                           const char *const data[2], MaeError *err);

/**
 * Draw and write the sheet; without a path nothing.
 * @param memory of @p train, @p queries of @p test.  @param columns neighbours.
 */
MaeStatus eval_sheet_write(const EvalSheet *sheet, const FeatureSource *source,
                           const MaeDataset *train, const MaeDataset *test,
                           const MaeFeatures *memory, const MaeFeatures *queries,
                           size_t columns, const MaeCompute *compute, MaeError *err);

#endif /* MAE_TOOLS_COMMON_EVAL_SHEET_H */
