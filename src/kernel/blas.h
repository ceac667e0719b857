/**
 * @file blas.h
 * OpenBLAS as a guest in a program that has threads of its own.
 *
 * Threads  Any one at a time, while no other calls OpenBLAS.
 */
#ifndef MAE_KERNEL_BLAS_H
#define MAE_KERNEL_BLAS_H

#include <stddef.h>

#include "base/status.h"

/**
 * Keep OpenBLAS from using threads. Those that it started as it was loaded stay: only
 * OPENBLAS_NUM_THREADS=1 in the environment keeps it from that.
 * Errors   ARG for the OpenMP variant, which can hang.
 */
MaeStatus mae_blas_tame(MaeError *err);

/**
 * Memory for products in @p threads threads at a time, for the rest of the process: 128
 * MiB of address space each, of which what the products use is touched. OpenBLAS would
 * take it by itself, but waits for ever where there is none (before 0.3.30).
 * Errors   NOMEM.
 */
MaeStatus mae_blas_reserve(size_t threads, MaeError *err);

#endif /* MAE_KERNEL_BLAS_H */
