/**
 * @file lap.h
 * Where a thread's time goes, by class of work: a stop watch read between two classes.
 *
 * Memory   Never allocates; the owner lends one MaeLap per thread.
 * Errors   Cannot fail.
 * Threads  A MaeLap belongs to one thread at a time.
 */
#ifndef MAE_BASE_LAP_H
#define MAE_BASE_LAP_H

#include <stddef.h>

#include "base/clock.h"

/** Classes of work of a training step. */
typedef enum MaeLapClass {
    MAE_LAP_WAIT,        /* between tiles: handing out work, waiting for others */
    MAE_LAP_FORWARD,     /* products of linear layers */
    MAE_LAP_INPUT_GRAD,  /* their input gradients */
    MAE_LAP_WEIGHT_GRAD, /* their weight gradients */
    MAE_LAP_ATTENTION,   /* between qkv and proj, products and softmax */
    MAE_LAP_NORM,        /* layer norm */
    MAE_LAP_GELU,
    MAE_LAP_RESIDUAL, /* residual stream to operand and back, bias gradients */
    MAE_LAP_TOKENS,   /* patches, positions, mask tokens, target, loss */
    MAE_LAP_CLASSES,
} MaeLapClass;

/** Zero-initialised has seen nothing. */
typedef struct MaeLap {
    double at; /* clock of the last reading */
    double seconds[MAE_LAP_CLASSES];
    double room[6]; /* a thread's watch shares no cache line with another's */
} MaeLap;

/** Count the time since the last reading as @p class. NULL: nobody measures. */
static inline void mae_lap(MaeLap *lap, MaeLapClass class)
{
    double now;

    if (lap == NULL)
        return;
    now = mae_clock_now();
    lap->seconds[class] += now - lap->at;
    lap->at = now;
}

#endif /* MAE_BASE_LAP_H */
