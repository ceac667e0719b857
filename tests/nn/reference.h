/**
 * @file reference.h
 * Layers in double, written as their formulas; forward only, since gradients are checked
 * against central differences of these.
 *
 * Shapes   R rows, D width; row-major, contiguous. w: a table's weights in double.
 */
#ifndef MAE_TESTS_NN_REFERENCE_H
#define MAE_TESTS_NN_REFERENCE_H

#include "nn/block.h"

/** y[R,D] = gamma * (x - mean) / sqrt(var + 1e-6) + beta. */
void ref_layernorm(double *y, const double *x, const MaeLayerNorm *ln, const double *w,
                   size_t rows);

/** y[R,out] = x[R,in] W^T + b. */
void ref_linear(double *y, const double *x, const MaeLinear *lin, const double *w,
                size_t rows);

/** The block of nn/block.h over whole images. @param scales [2,images] or NULL. */
void ref_block(double *out, const double *x, const MaeBlock *block, const double *w,
               const float *scales, size_t images, size_t tokens);

#endif /* MAE_TESTS_NN_REFERENCE_H */
