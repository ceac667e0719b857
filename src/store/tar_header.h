/**
 * @file tar_header.h
 * The block that precedes a member of a tar archive; internal to tar_read.c, tar_write.c.
 *
 * Source   POSIX.1-2017, pax, "ustar Interchange Format".
 */
#ifndef MAE_STORE_TAR_HEADER_H
#define MAE_STORE_TAR_HEADER_H

#include <stddef.h>
#include <stdint.h>

/** Texts end at a NUL or with their field; numbers are octal digits. */
typedef struct MaeTarHeader {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12];
    char checksum[8]; /* sum of all bytes, these taken as spaces */
    char type;        /* '0' or NUL: a regular file */
    char link[100];
    char magic[6]; /* "ustar" and a NUL, GNU: a space; v7: zeros */
    char version[2], uname[32], gname[32], major[8], minor[8];
    char prefix[155]; /* ustar: folder in front of the name */
    char pad[12];
} MaeTarHeader;

/** What the checksum field has to say. */
static inline uint32_t mae_tar_checksum(const MaeTarHeader *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    uint32_t sum = 0;

    for (size_t i = 0; i < sizeof *header; i++)
        sum += bytes[i];
    for (size_t i = 0; i < sizeof header->checksum; i++)
        sum += ' ' - (unsigned char)header->checksum[i];
    return sum;
}

#endif /* MAE_STORE_TAR_HEADER_H */
