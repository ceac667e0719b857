#include "store/crc32c.h"

#include <string.h>

#include "base/machine.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_SSE42 1
#include <nmmintrin.h>
#else
#define HAVE_SSE42 0
#endif

/*
 * TABLE[k][n] is the checksum register after byte n and k zero bytes. It is linear in the
 * bits of n, so the 64 entries of single bits give all 2,048 at compile time.
 */
#define BIT(n, b, value) (((n) >> (b)&1u) * (value))
#define MIX(n, a, b, c, d, e, f, g, h)                                                   \
    (BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ BIT(n, 4, e) ^          \
     BIT(n, 5, f) ^ BIT(n, 6, g) ^ BIT(n, 7, h))
#define T0(n)                                                                            \
    MIX(n, 0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu, \
        0x417b1dbcu, 0x82f63b78u)
#define T1(n)                                                                            \
    MIX(n, 0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u, \
        0xff17c604u, 0xfbc3faf9u)
#define T2(n)                                                                            \
    MIX(n, 0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u, \
        0xc76580d9u, 0x8b277743u)
#define T3(n)                                                                            \
    MIX(n, 0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu, \
        0xaba65fe7u, 0x52a0c93fu)
#define T4(n)                                                                            \
    MIX(n, 0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u, \
        0x37516aaeu, 0x6ea2d55cu)
#define T5(n)                                                                            \
    MIX(n, 0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du, \
        0x0e045bebu, 0x1c08b7d6u)
#define T6(n)                                                                            \
    MIX(n, 0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu, \
        0x7ab7077au, 0xf56e0ef4u)
#define T7(n)                                                                            \
    MIX(n, 0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u, \
        0x1a00cb32u, 0x34019664u)

#define X4(T, n) T((n) + 0u), T((n) + 1u), T((n) + 2u), T((n) + 3u)
#define X16(T, n) X4(T, n), X4(T, (n) + 4u), X4(T, (n) + 8u), X4(T, (n) + 12u)
#define X64(T, n) X16(T, n), X16(T, (n) + 16u), X16(T, (n) + 32u), X16(T, (n) + 48u)
#define X256(T) X64(T, 0u), X64(T, 64u), X64(T, 128u), X64(T, 192u)

static const uint32_t TABLE[8][256] = {{X256(T0)}, {X256(T1)}, {X256(T2)}, {X256(T3)},
                                       {X256(T4)}, {X256(T5)}, {X256(T6)}, {X256(T7)}};

uint32_t mae_crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *p = data;

    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        crc = TABLE[7][p[0] ^ (crc & 0xff)] ^ TABLE[6][p[1] ^ (crc >> 8 & 0xff)] ^
              TABLE[5][p[2] ^ (crc >> 16 & 0xff)] ^ TABLE[4][p[3] ^ (crc >> 24)] ^
              TABLE[3][p[4]] ^ TABLE[2][p[5]] ^ TABLE[1][p[6]] ^ TABLE[0][p[7]];
    }
    for (; size > 0; size--, p++)
        crc = crc >> 8 ^ TABLE[0][*p ^ (crc & 0xff)];
    return ~crc;
}

#if HAVE_SSE42
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc,
                                                            const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t sum = ~crc;

    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;

        memcpy(&word, p, sizeof word);
        sum = _mm_crc32_u64(sum, word);
    }
    for (; size > 0; size--, p++)
        sum = _mm_crc32_u8((uint32_t)sum, *p);
    return ~(uint32_t)sum;
}
#endif

uint32_t mae_crc32c(uint32_t crc, const void *data, size_t size)
{
#if HAVE_SSE42
    if (mae_machine_has(MAE_ISA_SSE42))
        return crc_sse42(crc, data, size);
#endif
    return mae_crc32c_portable(crc, data, size);
}
