/**
 * @file operand.h
 * Numbers that feed matrix products: f32 or bf16, decided once per run.
 *
 * Operands of products have the run's precision. Everything else (residual stream,
 * statistics, loss, gradients of parameters, master weights, moments) is f32. A bf16 is
 * the upper half of an f32; conversion rounds to nearest, ties to even.
 *
 * Memory   Views own nothing. Elements are 4 or 2 bytes.
 * Threads  Plain values.
 */
#ifndef MAE_BASE_OPERAND_H
#define MAE_BASE_OPERAND_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

/** Number type of an operand. */
typedef enum MaeDtype {
    MAE_F32,
    MAE_BF16, /* stored as uint16_t */
} MaeDtype;

/** Where operands lie and what they are. */
typedef struct MaeOperand {
    void *data;
    MaeDtype type;
} MaeOperand;

/** All weights of a model, as the layers read them. */
typedef struct MaeWeights {
    const float *f32;    /* [total] master weights: biases, norms and tokens */
    const void *operand; /* [total] the same as operands; in an f32 run f32 itself */
    MaeDtype type;       /* of operand */
    bool packed;         /* those of linear layers are in the backend's own order, which
                            forward alone can read (mae_gemm_pack) */
} MaeWeights;

/** Bytes of one element. */
static inline size_t mae_dtype_size(MaeDtype type)
{
    return type == MAE_BF16 ? sizeof(uint16_t) : sizeof(float);
}

/** "f32" or "bf16". */
static inline const char *mae_dtype_name(MaeDtype type)
{
    return type == MAE_BF16 ? "bf16" : "f32";
}

/** The view that starts @p elements further on. */
static inline MaeOperand mae_operand_at(MaeOperand x, size_t elements)
{
    return (MaeOperand){(char *)x.data + elements * mae_dtype_size(x.type), x.type};
}

/** Nearest bf16, ties to even; NaN stays NaN. */
static inline uint16_t mae_bf16(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/** The f32 of the same value. */
static inline float mae_bf16_f32(uint16_t x)
{
    const uint32_t bits = (uint32_t)x << 16;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/** f32 numbers as an operand of an f32 run, or as the f32 result of a product. */
static inline MaeOperand mae_operand_f32(float *x)
{
    return (MaeOperand){x, MAE_F32};
}

/** The same to read from only. */
static inline MaeOperand mae_operand_view(const float *x)
{
    return (MaeOperand){(void *)(uintptr_t)x, MAE_F32};
}

/** @p count operands; data is NULL while measuring or on failure. */
static inline MaeOperand mae_operand_carve(MaeArena *arena, MaeDtype type, size_t count)
{
    return (MaeOperand){mae_arena_bytes(arena, count, mae_dtype_size(type)), type};
}

/** Weights of an f32 run. */
static inline MaeWeights mae_weights_f32(const float *w)
{
    return (MaeWeights){.f32 = w, .operand = w, .type = MAE_F32};
}

/** The operands from element @p off on. */
static inline const void *mae_weights_at(MaeWeights w, size_t off)
{
    return (const char *)w.operand + off * mae_dtype_size(w.type);
}

#endif /* MAE_BASE_OPERAND_H */
