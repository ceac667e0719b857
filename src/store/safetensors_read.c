#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/bytes.h"
#include "store/file.h"
#include "store/safetensors.h"

#define HEADER_MAX ((uint64_t)100 * 1000 * 1000) /* as the safetensors library */
#define TENSORS_MAX 65536
#define TOKENS_MAX ((size_t)TENSORS_MAX * 32) /* commas and brackets they take */
#define NESTING_MAX 3                         /* file, tensor, shape */
#define BLOCK ((size_t)16384)                 /* elements converted at a time */

typedef enum Type { TYPE_OTHER, TYPE_F32, TYPE_F16, TYPE_BF16 } Type;

static const struct {
    const char *name;
    size_t bytes;
    Type type;
} TYPES[] = {
    {"F32", 4, TYPE_F32},    {"F16", 2, TYPE_F16},       {"BF16", 2, TYPE_BF16},
    {"F64", 8, TYPE_OTHER},  {"I64", 8, TYPE_OTHER},     {"U64", 8, TYPE_OTHER},
    {"I32", 4, TYPE_OTHER},  {"U32", 4, TYPE_OTHER},     {"I16", 2, TYPE_OTHER},
    {"U16", 2, TYPE_OTHER},  {"I8", 1, TYPE_OTHER},      {"U8", 1, TYPE_OTHER},
    {"BOOL", 1, TYPE_OTHER}, {"F8_E4M3", 1, TYPE_OTHER}, {"F8_E5M2", 1, TYPE_OTHER},
};

/** Where a tensor's bytes are, in the order of the list. */
typedef struct Place {
    size_t type;         /* row of TYPES */
    uint64_t begin, end; /* from the start of the data */
    size_t index;        /* in the list */
} Place;

struct MaeSafetensors {
    char *path;
    int fd;
    uint64_t data, size; /* offset and bytes of the data */
    json_t *header;      /* owns the names */
    MaeTensorInfo *list; /* [count] sorted by name */
    Place *places;       /* [count] in the same order */
    size_t count;
};

/**
 * Bound what the parser can be made to allocate: nesting, and commas and brackets outside
 * of texts. Anything subtler is left to the parser.
 */
static MaeStatus scan(const char *path, const char *text, size_t size, MaeError *err)
{
    size_t depth = 0, tokens = 0;
    bool quoted = false;

    for (size_t i = 0; i < size; i++) {
        const char c = text[i];

        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
            continue;
        }
        quoted = c == '"';
        tokens += c == ',' || c == '{' || c == '[';
        depth += c == '{' || c == '[';
        if (depth > NESTING_MAX)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "%s: header byte %zu: nests deeper than %d levels", path, i,
                     NESTING_MAX);
        depth -= (c == '}' || c == ']') && depth > 0;
    }
    if (tokens > TOKENS_MAX)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: header describes more than %d tensors", path,
                 TENSORS_MAX);
    return MAE_OK;
}

/** Read and parse the JSON. */
static MaeStatus read_header(MaeSafetensors *s, uint64_t file_size, MaeError *err)
{
    unsigned char prefix[8];
    json_error_t error;
    uint64_t length;
    char *text;
    MaeStatus status;

    if (file_size < 8)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: no safetensors file (only %llu bytes)",
                 s->path, (unsigned long long)file_size);
    MAE_TRY(mae_file_read_at(s->fd, s->path, prefix, sizeof prefix, 0, err));
    length = mae_get_u64(prefix);
    if (length < 2 || length > HEADER_MAX || length > file_size - 8)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: no safetensors file: header of %llu bytes in a file of %llu",
                 s->path, (unsigned long long)length, (unsigned long long)file_size);
    s->data = 8 + length;
    s->size = file_size - s->data;
    text = malloc((size_t)length);
    if (text == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", s->path);
    status = mae_file_read_at(s->fd, s->path, text, (size_t)length, 8, err);
    if (status == MAE_OK)
        status = scan(s->path, text, (size_t)length, err);
    if (status == MAE_OK) {
        s->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(s->header))
            status = mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                                   "%s: header: %s", s->path,
                                   s->header != NULL ? "expected an object" : error.text);
    }
    free(text);
    return status;
}

/** A JSON integer that is no negative number. */
static bool get_size(const json_t *value, uint64_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *size = (uint64_t)json_integer_value(value);
    return true;
}

static MaeStatus parse_shape(const MaeSafetensors *s, MaeTensorInfo *info,
                             const json_t *shape, MaeError *err)
{
    if (!json_is_array(shape) || json_array_size(shape) > MAE_TENSOR_DIMS)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected a shape of at most %d dimensions",
                 s->path, info->name, MAE_TENSOR_DIMS);
    info->ndim = json_array_size(shape);
    for (size_t i = 0; i < info->ndim; i++) {
        uint64_t n;

        if (!get_size(json_array_get(shape, i), &n) || n > SIZE_MAX)
            MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: dimension %zu of the shape is no size",
                     s->path, info->name, i);
        info->shape[i] = (size_t)n;
    }
    return MAE_OK;
}

static MaeStatus parse_type(const MaeSafetensors *s, const char *name,
                            const json_t *dtype, size_t *type, MaeError *err)
{
    const char *text = json_string_value(dtype);

    for (*type = 0; text != NULL && *type < sizeof TYPES / sizeof *TYPES; ++*type) {
        if (strcmp(TYPES[*type].name, text) == 0)
            return MAE_OK;
    }
    MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: unknown dtype %s", s->path, name,
             text != NULL ? text : "(none)");
}

/** One member of the header. */
static MaeStatus parse_tensor(const MaeSafetensors *s, MaeTensorInfo *info, Place *place,
                              const json_t *entry, MaeError *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t count, bytes;

    if (!json_is_object(entry))
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected an object", s->path, info->name);
    MAE_TRY(
        parse_type(s, info->name, json_object_get(entry, "dtype"), &place->type, err));
    MAE_TRY(parse_shape(s, info, json_object_get(entry, "shape"), err));
    bytes = TYPES[place->type].bytes;
    if (json_array_size(offsets) != 2 ||
        !get_size(json_array_get(offsets, 0), &place->begin) ||
        !get_size(json_array_get(offsets, 1), &place->end) || place->begin > place->end ||
        place->end > s->size)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: %s: data_offsets do not fit the %llu bytes of data", s->path,
                 info->name, (unsigned long long)s->size);
    if (!mae_tensor_count(&count, info->shape, info->ndim, SIZE_MAX / bytes) ||
        (uint64_t)count * bytes != place->end - place->begin)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: the shape does not fit %llu bytes of %s",
                 s->path, info->name, (unsigned long long)(place->end - place->begin),
                 TYPES[place->type].name);
    return MAE_OK;
}

static int by_name(const void *a, const void *b)
{
    const MaeTensorInfo *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int by_begin(const void *a, const void *b)
{
    const Place *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static MaeStatus parse_all(MaeSafetensors *s, MaeError *err)
{
    const char *name;
    json_t *entry;

    if (json_object_size(s->header) > TENSORS_MAX)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %zu tensors, at most %d are accepted", s->path,
                 json_object_size(s->header), TENSORS_MAX);
    s->list = calloc(json_object_size(s->header) + 1, sizeof *s->list);
    s->places = calloc(json_object_size(s->header) + 1, sizeof *s->places);
    if (s->list == NULL || s->places == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", s->path);
    json_object_foreach(s->header, name, entry)
    {
        if (strcmp(name, "__metadata__") != 0)
            s->list[s->count++].name = name;
    }
    qsort(s->list, s->count, sizeof *s->list, by_name);
    for (size_t i = 0; i < s->count; i++) {
        s->places[i].index = i;
        MAE_TRY(parse_tensor(s, &s->list[i], &s->places[i],
                             json_object_get(s->header, s->list[i].name), err));
    }
    return MAE_OK;
}

/** The tensors must cover the data exactly: no overlap, no hole, nothing behind. */
static MaeStatus check_cover(const MaeSafetensors *s, MaeError *err)
{
    Place *sorted = malloc((s->count + 1) * sizeof *sorted);
    MaeStatus status = MAE_OK;
    uint64_t end = 0;

    if (sorted == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", s->path);
    memcpy(sorted, s->places, s->count * sizeof *sorted);
    qsort(sorted, s->count, sizeof *sorted, by_begin);
    for (size_t i = 0; i < s->count && status == MAE_OK; i++) {
        if (sorted[i].begin != end)
            status = mae_error_set(
                err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                "%s: %s: begins at byte %llu, expected %llu (%s)", s->path,
                s->list[sorted[i].index].name, (unsigned long long)sorted[i].begin,
                (unsigned long long)end,
                sorted[i].begin < end ? "overlaps another tensor" : "leaves a hole");
        end = sorted[i].end;
    }
    if (status == MAE_OK && end != s->size)
        status =
            mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                          "%s: %llu bytes behind the last tensor%s%s", s->path,
                          (unsigned long long)(s->size - end), s->count > 0 ? " " : "",
                          s->count > 0 ? s->list[sorted[s->count - 1].index].name : "");
    free(sorted);
    return status;
}

static MaeStatus open_all(MaeSafetensors *s, const char *path, MaeError *err)
{
    uint64_t size;

    s->path = strdup(path);
    if (s->path == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    MAE_TRY(mae_file_open(path, &s->fd, &size, err));
    MAE_TRY(read_header(s, size, err));
    MAE_TRY(parse_all(s, err));
    return check_cover(s, err);
}

MaeStatus mae_safetensors_open(MaeSafetensors **s, const char *path, MaeError *err)
{
    MaeSafetensors *made = calloc(1, sizeof *made);
    MaeStatus status;

    if (made == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    made->fd = -1;
    status = open_all(made, path, err);
    if (status != MAE_OK)
        mae_safetensors_close(made);
    else
        *s = made;
    return status;
}

void mae_safetensors_close(MaeSafetensors *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        (void)close(s->fd);
    json_decref(s->header);
    free(s->list);
    free(s->places);
    free(s->path);
    free(s);
}

const MaeTensorInfo *mae_safetensors_list(const MaeSafetensors *s, size_t *count)
{
    *count = s->count;
    return s->list;
}

size_t mae_safetensors_find(const MaeSafetensors *s, const char *name)
{
    const MaeTensorInfo key = {.name = name};
    const MaeTensorInfo *hit = bsearch(&key, s->list, s->count, sizeof key, by_name);

    return hit == NULL ? s->count : (size_t)(hit - s->list);
}

/** Bits of the float32 with the value of a half; exact, NaN payloads kept. */
static uint32_t widen_half(uint32_t half)
{
    const uint32_t sign = (half & 0x8000u) << 16, mantissa = half & 0x3ffu;
    uint32_t exponent = half >> 10 & 0x1fu, shifted = mantissa;

    if (exponent == 0x1f)
        return sign | 0x7f800000u | mantissa << 13;
    if (exponent > 0)
        return sign | (exponent + 112) << 23 | mantissa << 13;
    if (mantissa == 0)
        return sign;
    for (exponent = 113; (shifted & 0x400u) == 0; exponent--)
        shifted <<= 1;
    return sign | exponent << 23 | (shifted & 0x3ffu) << 13;
}

static void convert(float *dst, const unsigned char *bytes, size_t n, Type type)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char *p = bytes + i * (type == TYPE_F32 ? 4 : 2);
        uint32_t bits;

        if (type == TYPE_F32)
            bits = mae_get_u32(p);
        else if (type == TYPE_BF16)
            bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 24;
        else
            bits = widen_half((uint32_t)p[0] | (uint32_t)p[1] << 8);
        memcpy(&dst[i], &bits, sizeof bits);
    }
}

MaeStatus mae_safetensors_read(const MaeSafetensors *s, size_t index, float *dst,
                               MaeError *err)
{
    const Place *place = &s->places[index];
    const Type type = TYPES[place->type].type;
    const size_t bytes = TYPES[place->type].bytes;
    const size_t count = (size_t)(place->end - place->begin) / bytes;
    unsigned char block[BLOCK * 4];

    if (type == TYPE_OTHER)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected F32, F16 or BF16, found %s",
                 s->path, s->list[index].name, TYPES[place->type].name);
    for (size_t at = 0; at < count; at += BLOCK) {
        const size_t n = count - at < BLOCK ? count - at : BLOCK;

        MAE_TRY(mae_file_read_at(s->fd, s->path, block, n * bytes,
                                 s->data + place->begin + at * bytes, err));
        convert(dst + at, block, n, type);
    }
    return MAE_OK;
}
