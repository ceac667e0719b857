/**
 * @file attention.h
 * Multi-head self-attention of a few images, between the qkv and the output projection.
 *
 *   S = Q K^T,  P = softmax(S / sqrt(K)),  O = P V                     for each head
 *   dV = P^T dO,  dP = dO V^T,  dS = P * (dP - rowsum(P * dP)) / sqrt(K)
 *   dQ = dS K,  dK = dS^T Q
 *
 * Source   Vaswani et al. 2017, arXiv:1706.03762; backward from the saved log-sum-exp as
 *          in Dao et al. 2022, arXiv:2205.14135 (algorithm 4).
 * Shapes   B = images, N = tokens, H = heads, K = head dim, D = H*K; row-major,
 *          contiguous. qkv [B*N,3D] holds q | k | v, head h of each in columns h*K to
 *          (h+1)*K, which is the layout of timm's fused qkv projection.
 * Types    qkv, out, dout and dqkv are operands of the gemm's type; scores and the sums
 *          that dK and dV grow from are f32.
 * Memory   Never allocates. The caller lends scratch; its size does not grow with N^2
 *          once N exceeds a block of queries, so that it stays in the cache.
 * Errors   Cannot fail; broken preconditions assert.
 * Threads  Reentrant; concurrent calls need distinct outputs and scratch. Results depend
 *          on the arguments alone.
 */
#ifndef MAE_KERNEL_ATTENTION_H
#define MAE_KERNEL_ATTENTION_H

#include <stddef.h>

#include "kernel/gemm.h"

/** Sizes of a call; scratch depends on all but the number of images. */
typedef struct MaeAttentionSizes {
    size_t images, tokens, heads, head_dim;
} MaeAttentionSizes;

/** Floats of scratch for one call of any function below with operands of @p type. */
size_t mae_attention_scratch(const MaeAttentionSizes *sizes, MaeDtype type);

/**
 * @param[out] out [B*N,D] heads side by side.
 * @param[out] lse [B,H,N] log-sum-exp of the scaled scores, for backward; or NULL.
 * @param qkv [B*N,3D].
 * @param[out] scratch mae_attention_scratch() floats, 64-byte aligned.
 */
void mae_attention_forward(const MaeGemm *gemm, MaeOperand out, float *lse,
                           MaeOperand qkv, const MaeAttentionSizes *sizes,
                           float *scratch);

/**
 * @param[out] dqkv [B*N,3D], overwritten.
 * @param[out] out [B*N,D] computed again, so that nobody has to keep it; no data: it is
 *             not wanted.
 * @param dout [B*N,D] gradient of out.
 * @param qkv [B*N,3D] @param lse [B,H,N] as forward left them.
 * @param[out] scratch mae_attention_scratch() floats, 64-byte aligned.
 */
void mae_attention_backward(const MaeGemm *gemm, MaeOperand dqkv, MaeOperand out,
                            MaeOperand dout, MaeOperand qkv, const float *lse,
                            const MaeAttentionSizes *sizes, float *scratch);

/** Weights of one image's head, to look at. @param[out] map [N,N], a row per query. */
void mae_attention_map(const MaeGemm *gemm, float *map, MaeOperand qkv, size_t tokens,
                       size_t heads, size_t head_dim, size_t head);

#endif /* MAE_KERNEL_ATTENTION_H */
