/**
 * @file weight_grad.h
 * Weight gradients of linear layers: dW += dy^T x over the rows of the whole batch.
 *
 * The sum crosses images, so it cannot be done per tile of images. Instead the output is
 * cut: each tile owns a band of rows of dW and runs over all rows of the batch. The bands
 * depend on the layer's shape only. The products of several layers share one grid, so
 * that small layers do not leave threads idle.
 *
 * Shapes   dy [R,out], x [R,in], dW [out,in]; row-major, contiguous.
 * Memory   Never allocates.
 * Errors   Cannot fail.
 * Threads  One grid at a time per pool. Any number of threads gives the same bits.
 */
#ifndef MAE_NN_WEIGHT_GRAD_H
#define MAE_NN_WEIGHT_GRAD_H

#include <stddef.h>

#include "nn/compute.h"

/** One product: dW += dy^T x. */
typedef struct MaeWeightGrad {
    size_t off;     /* first element of dW in the gradients */
    size_t in, out; /* dW [out,in] */
    const void *dy; /* [R,out] operands */
    const void *x;  /* [R,in] operands */
    size_t rows;    /* R */
} MaeWeightGrad;

/**
 * Run @p count products as one grid on the pool of @p compute.
 * @param[in,out] dw gradients of all weights; those of the jobs are written, see @p use.
 */
void mae_weight_grad_run(const MaeWeightGrad *jobs, size_t count,
                         const MaeCompute *compute, float *dw, MaeGradUse use);

#endif /* MAE_NN_WEIGHT_GRAD_H */
