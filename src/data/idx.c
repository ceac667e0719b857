#include "data/idx.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/pages.h"

#define DEFLATE_RATIO 1032 /* no deflate stream unpacks to more times its length */
#define GZ_CHUNK ((size_t)1 << 24)
#define GZ_BUFFER (256u << 10) /* bytes; the default of 8 KiB costs system calls */

/* read() until @p size bytes or the end. @return bytes read, -1 with errno. */
static ssize_t read_at(int fd, void *out, size_t size, off_t at)
{
    size_t done = 0;

    while (done < size) {
        const ssize_t got =
            pread(fd, (unsigned char *)out + done, size - done, at + (off_t)done);

        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        if (got > 0)
            done += (size_t)got;
    }
    return (ssize_t)done;
}

static MaeStatus parse_header(MaeIdx *idx, const unsigned char *head, size_t ndim,
                              const char *path, MaeError *err)
{
    if (head[0] != 0 || head[1] != 0 || head[2] != 8 || head[3] != ndim)
        MAE_FAIL(
            err, MAE_ERR_FORMAT,
            "%s: expected an IDX file of bytes in %zu dimensions (magic 0000080%zu), "
            "found magic %02x%02x%02x%02x",
            path, ndim, ndim, head[0], head[1], head[2], head[3]);
    for (size_t i = 0; i < 3; i++) {
        const unsigned char *size = head + 4 + 4 * i;

        idx->dims[i] = i >= ndim ? 1
                                 : (size_t)size[0] << 24 | (size_t)size[1] << 16 |
                                       (size_t)size[2] << 8 | size[3];
        if (idx->dims[i] == 0)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: dimension %zu is 0", path, i);
    }
    if (idx->dims[1] > (1u << 16) || idx->dims[2] > (1u << 16))
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: images of %zu x %zu, expected at most 65536",
                 path, idx->dims[1], idx->dims[2]);
    idx->item = idx->dims[1] * idx->dims[2];
    if (idx->dims[0] > (SIZE_MAX / 4) / idx->item)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %zu images of %zu x %zu are too many", path,
                 idx->dims[0], idx->dims[1], idx->dims[2]);
    return MAE_OK;
}

static MaeStatus gz_failed(gzFile gz, const char *path, MaeError *err)
{
    int code = Z_OK;
    const char *text = gzerror(gz, &code);

    MAE_FAIL(err, code == Z_ERRNO ? MAE_ERR_IO : MAE_ERR_FORMAT,
             "%s: damaged gzip data: %s", path,
             code == Z_BUF_ERROR || text[0] == '\0' ? "truncated" : text);
}

/* gzread() takes 32-bit sizes. */
static MaeStatus gz_exactly(gzFile gz, unsigned char *out, size_t size, const char *path,
                            MaeError *err)
{
    for (size_t done = 0; done < size;) {
        const size_t chunk = size - done < GZ_CHUNK ? size - done : GZ_CHUNK;
        const int got = gzread(gz, out + done, (unsigned)chunk);

        if (got < 0)
            return gz_failed(gz, path, err);
        if (got == 0)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: truncated: expected %zu bytes, found %zu",
                     path, size, done);
        done += (size_t)got;
    }
    return MAE_OK;
}

static size_t memory_size(const MaeIdx *idx)
{
    const size_t size = idx->dims[0] * idx->item;

    return size > 0 ? size : 1;
}

/* Unpack everything behind the header; reading on to the end checks the checksum. */
static MaeStatus unpack(MaeIdx *idx, gzFile gz, uintmax_t packed, const char *path,
                        MaeError *err)
{
    const size_t size = idx->dims[0] * idx->item;
    unsigned char more;
    int got, code = Z_OK;

    if (size / DEFLATE_RATIO > packed)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: truncated: the header asks for %zu bytes, %ju gzipped ones cannot "
                 "hold them",
                 path, size, packed);
    if (size > MAE_IDX_MEMORY)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: %zu bytes are too many to unpack into memory (limit %zu): gunzip "
                 "the file",
                 path, size, MAE_IDX_MEMORY);
    idx->memory = mae_pages_alloc(memory_size(idx));
    if (idx->memory == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu bytes", path, size);
    MAE_TRY(gz_exactly(gz, idx->memory, size, path, err));
    got = gzread(gz, &more, 1);
    (void)gzerror(gz, &code); /* a missing end shows here only */
    if (got < 0 || (got == 0 && code != Z_OK && code != Z_STREAM_END))
        return gz_failed(gz, path, err);
    if (got > 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: bytes beyond the %zu the header asks for",
                 path, size);
    return MAE_OK;
}

static MaeStatus open_gz(MaeIdx *idx, const char *path, size_t ndim, uintmax_t packed,
                         MaeError *err)
{
    const int fd = dup(idx->fd); /* gzclose closes it */
    gzFile gz = fd < 0 ? NULL : gzdopen(fd, "rb");
    unsigned char head[16] = {0};
    MaeStatus status;

    if (gz == NULL) {
        if (fd >= 0)
            close(fd);
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: cannot be unpacked: %s", path, strerror(errno));
    }
    (void)gzbuffer(gz, GZ_BUFFER);
    status = gz_exactly(gz, head, 4 + 4 * ndim, path, err);
    if (status == MAE_OK)
        status = parse_header(idx, head, ndim, path, err);
    if (status == MAE_OK)
        status = unpack(idx, gz, packed, path, err);
    gzclose(gz);
    close(idx->fd);
    idx->is_open = false;
    return status;
}

static MaeStatus open_raw(MaeIdx *idx, const char *path, size_t ndim, uintmax_t length,
                          MaeError *err)
{
    const size_t head_size = 4 + 4 * ndim;
    unsigned char head[16] = {0};
    const ssize_t got = read_at(idx->fd, head, head_size, 0);
    uintmax_t expected;

    if (got < 0)
        MAE_FAIL(err, MAE_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    if ((size_t)got < head_size)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: truncated: a header of %zu bytes, found %zd",
                 path, head_size, got);
    MAE_TRY(parse_header(idx, head, ndim, path, err));
    expected = head_size + (uintmax_t)idx->dims[0] * idx->item;
    if (length != expected)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected %ju bytes, found %ju", path,
                 length < expected ? "truncated" : "too long", expected, length);
    return MAE_OK;
}

MaeStatus mae_idx_open(MaeIdx *idx, const char *path, size_t ndim, MaeError *err)
{
    unsigned char magic[2] = {0};
    struct stat st;

    assert(ndim == 1 || ndim == 3);
    *idx = (MaeIdx){.ndim = ndim, .fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    if (idx->fd < 0)
        MAE_FAIL(err, MAE_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    idx->is_open = true;
    if (fstat(idx->fd, &st) != 0)
        MAE_FAIL(err, MAE_ERR_IO, "%s: cannot be examined: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: expected a regular file", path);
    if (read_at(idx->fd, magic, 2, 0) < 0)
        MAE_FAIL(err, MAE_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (magic[0] == 0x1f && magic[1] == 0x8b)
        return open_gz(idx, path, ndim, (uintmax_t)st.st_size, err);
    return open_raw(idx, path, ndim, (uintmax_t)st.st_size, err);
}

void mae_idx_close(MaeIdx *idx)
{
    if (idx->is_open)
        close(idx->fd);
    mae_pages_free(idx->memory, memory_size(idx));
    *idx = (MaeIdx){0};
}

MaeStatus mae_idx_fetch(const MaeIdx *idx, size_t first, size_t count, void *out,
                        MaeError *err)
{
    const size_t head_size = 4 + 4 * idx->ndim;
    const size_t at = first * idx->item, size = count * idx->item;
    ssize_t got;

    assert(first <= idx->dims[0] && count <= idx->dims[0] - first);
    if (idx->memory != NULL) {
        memcpy(out, idx->memory + at, size);
        return MAE_OK;
    }
    got = read_at(idx->fd, out, size, (off_t)(head_size + at));
    if (got < 0)
        MAE_FAIL(err, MAE_ERR_IO, "item %zu cannot be read: %s", first, strerror(errno));
    if ((size_t)got != size)
        MAE_FAIL(err, MAE_ERR_IO, "item %zu: the file has become shorter", first);
    return MAE_OK;
}
