/**
 * @file optimizer.h
 * Optimisers over flat parameter buffers: drivers, their state, and one step.
 *
 * Adding an optimiser: a file that exports a MaeOptimizer and a row in mae_optimizers.
 *
 * Shapes   weights, gradients and each slot are flat buffers of table->total floats; a
 *          slot of an object with shards holds those alone.
 * Memory   The arena owns groups, tiles and slots; the table is borrowed and must outlive
 *          the object. A step never allocates.
 * Average  With config.ema_decay a step ends with
 *            average += (1 - d) * (weights - average),   d = min(ema_decay, t / (t + 9))
 *          in step t, counted from 1: the first steps, which would otherwise keep their
 *          weight for 1 / (1 - ema_decay) steps, fade out, and a short run has an average
 *          of about its last tenth. Source: Polyak & Juditsky 1992; the ramp is that of
 *          TensorFlow's ExponentialMovingAverage.
 * Errors   Configuration is checked by define. A step says whether what it wrote is
 *          finite; it is looked at while it is in the cache.
 * Threads  One step at a time per object; the work itself runs on the pool in tiles cut
 *          from shapes, so it is bitwise the same for any number of threads.
 */
#ifndef MAE_OPTIM_OPTIMIZER_H
#define MAE_OPTIM_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/operand.h"
#include "base/param.h"
#include "base/pool.h"
#include "base/status.h"
#include "optim/groups.h"
#include "optim/tiles.h"

#define MAE_OPTIM_SLOTS 2 /* most slots any driver has */

typedef struct MaeOptim MaeOptim;

/** What a driver's step works on; mutable buffers are those of its object. */
typedef struct MaeOptimStep {
    float *weights; /* [total], updated */
    MaeOperand
        operands;       /* [total] of the updated weights; in an f32 run weights itself */
    const float *grads; /* [total] */
    double lr;          /* of the schedule, before a group's lr_scale */
    double grad_scale;  /* multiplies every gradient: averaging and clipping */
} MaeOptimStep;

/** One optimiser. */
typedef struct MaeOptimizer {
    const char *name;                   /* as in configurations: "adamw" */
    bool whole_tensors;                 /* a step needs all of a tensor: no shards */
    size_t state_slots;                 /* flat buffers of state, 0 .. MAE_OPTIM_SLOTS */
    const char *slots[MAE_OPTIM_SLOTS]; /* their names in checkpoints */
    /** False if a weight or a state that it wrote is not finite. */
    bool (*step)(const MaeOptim *opt, MaePool *pool, const MaeOptimStep *step);
} MaeOptimizer;

/** Every driver, ended by NULL. */
extern const MaeOptimizer *const mae_optimizers[];

/** Driver called @p name, or NULL. */
const MaeOptimizer *mae_optimizer_find(const char *name);

/** What a run asks for. */
typedef struct MaeOptimConfig {
    const char *name;       /* of the driver; need not outlive define */
    double beta1;           /* [0, 1); 0.9; the momentum of LARS */
    double beta2;           /* [0, 1); 0.95 in pretraining, 0.999 in fine-tuning; AdamW */
    double eps;             /* > 0; 1e-8; AdamW */
    double ema_decay;       /* [0, 1) of the average of the weights; 0: there is none */
    const MaeShard *shards; /* [shard_count] rising: what this object updates and has
                               state of, others do the rest; borrowed; NULL: everything */
    size_t shard_count;
    MaeGroupRule groups;
} MaeOptimConfig;

struct MaeOptim {
    const MaeOptimizer *driver;
    MaeOptimConfig config;
    MaeTiles tiles;   /* of the trained parameters; clipping may share them */
    MaeGroup *groups; /* [table->count]; unspecified for FIXED parameters */
    float *state[MAE_OPTIM_SLOTS]; /* [driver->state_slots][total], or of the shards end
                                      to end; saved and restored */
    /** Where there are shards: a slot of all of them [total], valid until the next call;
        NULL if it cannot be had. For whoever saves. */
    const float *(*gather)(void *ctx, size_t slot, MaeError *err);
    void *gather_ctx;
    float
        *average; /* [total] averaged weights; NULL without ema_decay; saved, restored */
    uint64_t steps; /* done so far; saved and restored */
};

/**
 * Choose the driver and check the configuration against a complete @p table.
 * Errors: MAE_ERR_ARG (unknown name, value out of range, shards with an average or with a
 * driver that needs whole tensors), MAE_ERR_SHAPE (see groups.h).
 */
MaeStatus mae_optim_define(MaeOptim *opt, const MaeParamTable *table,
                           const MaeOptimConfig *config, MaeError *err);

/** Carve groups, tiles, slots and average; on a measuring arena only counts bytes. */
void mae_optim_reserve(MaeOptim *opt, MaeArena *arena);

/** Fill groups and tiles, zero the slots, steps = 0. Needs a carved object. */
void mae_optim_init(MaeOptim *opt);

/** A slot [total] of everything; NULL, and COMM, if it is spread and cannot be had. */
const float *mae_optim_slot(const MaeOptim *opt, size_t slot, MaeError *err);

/** Take what is this object's of a slot [total]. */
void mae_optim_set_slot(MaeOptim *opt, size_t slot, const float *whole);

/** The first element of a slot, as far as it is here, that is not finite. */
MaeParamElement mae_optim_spoilt(const MaeOptim *opt, size_t slot);

/** Before the first step: the average, if there is one, begins at these weights. */
void mae_optim_start(MaeOptim *opt, const float *weights);

/**
 * One update of every trained parameter: weights, slots, average and step count. What is
 * TRACKED changes by its place in @p grads.
 * @param[in,out] weights [total].
 * @param[out] operands [total] of the updated weights as the products read them; in an
 *             f32 run weights itself.
 * @param grads [total], not changed.
 * @param lr of the schedule.  @param grad_scale multiplies the gradients first.
 * @return false if a weight, a slot or an average is not finite now.
 */
bool mae_optim_step(MaeOptim *opt, MaePool *pool, float *weights, MaeOperand operands,
                    const float *grads, double lr, double grad_scale);

#endif /* MAE_OPTIM_OPTIMIZER_H */
