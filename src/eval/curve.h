/**
 * @file curve.h
 * The points of a curve as they come, however many. Once it is full, every four points
 * become two, the smallest and the largest of them, and so do those that follow: memory
 * is bounded, the whole curve is equally dense, and peaks survive.
 *
 * Memory   Grows to MAE_CURVE_POINTS points, 512 KB.
 * Errors   Out of memory is sticky: later points are dropped, mae_curve_check reports it.
 * Threads  One thread at a time per curve.
 */
#ifndef MAE_EVAL_CURVE_H
#define MAE_EVAL_CURVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define MAE_CURVE_POINTS ((size_t)32768)

/** Opened by mae_curve_open; zero-initialised is closed. */
typedef struct MaeCurve {
    double *x, *y; /* [count] */
    size_t count;
    double newest; /* y of the last point, which may not be in the list; NaN if none */
    /* private */
    size_t capacity, group; /* group: points that become two; 0: all stay */
    size_t open;            /* points that the last two stand for; 0: none yet */
    bool failed;
} MaeCurve;

/** Make it empty. */
void mae_curve_open(MaeCurve *curve);

/** Add a point; one that is not finite is dropped. */
void mae_curve_add(MaeCurve *curve, double x, double y);

/** NOMEM if a point was lost. */
MaeStatus mae_curve_check(const MaeCurve *curve, MaeError *err);

/** Accepts NULL and a closed curve. */
void mae_curve_close(MaeCurve *curve);

#endif /* MAE_EVAL_CURVE_H */
