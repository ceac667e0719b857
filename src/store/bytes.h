/**
 * @file bytes.h
 * Little-endian numbers in byte arrays, for file headers.
 * Threads  Reentrant.
 */
#ifndef MAE_STORE_BYTES_H
#define MAE_STORE_BYTES_H

#include <stdint.h>

static inline void mae_put_u16(unsigned char *p, uint16_t value)
{
    p[0] = (unsigned char)value;
    p[1] = (unsigned char)(value >> 8);
}

static inline void mae_put_u32(unsigned char *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> (8 * i));
}

static inline void mae_put_u64(unsigned char *p, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(value >> (8 * i));
}

static inline uint32_t mae_get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static inline uint64_t mae_get_u64(const unsigned char *p)
{
    return (uint64_t)mae_get_u32(p) | (uint64_t)mae_get_u32(p + 4) << 32;
}

#endif /* MAE_STORE_BYTES_H */
