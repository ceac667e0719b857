#include "store/ckptblock.h"

#include <stdlib.h>
#include <string.h>

#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/file.h"

#define READ_BYTES ((size_t)1 << 20)

enum { AT_VERSION = 8, AT_LENGTH = 16, AT_PAYLOAD = 24, AT_SUM = 508 };

void mae_ckptblock_make(unsigned char *block, uint64_t length, uint32_t crc)
{
    memset(block, 0, MAE_CKPT_BLOCK);
    memcpy(block, MAE_CKPT_MAGIC, sizeof MAE_CKPT_MAGIC - 1);
    mae_put_u32(block + AT_VERSION, MAE_CKPT_VERSION);
    mae_put_u64(block + AT_LENGTH, length);
    mae_put_u32(block + AT_PAYLOAD, crc);
    mae_put_u32(block + AT_SUM, mae_crc32c(0, block, AT_SUM));
}

MaeStatus mae_ckptblock_sum(uint32_t *crc, int fd, const char *path, uint64_t size,
                            MaeError *err)
{
    unsigned char *bytes = malloc(READ_BYTES);
    MaeStatus status = MAE_OK;
    uint32_t sum = 0;

    if (bytes == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    for (uint64_t at = MAE_CKPT_BLOCK; at < size && status == MAE_OK;) {
        const size_t n = size - at < READ_BYTES ? (size_t)(size - at) : READ_BYTES;

        status = mae_file_read_at(fd, path, bytes, n, at, err);
        if (status == MAE_OK)
            sum = mae_crc32c(sum, bytes, n);
        at += n;
    }
    free(bytes);
    if (status == MAE_OK)
        *crc = sum;
    return status;
}

static MaeStatus check_block(const unsigned char *block, const char *path, uint64_t size,
                             MaeError *err)
{
    const uint64_t length = mae_get_u64(block + AT_LENGTH);
    const uint32_t version = mae_get_u32(block + AT_VERSION);

    if (memcmp(block, "\x89HDF\r\n\x1a\n", 8) == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: expected a checkpoint, found another kind of HDF5 file (images, or "
                 "features of mae-embed)",
                 path);
    if (memcmp(block, MAE_CKPT_MAGIC, sizeof MAE_CKPT_MAGIC - 1) != 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: not a checkpoint (wrong magic number)", path);
    if (mae_get_u32(block + AT_SUM) != mae_crc32c(0, block, AT_SUM))
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: damaged: the header's checksum does not match",
                 path);
    if (version != MAE_CKPT_VERSION)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: format version %u, this program reads %u",
                 path, version, MAE_CKPT_VERSION);
    if (length != size - MAE_CKPT_BLOCK)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: damaged: expected %llu bytes behind the header, found %llu", path,
                 (unsigned long long)length, (unsigned long long)(size - MAE_CKPT_BLOCK));
    return MAE_OK;
}

MaeStatus mae_ckptblock_verify(int fd, const char *path, uint64_t size, MaeError *err)
{
    unsigned char block[MAE_CKPT_BLOCK];
    uint32_t crc;

    if (size <= MAE_CKPT_BLOCK)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: not a checkpoint (only %llu bytes)", path,
                 (unsigned long long)size);
    MAE_TRY(mae_file_read_at(fd, path, block, sizeof block, 0, err));
    MAE_TRY(check_block(block, path, size, err));
    MAE_TRY(mae_ckptblock_sum(&crc, fd, path, size, err));
    if (crc != mae_get_u32(block + AT_PAYLOAD))
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: damaged: the content's checksum does not match", path);
    return MAE_OK;
}
