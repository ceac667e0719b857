/**
 * @file probe_sums.h
 * Sums over standardised rows in double, which normal equations are made of; private to
 * src/eval.
 *
 * Results  The same bits for any number of threads: rows are added in their order.
 * Memory   D^2 + K D + 512 D doubles and a few of the caller's arena.
 * Errors   Cannot fail.
 * Threads  Uses those of @p compute.
 */
#ifndef MAE_EVAL_PROBE_SUMS_H
#define MAE_EVAL_PROBE_SUMS_H

#include "eval/probe.h"

/** Every so many rows one is held out: 0, 10, .. */
#define MAE_PROBE_HOLD 10

/** Which rows. */
typedef enum MaeProbePart {
    MAE_PROBE_ALL,
    MAE_PROBE_HELD, /* held out */
    MAE_PROBE_REST, /* the others */
} MaeProbePart;

typedef struct MaeProbeSums {
    double *gram;    /* [D,D] upper triangle of Z^T Z */
    double *cross;   /* [K,D] Y^T Z, Y one-hot */
    double *sum;     /* [D] 1^T Z */
    double *classes; /* [K] 1^T Y */
    double *block;   /* [512,D] rows on their way */
    double count;    /* of rows */
} MaeProbeSums;

/** Carve sums; what is carved from a fresh arena is zero. */
void mae_probe_sums_reserve(MaeProbeSums *sums, MaeArena *arena, size_t width,
                            size_t classes);

/** Add a part of the rows. */
void mae_probe_sums_add(MaeProbeSums *sums, MaeProbePart part, const MaeProbe *probe,
                        const MaeProbeSet *train, const MaeCompute *compute);

/** a = Z^T Z around the rows' mean. @param[out] a [D,D] upper triangle, may be gram. */
void mae_probe_sums_centre(const MaeProbeSums *sums, double *a, size_t width);

#endif /* MAE_EVAL_PROBE_SUMS_H */
