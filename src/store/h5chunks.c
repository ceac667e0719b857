#include <stdlib.h>
#include <zlib.h>

#include "store/h5set.h"

#define CHECKSUM 4 /* bytes that fletcher32 appends */
#define WINDOW 16384

/** One chunk as it lies in the file. */
typedef struct Chunk {
    const MaeH5Set *set;
    const MaeH5Source *source;
    hsize_t at[MAE_TENSOR_DIMS];
    hsize_t size; /* bytes; 0: not stored */
    unsigned skipped;
} Chunk;

static bool is_filtered(const Chunk *chunk, int filter)
{
    return filter >= 0 && (chunk->skipped >> filter & 1) == 0;
}

static MaeStatus damaged(const Chunk *chunk, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s[%llu]: cannot be read, the data are damaged",
             chunk->source->path, chunk->set->info.name,
             (unsigned long long)chunk->at[0]);
}

/** The bytes unpack to @p expected: at most one more is unpacked, and none is kept. */
static MaeStatus check_unpacked(const Chunk *chunk, unsigned char *bytes, size_t size,
                                size_t expected, MaeError *err)
{
    z_stream z = {.next_in = bytes, .avail_in = (uInt)size};
    unsigned char window[WINDOW];
    int result = inflateInit(&z);

    if (result != Z_OK)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", chunk->source->path);
    while (result == Z_OK && z.total_out <= expected) {
        z.next_out = window;
        z.avail_out = sizeof window;
        result = inflate(&z, Z_NO_FLUSH);
    }
    (void)inflateEnd(&z);
    if (result != Z_OK && result != Z_STREAM_END)
        return damaged(chunk, err);
    if (z.total_out > expected)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s[%llu]: a chunk unpacks to over %zu bytes",
                 chunk->source->path, chunk->set->info.name,
                 (unsigned long long)chunk->at[0], expected);
    if (z.total_out < expected)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s[%llu]: a chunk unpacks to %lu of %zu bytes",
                 chunk->source->path, chunk->set->info.name,
                 (unsigned long long)chunk->at[0], z.total_out, expected);
    return MAE_OK;
}

/** What a chunk is stored as does not give the bytes that it should. */
static MaeStatus wrong_size(const Chunk *chunk, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s[%llu]: a chunk of %zu bytes is stored as %llu",
             chunk->source->path, chunk->set->info.name, (unsigned long long)chunk->at[0],
             chunk->set->chunk_bytes, (unsigned long long)chunk->size);
}

/** What was read of a chunk, and which filters it has gone through. */
static MaeStatus check_bytes(const Chunk *chunk, unsigned char *bytes, MaeError *err)
{
    const MaeH5Set *set = chunk->set;
    const bool summed = is_filtered(chunk, set->fletcher32);
    const bool inside = summed && set->fletcher32 < set->deflate;
    const size_t sum = summed ? CHECKSUM : 0;

    if (!is_filtered(chunk, set->deflate))
        return chunk->size == set->chunk_bytes + sum ? MAE_OK : wrong_size(chunk, err);
    if (chunk->size <= CHECKSUM)
        return wrong_size(chunk, err);
    return check_unpacked(chunk, bytes, (size_t)chunk->size - (inside ? 0 : sum),
                          set->chunk_bytes + (inside ? sum : 0), err);
}

/** Filters that change a chunk's size may have been left out of it: it says which. */
static MaeStatus check_filtered(Chunk *chunk, MaeError *err)
{
    unsigned char *bytes = malloc((size_t)chunk->size);
    MaeStatus status;

    if (bytes == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", chunk->source->path);
    if (H5Dread_chunk(chunk->set->id, H5P_DEFAULT, chunk->at, &chunk->skipped, bytes) < 0)
        status = damaged(chunk, err);
    else
        status = check_bytes(chunk, bytes, err);
    free(bytes);
    return status;
}

/* Names the one that is at fault in a set that is not even: walks over all chunks. */
static MaeStatus check_plain(Chunk *chunk, MaeError *err)
{
    haddr_t address;

    if (H5Dget_chunk_info_by_coord(chunk->set->id, chunk->at, &chunk->skipped, &address,
                                   &chunk->size) < 0)
        return damaged(chunk, err);
    return address == HADDR_UNDEF || chunk->size == chunk->set->chunk_bytes
               ? MAE_OK
               : wrong_size(chunk, err);
}

static MaeStatus check_chunk(Chunk *chunk, MaeError *err)
{
    const MaeH5Set *set = chunk->set;
    const hsize_t most = compressBound(set->chunk_bytes + CHECKSUM) + CHECKSUM;

    if (set->filters == 0)
        return set->even ? MAE_OK : check_plain(chunk, err);
    if (H5Dget_chunk_storage_size(set->id, chunk->at, &chunk->size) < 0)
        return MAE_OK; /* not stored, or what reading will find in the same place */
    if (set->deflate < 0 && set->fletcher32 < 0)
        return chunk->size == set->chunk_bytes ? MAE_OK : wrong_size(chunk, err);
    return chunk->size > most ? wrong_size(chunk, err) : check_filtered(chunk, err);
}

MaeStatus mae_h5set_check_chunks(const MaeH5Set *set, const MaeH5Source *source,
                                 size_t first, MaeError *err)
{
    Chunk chunk = {.set = set, .source = source, .at = {first}};
    size_t d;

    do {
        MAE_TRY(check_chunk(&chunk, err));
        /* the next one, last dimension first */
        for (d = set->info.ndim - 1; d > 0; d--) {
            chunk.at[d] += set->chunk[d];
            if (chunk.at[d] < set->info.shape[d])
                break;
            chunk.at[d] = 0;
        }
    } while (d > 0);
    return MAE_OK;
}
