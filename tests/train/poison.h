/**
 * @file poison.h
 * Numbers that are not finite, put into what training runs compute. Whoever includes this
 * links with the wrappers of meson.build.
 */
#ifndef MAE_TESTS_TRAIN_POISON_H
#define MAE_TESTS_TRAIN_POISON_H

#include "train/fixture.h"

#define EVERY_EPOCH UINT32_MAX
#define SPOILT 3 /* element of the flat buffers: in the first tensor, cls_token */

/** What is spoilt. */
typedef enum Poison {
    CLEAN,
    LOSS,
    GRADIENT,
    WEIGHT, /* by the optimiser's step, as are: */
    MOMENT,
    AVERAGE,
    SAVED, /* a weight on its way into every checkpoint */
} Poison;

/** Spoil batches @p first to @p last of an epoch, all counted from 0. */
void spoil(Poison what, uint32_t epoch, size_t first, size_t last);

/** Weights of the run under way, after its first step. */
float *spoil_weights(void);

/** How a run is set up: 12 updates of 4 images, or 4 of twice 5. */
typedef struct Way {
    bool finetune;
    size_t accum;
    const char *overrides;
} Way;

enum { WAY_COUNT = 4 };

extern const Way WAYS[WAY_COUNT];

/** Spoil the second update of the second epoch, whose step this is; its last batch. */
size_t spoil_second(const Way *way, Poison what);

/** One session. @param more overrides.  @param stop_at as in TrainSpec. */
void spoil_run(TrainRun *run, const char *folder, const Way *way, const char *name,
               const char *more, size_t stop_at, MaeStatus status);

#endif /* MAE_TESTS_TRAIN_POISON_H */
