/**
 * @file figure.h
 * Figures as data: a picture with its file name, title and a caption in plain words. What
 * is drawn is one thing; files, an index and a report are made of the list afterwards.
 *
 * Memory   A list owns its figures, a figure its picture or drawing.
 * Errors   Adding: NOMEM. Writing: as mae_image_encode_png and mae_file_write_atomic.
 * Threads  One thread at a time per list.
 */
#ifndef MAE_EVAL_FIGURE_H
#define MAE_EVAL_FIGURE_H

#include <stddef.h>

#include "image/image.h"

/** One figure: a picture or an SVG drawing. */
typedef struct MaeFigure {
    const char *view; /* that drew it; a constant */
    char file[48];    /* name of its file: "kernels.png" */
    char title[96];
    char caption[1024]; /* what is shown and how to read it */
    MaeImage picture;   /* u8 RGB; empty if it is a drawing */
    char *svg;          /* owned; NULL if it is a picture */
} MaeFigure;

/** Zero-initialised is empty. */
typedef struct MaeFigures {
    MaeFigure *items; /* [count] */
    size_t count, capacity;
} MaeFigures;

/** Append @p figure; its picture or drawing passes to the list, also on failure. */
MaeStatus mae_figures_add(MaeFigures *figures, MaeFigure *figure, MaeError *err);

/** Accepts an empty figure. */
void mae_figure_done(MaeFigure *figure);

/** Accepts NULL and an empty list. */
void mae_figures_done(MaeFigures *figures);

/** Write a figure to @p path: whole or not at all. */
MaeStatus mae_figure_write(const MaeFigure *figure, const char *path, MaeError *err);

#endif /* MAE_EVAL_FIGURE_H */
