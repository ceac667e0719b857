/**
 * @file gemm_panel.h
 * The inner loops of the built-in products: bf16 operands on AVX-512 BF16.
 *
 *   C[m,n] = A[m,k] B[k,n] + bias + res,   n up to 64
 *
 * VDPBF16PS adds two products at once to each f32, so k is walked in pairs. B is packed:
 * pair p holds, for each column, its rows 2p and 2p + 1 side by side. 6 rows times 64
 * columns of sums stay in registers (24 of 32) over the whole of k, which reaches the
 * rate of the instruction (229 of 230 GFLOP/s a Zen 4 core).
 *
 * Private to src/kernel; only for processors that have MAE_ISA_AVX512_BF16.
 *
 * Results  A sum depends on its row of A, its column of B and k alone.
 * Memory   Never allocates. Packed matrices are 64-byte aligned.
 * Errors   Cannot fail; broken preconditions assert.
 * Threads  Reentrant.
 */
#ifndef MAE_KERNEL_GEMM_PANEL_H
#define MAE_KERNEL_GEMM_PANEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/operand.h"

/** Columns of a panel, at most. */
#define MAE_PANEL_COLUMNS 64

/** Numbers of a packed [k,n]: columns up to whole vectors, k to whole pairs. */
static inline size_t mae_panel_size(size_t k, size_t n)
{
    return (k + 1) / 2 * 2 * ((n + 15) / 16 * 16);
}

/** A product whose B is packed. */
typedef struct MaePanel {
    const uint16_t *a;    /* pair p of row i begins at a + i a_row + p a_pair */
    size_t a_row, a_pair; /* as they lie: lda, 2; packed: 2, 2 * columns packed */
    const uint16_t *b;    /* [k/2,n up,2] packed */
    size_t m, n, k;       /* 1 to any, 1 to MAE_PANEL_COLUMNS, 1 to any */
    MaeOperand c;         /* [m,n] f32 or bf16, written */
    size_t ldc;           /* elements between rows of c */
    const float *bias;    /* [n] or NULL */
    const float *res;     /* [m,n] or NULL; may be c */
    size_t ldres;         /* elements between rows of res */
    bool stream;          /* c, f32 and whole 64-byte lines, is not read again soon:
                             stored past the caches, for others behind an sfence */
    const uint16_t
        *next; /* what will be packed or read next, fetched meanwhile; or NULL */
    size_t next_ld, next_rows, next_columns;
} MaePanel;

/** Pack @p x [k,n], rows @p ld apart. @param[out] to mae_panel_size(k, n). */
void mae_panel_pack(uint16_t *to, const uint16_t *x, size_t ld, size_t k, size_t n);

/** Pack the transpose of @p x [n,k], rows @p ld apart. */
void mae_panel_pack_turned(uint16_t *to, const uint16_t *x, size_t ld, size_t k,
                           size_t n);

/** The product; an odd k reads nothing behind the rows of A. */
void mae_panel_multiply(const MaePanel *panel);

#endif /* MAE_KERNEL_GEMM_PANEL_H */
