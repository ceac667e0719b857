/**
 * @file machine.h
 * What the system says about the processor and this process.
 *
 * Source   /proc/cpuinfo and /proc/self/status, proc(5).
 * Errors   What is not known is empty or 0.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_MACHINE_H
#define MAE_BASE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

/** Instructions that code is chosen by when it runs. */
typedef enum MaeIsa {
    MAE_ISA_SSE42,
    MAE_ISA_AVX2,        /* and FMA */
    MAE_ISA_AVX512,      /* F, BW, VL, DQ, and what AVX2 has */
    MAE_ISA_AVX512_BF16, /* and what AVX512 has */
} MaeIsa;

/** Write the processor's model name, e.g. "AMD EPYC 9354"; "" if it has none. */
void mae_machine_processor(char *text, size_t size);

/**
 * Most memory this process has held so far, in bytes (VmHWM). getrusage would count what
 * the program that started this one held, too.
 */
size_t mae_machine_peak_memory(void);

/** Addresses this process has taken, touched or not, in bytes. */
size_t mae_machine_address_space(void);

/** Whether the processor and the system offer these instructions. */
bool mae_machine_has(MaeIsa isa);

#endif /* MAE_BASE_MACHINE_H */
