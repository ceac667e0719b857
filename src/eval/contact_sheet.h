/**
 * @file contact_sheet.h
 * A picture of queries and what they find: one query a row, it in the first column, its
 * nearest neighbours behind it, the most similar first.
 *
 * Pictures are whole and at most 96 pixels long (eval/thumbnail.h). The frame of a
 * neighbour says whether it has the query's class: green, the same; red, another (a green
 * and a red that colour-blind people tell apart); grey, where there are no classes.
 *
 * Memory   The sheet is a MaeImage of the caller, u8 RGB.
 * Errors   SHAPE for no or too many rows or columns; NOMEM; as reading reports.
 * Threads  One thread at a time per sheet.
 */
#ifndef MAE_EVAL_CONTACT_SHEET_H
#define MAE_EVAL_CONTACT_SHEET_H

#include "eval/thumbnail.h"

#define MAE_CONTACT_SIDE ((size_t)96)    /* pixels of a picture */
#define MAE_CONTACT_ROWS ((size_t)100)   /* at most */
#define MAE_CONTACT_COLUMNS ((size_t)20) /* neighbours, at most */

/** What a frame says. */
typedef enum MaeContact {
    MAE_CONTACT_QUERY,
    MAE_CONTACT_SAME,    /* class as the query */
    MAE_CONTACT_OTHER,   /* another class */
    MAE_CONTACT_UNKNOWN, /* one of the two has none */
} MaeContact;

/** Neighbours of a query; borrowed. */
typedef struct MaeContactRow {
    int64_t label;         /* of the query; negative: none */
    const uint32_t *index; /* [count] as found, nearest first */
    size_t count;
    const MaeDataset *ds;  /* where they come from */
    const size_t *samples; /* what row of the memory is which sample of ds */
} MaeContactRow;

/** Make @p sheet a blank sheet for @p rows queries with @p columns neighbours. */
MaeStatus mae_contact_sheet_open(MaeImage *sheet, size_t rows, size_t columns,
                                 MaeError *err);

/** Draw a picture, centred, and its frame. @param column 0 is the query's.
 *  @param thumb at most [MAE_CONTACT_SIDE,MAE_CONTACT_SIDE]. */
void mae_contact_sheet_put(MaeImage *sheet, size_t row, size_t column,
                           const MaeImage *thumb, MaeContact contact);

/** Read and draw the neighbours of the query in row @p row. */
MaeStatus mae_contact_sheet_neighbours(MaeImage *sheet, size_t row,
                                       const MaeContactRow *found, MaeThumbnailer *t,
                                       MaeError *err);

#endif /* MAE_EVAL_CONTACT_SHEET_H */
