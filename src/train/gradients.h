/**
 * @file gradients.h
 * Gradients of all ranks added up while backward still runs.
 *
 * The flat buffer is cut from its end into buckets of the comm's size; a bucket is posted
 * as soon as all of its gradients are final and there is room for it. Where it is cut
 * does not depend on time, so every rank posts the same buckets in the same order. The
 * library beneath moves data only when it is called, so backward polls after each of its
 * tiles.
 *
 * How running statistics change (MAE_PARAM_TRACKED) is known to every rank; what rank 0
 * has counts. Frozen parameters before the first trained one are left out.
 *
 * Memory   The object must stay where it is; everything else is borrowed.
 * Errors   COMM. One that comes in the middle of a backward pass is told by its end.
 * Threads  The one that drives the pool.
 */
#ifndef MAE_TRAIN_GRADIENTS_H
#define MAE_TRAIN_GRADIENTS_H

#include "base/param.h"
#include "comm/comm.h"
#include "optim/tiles.h"

/** Zero-initialised, or with a comm of one rank, nothing is done; nor with NULL. */
typedef struct MaeGradients {
    MaeComm *comm;
    const MaeParamTable *table;
    float *dw;    /* [table->total] */
    size_t first; /* nothing before this element is summed */
    size_t final; /* gradients from here on are */
    size_t posted;
    bool open;   /* between begin and end */
    bool shards; /* only this rank's part of a bucket becomes the sum */
    MaeStatus status;
    MaeError err;
} MaeGradients;

/** The next backward pass writes the gradients that are to be summed. */
void mae_gradients_begin(MaeGradients *g, const MaeParamTable *table, float *dw);

/** Elements that are summed. */
size_t mae_gradients_elements(const MaeParamTable *table);

/**
 * This rank's parts of all buckets, rising.
 * @param[out] shards [their number]; NULL: only counted.
 * @return their number.
 */
size_t mae_gradients_shards(const MaeComm *comm, const MaeParamTable *table,
                            MaeShard *shards);

/** x [table->total]: every rank gets each shard from its owner; between end and begin. */
MaeStatus mae_gradients_collect(MaeComm *comm, const MaeParamTable *table, float *x,
                                MaeError *err);

/** MaeCompute.ready: gradients from element @p from on are final. */
void mae_gradients_ready(void *g, size_t from);

/** MaeCompute.poll: bring forward what is under way, and post what there is room for. */
void mae_gradients_poll(void *g);

/** All are final: wait until they are those of all ranks. */
MaeStatus mae_gradients_end(MaeGradients *g, MaeError *err);

#endif /* MAE_TRAIN_GRADIENTS_H */
