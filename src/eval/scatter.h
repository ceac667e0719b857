/**
 * @file scatter.h
 * Points in the plane as SVG, coloured by class: one panel for each way in which the same
 * samples lie, with one legend.
 *
 * The drawing stands alone, or inside an HTML page; it follows the reader's choice of
 * light or dark. Class i has colour i mod 8 (after Okabe and Ito, which colour-blind
 * people tell apart) and shape i / 8 mod 4: 32 classes look different, others repeat
 * them, and the legend names the first MAE_SCATTER_LEGEND. Points without a class are
 * grey. Axes have the same scale and no numbers. Classes that come one after another do
 * not cover each other: points are drawn in a scattered order.
 *
 * Outside  Titles and names of classes and samples are escaped (store/markup.h).
 * Limits   MAE_SCATTER_POINTS points, each at most 120 bytes and its name in a panel;
 *          MAE_SCATTER_THUMBS pictures, of more every so-manyth.
 * Memory   Freed: one picture as PNG.
 * Errors   ARG for too many points; NOMEM; those of the stream: the caller checks
 *          ferror(). Points that are not finite are left out.
 * Source   Okabe and Ito 2008, Color Universal Design.
 * Threads  Reentrant.
 */
#ifndef MAE_EVAL_SCATTER_H
#define MAE_EVAL_SCATTER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "image/image.h"

#define MAE_SCATTER_POINTS ((size_t)20000)
#define MAE_SCATTER_THUMBS ((size_t)400)
#define MAE_SCATTER_SIDE ((size_t)32) /* pixels that a picture should have */
#define MAE_SCATTER_LEGEND ((size_t)40)

/** One way in which the samples lie. */
typedef struct MaeScatterPanel {
    const char *title;
    const float *points; /* [count,2] */
} MaeScatterPanel;

/** What is drawn; borrowed. */
typedef struct MaeScatter {
    const char *title; /* said by screen readers */
    const MaeScatterPanel *panels;
    size_t panel_count, columns; /* panels side by side; at least 1 */
    size_t count;                /* points */
    const int64_t *labels;       /* [count] negative: none; NULL: no classes */
    const char *const *classes;  /* [class_count] names */
    size_t class_count;
    const char *const *names; /* [count] tooltips; NULL: none */
    const MaeImage *thumbs;   /* [count] U8 pictures in place of points; NULL: none */
} MaeScatter;

/** Write @p scatter as an svg element. */
MaeStatus mae_scatter_write(FILE *out, const MaeScatter *scatter, MaeError *err);

#endif /* MAE_EVAL_SCATTER_H */
