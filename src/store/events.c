#include "store/events.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/file.h"
#include "store/output.h"

#define TAG_MAX 255
#define HEAD 12                 /* length and its checksum */
#define DATA_MAX (TAG_MAX + 64) /* of the events that we write */
#define FILE_MAX ((size_t)1 << 30)

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct MaeEvents {
    int fd;
    char *path;
};

/** A protobuf message under construction; the caller sees to its size. */
typedef struct Message {
    unsigned char bytes[DATA_MAX];
    size_t size;
} Message;

static void put_varint(Message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        m->bytes[m->size++] = (unsigned char)(value | 0x80);
    m->bytes[m->size++] = (unsigned char)value;
}

static void put_key(Message *m, unsigned field, unsigned wire)
{
    put_varint(m, field << 3 | wire);
}

static void put_bytes(Message *m, unsigned field, const void *bytes, size_t size)
{
    put_key(m, field, WIRE_BYTES);
    put_varint(m, size);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static void put_time_and_step(Message *m, int64_t step)
{
    const double wall = mae_clock_wall();
    uint64_t bits;

    memcpy(&bits, &wall, sizeof bits);
    put_key(m, 1, WIRE_FIXED64);
    mae_put_u64(m->bytes + m->size, bits);
    m->size += 8;
    put_key(m, 2, WIRE_VARINT);
    put_varint(m, (uint64_t)step);
}

static uint32_t masked_crc(const void *data, size_t size)
{
    const uint32_t crc = mae_crc32c(0, data, size);

    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/** Frame a message as a TFRecord and write it in one call. */
static MaeStatus write_record(const MaeEvents *events, const Message *m, MaeError *err)
{
    unsigned char record[HEAD + DATA_MAX + 4];

    mae_put_u64(record, m->size);
    mae_put_u32(record + 8, masked_crc(record, 8));
    memcpy(record + HEAD, m->bytes, m->size);
    mae_put_u32(record + HEAD + m->size, masked_crc(m->bytes, m->size));
    return mae_file_append(events->fd, events->path, record, HEAD + m->size + 4, err);
}

/** Create the first free name; several runs may start in the same second. */
static MaeStatus create(MaeEvents *events, const char *folder, MaeError *err)
{
    const size_t size = strlen(folder) + 256;
    char host[64] = "localhost";

    (void)gethostname(host, sizeof host - 1);
    for (char *c = host; *c != '\0'; c++)
        if (*c == '/')
            *c = '_';
    events->path = malloc(size);
    if (events->path == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", folder);
    for (unsigned n = 0; n < 1000; n++) {
        (void)snprintf(events->path, size, "%s/events.out.tfevents.%.0f.%s.%ld.%u",
                       folder, mae_clock_wall(), host, (long)getpid(), n);
        events->fd =
            open(events->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (events->fd >= 0)
            return MAE_OK;
        if (errno != EEXIST)
            break;
    }
    return mae_file_fail(err, events->path, "cannot create", errno);
}

MaeStatus mae_events_open(MaeEvents **events, const char *folder, MaeError *err)
{
    static const char version[] = "brain.Event:2";
    MaeEvents *made = calloc(1, sizeof *made);
    Message m = {.size = 0};
    MaeStatus status;

    if (made == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", folder);
    made->fd = -1;
    status = create(made, folder, err);
    if (status == MAE_OK) {
        put_time_and_step(&m, 0);
        put_bytes(&m, 3, version, sizeof version - 1);
        status = write_record(made, &m, err);
    }
    if (status != MAE_OK)
        mae_events_close(made);
    else
        *events = made;
    return status;
}

void mae_events_close(MaeEvents *events)
{
    if (events == NULL)
        return;
    if (events->fd >= 0)
        (void)close(events->fd);
    free(events->path);
    free(events);
}

MaeStatus mae_events_scalar(MaeEvents *events, const char *tag, int64_t step, float value,
                            MaeError *err)
{
    Message scalar = {.size = 0}, summary = {.size = 0}, event = {.size = 0};
    uint32_t bits;

    if (strlen(tag) > TAG_MAX)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: a tag of %zu bytes, at most %d are accepted",
                 events->path, strlen(tag), TAG_MAX);
    put_bytes(&scalar, 1, tag, strlen(tag));
    put_key(&scalar, 2, WIRE_FIXED32);
    memcpy(&bits, &value, sizeof bits);
    mae_put_u32(scalar.bytes + scalar.size, bits);
    scalar.size += 4;
    put_bytes(&summary, 1, scalar.bytes, scalar.size);
    put_time_and_step(&event, step);
    put_bytes(&event, 5, summary.bytes, summary.size);
    return write_record(events, &event, err);
}

static bool get_varint(const unsigned char **p, const unsigned char *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
        const unsigned char byte = *(*p)++;

        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/** Step of an encoded Event, 0 if it has none; false if it is no message. */
static bool get_step(const unsigned char *p, size_t size, int64_t *step)
{
    const unsigned char *end = p + size;
    uint64_t key, value;

    *step = 0;
    while (p < end) {
        if (!get_varint(&p, end, &key))
            return false;
        switch (key & 7) {
        case WIRE_VARINT:
            if (!get_varint(&p, end, &value))
                return false;
            if (key >> 3 == 2)
                *step = (int64_t)value;
            continue;
        case WIRE_FIXED64:
            value = 8;
            break;
        case WIRE_FIXED32:
            value = 4;
            break;
        case WIRE_BYTES:
            if (!get_varint(&p, end, &value))
                return false;
            break;
        default:
            return false;
        }
        if (value > (uint64_t)(end - p))
            return false;
        p += value;
    }
    return true;
}

/** Bytes of the valid record at @p p, framing included; 0 if torn or damaged. */
static size_t record_size(const unsigned char *p, size_t left)
{
    uint64_t length;

    if (left < HEAD + 4 || mae_get_u32(p + 8) != masked_crc(p, 8))
        return 0;
    length = mae_get_u64(p);
    if (length > left - HEAD - 4 ||
        mae_get_u32(p + HEAD + length) != masked_crc(p + HEAD, (size_t)length))
        return 0;
    return HEAD + (size_t)length + 4;
}

/** Keep the records up to @p last. @return bytes left, moved to the front. */
static size_t filter(unsigned char *bytes, size_t size, int64_t last)
{
    size_t kept = 0, n;
    int64_t step;

    for (size_t at = 0; at < size; at += n) {
        n = record_size(bytes + at, size - at);
        if (n == 0)
            break;
        if (!get_step(bytes + at + HEAD, n - HEAD - 4, &step) || step > last)
            continue;
        memmove(bytes + kept, bytes + at, n);
        kept += n;
    }
    return kept;
}

static MaeStatus cut_file(const char *path, int64_t last, MaeError *err)
{
    unsigned char *bytes;
    size_t size, kept;
    MaeStatus status = MAE_OK;

    MAE_TRY(mae_file_read_all(path, FILE_MAX, &bytes, &size, err));
    kept = filter(bytes, size, last);
    if (kept < size)
        status = mae_file_write_atomic(path, bytes, kept, err);
    free(bytes);
    return status;
}

static bool is_event_file(const char *name)
{
    return strstr(name, ".tfevents.") != NULL && !mae_text_ends(name, MAE_OUTPUT_TEMP);
}

MaeStatus mae_events_cut(const char *folder, int64_t last, MaeError *err)
{
    MaeStatus status = MAE_OK;
    struct dirent *entry;
    DIR *dir = opendir(folder);

    if (dir == NULL)
        return errno == ENOENT ? MAE_OK
                               : mae_file_fail(err, folder, "cannot open", errno);
    while (status == MAE_OK && (entry = readdir(dir)) != NULL) {
        const size_t size = strlen(folder) + strlen(entry->d_name) + 2;
        char *path;

        if (!is_event_file(entry->d_name))
            continue;
        path = malloc(size);
        if (path == NULL) {
            status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                                   "%s: out of memory", folder);
            break;
        }
        (void)snprintf(path, size, "%s/%s", folder, entry->d_name);
        status = cut_file(path, last, err);
        free(path);
    }
    (void)closedir(dir);
    return status;
}
