#include <stdlib.h>
#include <string.h>

#include "store/file.h"
#include "store/tar.h"
#include "store/tar_header.h"

#define EXTENDED_MAX ((size_t)64 << 10)

/* What extended headers say about the member that follows them. */
typedef struct Extended {
    char name[MAE_TAR_NAME]; /* "" if not given */
    bool has_size;
    uint64_t size;
} Extended;

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* Octal digits amid spaces and NULs, or base 256 behind a first byte of 0x80. */
static bool number(uint64_t *value, const char *field, size_t size)
{
    const unsigned char *p = (const unsigned char *)field, *end = p + size;

    *value = 0;
    if (*p == 0x80) {
        for (p++; p < end; p++) {
            if (*value >> 55 != 0)
                return false;
            *value = *value << 8 | *p;
        }
        return true;
    }
    while (p < end && *p == ' ')
        p++;
    for (; p < end && *p >= '0' && *p <= '7'; p++)
        *value = *value << 3 | (uint64_t)(*p - '0');
    return p == end || *p == ' ' || *p == '\0';
}

/* Some old programs summed signed bytes. */
static bool checksum_fits(const MaeTarHeader *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    const int64_t plain = mae_tar_checksum(header);
    int64_t with_sign = plain;
    uint64_t stored;

    for (size_t i = 0; i < sizeof *header; i++) {
        const bool summed =
            i < offsetof(MaeTarHeader, checksum) || i >= offsetof(MaeTarHeader, type);

        with_sign -= summed && bytes[i] >= 128 ? 256 : 0;
    }
    return number(&stored, header->checksum, sizeof header->checksum) &&
           ((int64_t)stored == plain || (int64_t)stored == with_sign);
}

static bool is_ustar(const MaeTarHeader *header)
{
    return memcmp(header->magic, "ustar", 6) == 0;
}

static bool is_gnu(const MaeTarHeader *header)
{
    return memcmp(header->magic, "ustar ", 6) == 0;
}

bool mae_tar_sniff(const unsigned char *block)
{
    MaeTarHeader header;

    memcpy(&header, block, sizeof header);
    return is_ustar(&header) || is_gnu(&header) ||
           (header.name[0] != '\0' && checksum_fits(&header));
}

void mae_tar_begin(MaeTar *tar, int fd, uint64_t size, const char *path)
{
    *tar = (MaeTar){.path = path, .fd = fd, .size = size};
}

/* Read a header. @param[out] found false: it is the end marker. */
static MaeStatus read_header(const MaeTar *tar, MaeTarHeader *header, bool *found,
                             MaeError *err)
{
    if (tar->size - tar->at < MAE_TAR_BLOCK)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: truncated: no end-of-archive marker at byte %llu of %llu",
                 tar->path, (unsigned long long)tar->at, (unsigned long long)tar->size);
    MAE_TRY(mae_file_read_at(tar->fd, tar->path, header, sizeof *header, tar->at, err));
    *found = !all_zero((const unsigned char *)header, sizeof *header);
    if (!*found)
        return MAE_OK;
    if (!checksum_fits(header))
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: header at byte %llu: wrong checksum, the archive is damaged",
                 tar->path, (unsigned long long)tar->at);
    if (!is_ustar(header) && !is_gnu(header) &&
        !all_zero((const unsigned char *)header->magic, sizeof header->magic))
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: header at byte %llu: expected the magic \"ustar\", found \"%.6s\"",
                 tar->path, (unsigned long long)tar->at, header->magic);
    return MAE_OK;
}

/* Links, devices and folders have no content, whatever their size field says. */
static bool has_content(char type)
{
    return strchr("123456", type) == NULL || type == '\0';
}

/* Place of the content, checked against the file, and of the header behind it. */
static MaeStatus measure(MaeTar *tar, const MaeTarHeader *header,
                         const Extended *extended, MaeError *err)
{
    uint64_t left = tar->size - tar->at - MAE_TAR_BLOCK, blocks;

    if (!number(&tar->length, header->size, sizeof header->size))
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: header at byte %llu: the size is no number",
                 tar->path, (unsigned long long)tar->at);
    if (extended->has_size)
        tar->length = extended->size;
    if (!has_content(header->type))
        tar->length = 0;
    if (tar->length > left)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: truncated: member at byte %llu has %llu bytes, %llu are left",
                 tar->path, (unsigned long long)tar->at, (unsigned long long)tar->length,
                 (unsigned long long)left);
    tar->offset = tar->at + MAE_TAR_BLOCK;
    blocks = (tar->length + MAE_TAR_BLOCK - 1) / MAE_TAR_BLOCK * MAE_TAR_BLOCK;
    tar->at = blocks < left ? tar->offset + blocks : tar->size;
    return MAE_OK;
}

/* Content of an extended header, with a NUL behind it; the caller frees. */
static MaeStatus read_extended(const MaeTar *tar, char **text, MaeError *err)
{
    char *made;
    MaeStatus status;

    if (tar->length > EXTENDED_MAX)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: extended header of %llu bytes, at most %zu are accepted", tar->path,
                 (unsigned long long)tar->length, EXTENDED_MAX);
    made = calloc(1, (size_t)tar->length + 1);
    if (made == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for a header", tar->path);
    status =
        mae_file_read_at(tar->fd, tar->path, made, (size_t)tar->length, tar->offset, err);
    if (status == MAE_OK)
        *text = made;
    else
        free(made);
    return status;
}

static MaeStatus take_name(const MaeTar *tar, char *name, const char *text, size_t size,
                           MaeError *err)
{
    if (size >= MAE_TAR_NAME || memchr(text, '\0', size) != NULL)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: member at byte %llu: its name is too long or holds a NUL",
                 tar->path, (unsigned long long)tar->at);
    memcpy(name, text, size);
    name[size] = '\0';
    return MAE_OK;
}

/* One pax record "key=value". */
static MaeStatus take_record(const MaeTar *tar, Extended *extended, const char *key,
                             size_t size, MaeError *err)
{
    const char *equals = memchr(key, '=', size);
    const char *value = equals == NULL ? key + size : equals + 1;
    const size_t length = (size_t)(key + size - value);

    if (strncmp(key, "path=", 5) == 0)
        return take_name(tar, extended->name, value, length, err);
    if (strncmp(key, "GNU.sparse.", 11) == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: sparse members are not supported", tar->path);
    if (strncmp(key, "size=", 5) != 0)
        return MAE_OK;
    extended->has_size = true;
    extended->size = 0;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9' || extended->size > UINT64_MAX / 20)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: pax header: the size is no number",
                     tar->path);
        extended->size = 10 * extended->size + (uint64_t)(value[i] - '0');
    }
    return MAE_OK;
}

/* "LENGTH key=value\n" again and again; LENGTH counts the whole record. */
static MaeStatus take_pax(const MaeTar *tar, Extended *extended, const char *text,
                          MaeError *err)
{
    const char *at = text, *end = text + tar->length;

    while (at < end) {
        char *key;
        const unsigned long record = strtoul(at, &key, 10);

        if (*at < '1' || *at > '9' || *key != ' ' || record > (size_t)(end - at) ||
            at + record < key + 3 || at[record - 1] != '\n')
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: pax header: damaged at byte %llu",
                     tar->path, (unsigned long long)(tar->offset + (size_t)(at - text)));
        MAE_TRY(
            take_record(tar, extended, key + 1, (size_t)(at + record - key) - 2, err));
        at += record;
    }
    return MAE_OK;
}

/* Headers that describe the next member (taken) or all members (passed over). */
static MaeStatus take_extended(const MaeTar *tar, Extended *extended, char type,
                               MaeError *err)
{
    char *text = NULL;
    MaeStatus status;

    if (type == 'g' || type == 'K')
        return MAE_OK;
    MAE_TRY(read_extended(tar, &text, err));
    status = type == 'x' ? take_pax(tar, extended, text, err)
                         : take_name(tar, extended->name, text, strlen(text), err);
    free(text);
    return status;
}

/* The name from the header's fields, unless an extended header gave one. */
static void set_name(MaeTar *tar, const MaeTarHeader *header, const Extended *extended)
{
    char *name = tar->name;

    if (extended->name[0] != '\0') {
        memcpy(name, extended->name, sizeof extended->name);
        return;
    }
    if (is_ustar(header) && header->prefix[0] != '\0') {
        const size_t length = strnlen(header->prefix, sizeof header->prefix);

        memcpy(name, header->prefix, length);
        name[length] = '/';
        name += length + 1;
    }
    memcpy(name, header->name, sizeof header->name);
    name[sizeof header->name] = '\0';
}

static MaeStatus check_name(const MaeTar *tar, MaeError *err)
{
    const char *name = tar->name;

    if (name[0] == '\0')
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: member at byte %llu has no name", tar->path,
                 (unsigned long long)tar->offset - MAE_TAR_BLOCK);
    if (name[0] == '/')
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: member '%.100s': absolute name", tar->path,
                 name);
    for (const char *at = name; at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s: member '%.100s': the name leads out of the archive", tar->path,
                     name);
    }
    return MAE_OK;
}

MaeStatus mae_tar_next(MaeTar *tar, bool *found, MaeError *err)
{
    Extended extended = {.name = ""};
    MaeTarHeader header;

    for (;;) {
        const uint64_t at = tar->at;

        MAE_TRY(read_header(tar, &header, found, err));
        if (!*found)
            return MAE_OK;
        if (strchr("SM", header.type) != NULL && header.type != '\0')
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s: member at byte %llu: sparse and multi-volume members are not "
                     "supported",
                     tar->path, (unsigned long long)at);
        if (strchr("xgLK", header.type) == NULL || header.type == '\0')
            break;
        MAE_TRY(measure(tar, &header, &(Extended){.has_size = false}, err));
        MAE_TRY(take_extended(tar, &extended, header.type, err));
    }
    MAE_TRY(measure(tar, &header, &extended, err));
    set_name(tar, &header, &extended);
    MAE_TRY(check_name(tar, err));
    tar->is_file = (header.type == '0' || header.type == '7' || header.type == '\0') &&
                   tar->name[strlen(tar->name) - 1] != '/';
    return MAE_OK;
}
