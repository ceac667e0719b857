/**
 * @file sweep.h
 * The same images under rising mask ratios: how much has to be seen.
 *
 * Masks are those of the samples 0 .. N-1 at every ratio, and nested: a higher ratio
 * hides all that a lower one hides and more (random and grid masks; block masks are not
 * nested and refused), so that what changes from one ratio to the next is the amount.
 *
 * Pictures stay in memory, all of them; mae_sweep_step draws those of one ratio, for a
 * page with a slider, mae_sweep_sheet all of them.
 *
 * Shapes   N images [C,H,W], K ratios, L patches.
 * Memory   run plans and allocates everything, 2 K + 1 pictures of each image; what does
 *          not fit into free memory is refused.
 * Errors   ARG for ratios and kinds; NOMEM; else as the viewer reports.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_EVAL_SWEEP_H
#define MAE_EVAL_SWEEP_H

#include "eval/panels.h"
#include "eval/viewer.h"

/** Most ratios of a sweep. */
#define MAE_SWEEP_MAX 32

/** Read-only once run; zero-initialised is closed. */
typedef struct MaeSweep {
    MaePatchGrid grid;
    size_t count;                         /* N */
    size_t steps;                         /* K */
    double ratios[MAE_SWEEP_MAX];         /* [K] */
    size_t hidden[MAE_SWEEP_MAX];         /* [K] patches */
    MaePreviewScore means[MAE_SWEEP_MAX]; /* [K] over the images */
    MaePreviewScore *scores;              /* [K,N] */
    float *original;                      /* [N,C,H,W] in 0 .. 1 */
    float *predicted;                     /* [K,N,C,H,W] every patch as predicted */
    float *pasted; /* [K,N,C,H,W] hidden patches as predicted, visible as they are */
    unsigned char *masks; /* [K,N,L] 0 visible, 1 hidden */
    MaeArena arena;       /* what the pointers above point into */
} MaeSweep;

/**
 * Show the viewer's images at every ratio.
 * @param ratios [steps] rising, 0 to below 1; 1 to MAE_SWEEP_MAX of them.
 * @param seed of the masks.  On failure @p sweep is closed.
 */
MaeStatus mae_sweep_run(MaeSweep *sweep, MaeViewer *viewer, MaeMaskKind kind,
                        const double *ratios, size_t steps, uint64_t seed, MaeError *err);

/** Accepts NULL and a zeroed or closed sweep. */
void mae_sweep_close(MaeSweep *sweep);

/** Pictures at ratio @p step: a row of four for every image.
 *  @param[out] panels closed by the caller. */
MaeStatus mae_sweep_step(MaePanels *panels, const MaeSweep *sweep, size_t step,
                         MaeError *err);

/** All pictures: a row of four for every ratio, a group of rows for every image. */
MaeStatus mae_sweep_sheet(MaePanels *panels, const MaeSweep *sweep, MaeError *err);

#endif /* MAE_EVAL_SWEEP_H */
