/**
 * @file gemm_driver.h
 * What a backend of the matrix products implements; private to src/kernel.
 *
 * Threads  A driver is called for distinct threads concurrently; rehearsal ends are not.
 */
#ifndef MAE_KERNEL_GEMM_DRIVER_H
#define MAE_KERNEL_GEMM_DRIVER_H

#include "kernel/gemm.h"

/** All that a product depends on but for the numbers; compared as bytes, no padding. */
typedef struct MaeGemmShape {
    size_t m, n, k, lda, ldb, ldc;
    MaeGemmBatch batch[2]; /* outer, inner; counts are 1 for a single product */
    const void *constant;  /* B, if it is held; NULL: any B */
    uint32_t form;         /* MaeGemmForm */
    uint32_t operand;      /* MaeDtype of A and B */
    uint32_t out;          /* MaeDtype of C */
    uint16_t has_bias;     /* 0, 1 */
    uint16_t res;          /* 0 none, 1 a matrix of its own, 2 C itself */
} MaeGemmShape;

/** The numbers of one product. */
typedef struct MaeGemmData {
    void *c;
    const void *a, *b;
    const float *bias, *res;
} MaeGemmData;

/** Call @p one for every product of the batch, for backends that have no batches. */
void mae_gemm_each(const MaeGemmShape *s, const MaeGemmData *d,
                   void (*one)(void *ctx, const MaeGemmShape *s, const MaeGemmData *d),
                   void *ctx);

/** One backend. Functions but rank and open get what open made. */
typedef struct MaeGemmDriver {
    const char *name; /* "OpenBLAS", "oneDNN", "built-in" */

    /** How fast it multiplies such operands here; 0: not, or by emulation. */
    int (*rank)(MaeDtype operand);

    /** @param[out] text e.g. "0.3.21 Cooperlake". */
    MaeStatus (*open)(void **state, char *text, size_t size, size_t threads,
                      MaeError *err);
    void (*close)(void *state); /* accepts NULL */

    /** @return false if it cannot; nothing is written then. */
    bool (*run)(void *state, size_t thread, const MaeGemmShape *shape,
                const MaeGemmData *data);

    /** NULL if there is nothing to prepare. @return false if memory ran out. */
    bool (*prepare)(void *state, const MaeGemmShape *shape);
    bool (*prepared)(void *state); /* ends a rehearsal: memory of all threads */
    size_t (*shapes)(const void *state);

    /** Forget shapes whose constant lies in [data, data + bytes); NULL as prepare. */
    void (*release)(void *state, const void *data, size_t bytes);

    /** See mae_gemm_packs, mae_gemm_pack; NULL: B is never packed beforehand. */
    bool (*packs)(const void *b, size_t n, size_t k);
    void (*pack)(uint16_t *to, const uint16_t *b, size_t n, size_t k);
} MaeGemmDriver;

extern const MaeGemmDriver mae_gemm_openblas;
extern const MaeGemmDriver mae_gemm_builtin; /* only where MAE_KERNEL_X86 is */
extern const MaeGemmDriver mae_gemm_onednn;  /* only where MAE_ONEDNN is defined */

#endif /* MAE_KERNEL_GEMM_DRIVER_H */
