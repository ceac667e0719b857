/**
 * @file crc32c.h
 * CRC-32C (Castagnoli), the checksum of checkpoints and of TensorBoard records.
 *
 * Reflected polynomial 0x82F63B78, initial value and final xor 0xFFFFFFFF. Uses the
 * SSE 4.2 instruction where the processor has it, else eight bytes at a time from tables;
 * both give the same value.
 *
 * Source   RFC 3720 appendix B.4 (known answers); slicing-by-8: Kounavis and Berry 2005.
 * Threads  Reentrant; never allocates.
 */
#ifndef MAE_STORE_CRC32C_H
#define MAE_STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * Checksum of @p size bytes appended to data whose checksum is @p crc; start with 0. So
 * crc(ab) = mae_crc32c(mae_crc32c(0, a, ..), b, ..).
 */
uint32_t mae_crc32c(uint32_t crc, const void *data, size_t size);

/** The table version alone, for comparison in tests. */
uint32_t mae_crc32c_portable(uint32_t crc, const void *data, size_t size);

#endif /* MAE_STORE_CRC32C_H */
