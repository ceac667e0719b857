#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "store/tar.h"
#include "store/tar_header.h"

static_assert(sizeof(MaeTarHeader) == MAE_TAR_BLOCK, "a header is one block");

static const unsigned char zeros[2 * MAE_TAR_BLOCK];

/* Octal digits up to the last byte, which stays NUL; base 256 if they do not suffice. */
static void put_number(char *field, size_t size, uint64_t value)
{
    const bool octal = value >> 3 * (size - 1) == 0;

    if (!octal)
        field[0] = (char)0x80;
    for (size_t i = octal ? size - 1 : size; i-- > (octal ? 0 : 1);) {
        field[i] = (char)(octal ? '0' + (char)(value & 7) : (char)(value & 255));
        value >>= octal ? 3 : 8;
    }
}

void mae_tar_put(MaeOutput *out, const char *name, const void *bytes, size_t size)
{
    MaeTarHeader header = {.type = '0', .magic = "ustar", .version = {'0', '0'}};
    const size_t odd = size % MAE_TAR_BLOCK;

    assert(strlen(name) <= sizeof header.name);
    memcpy(header.name, name, strlen(name));
    put_number(header.mode, sizeof header.mode, 0644);
    put_number(header.uid, sizeof header.uid, 0);
    put_number(header.gid, sizeof header.gid, 0);
    put_number(header.size, sizeof header.size, size);
    put_number(header.mtime, sizeof header.mtime, 0);
    (void)snprintf(header.checksum, sizeof header.checksum, "%06o",
                   (unsigned)mae_tar_checksum(&header));
    header.checksum[7] = ' ';
    mae_output_append(out, &header, sizeof header);
    mae_output_append(out, bytes, size);
    if (odd > 0)
        mae_output_append(out, zeros, MAE_TAR_BLOCK - odd);
}

void mae_tar_end(MaeOutput *out)
{
    mae_output_append(out, zeros, sizeof zeros);
}
