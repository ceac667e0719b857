/**
 * @file ckptblock.h
 * The user block of a checkpoint (layout in checkpoint.h). For this folder alone.
 * Threads  Reentrant.
 */
#ifndef MAE_STORE_CKPTBLOCK_H
#define MAE_STORE_CKPTBLOCK_H

#include <stdint.h>

#include "base/status.h"
#include "store/checkpoint.h"

/** Fill a block for a payload. @param[out] block [MAE_CKPT_BLOCK]. */
void mae_ckptblock_make(unsigned char *block, uint64_t length, uint32_t crc);

/** Checksum of everything behind the block of a file of @p size bytes. */
MaeStatus mae_ckptblock_sum(uint32_t *crc, int fd, const char *path, uint64_t size,
                            MaeError *err);

/** Verify block and payload. FORMAT error says what does not fit. */
MaeStatus mae_ckptblock_verify(int fd, const char *path, uint64_t size, MaeError *err);

#endif /* MAE_STORE_CKPTBLOCK_H */
