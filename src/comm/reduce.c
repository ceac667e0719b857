/*
 * Sums over ranks in buckets. Exchanges begin in the order of posting, collections in
 * that of buckets, so both come in the same order on every rank; they travel apart.
 */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "comm/parts.h"

#define PIECE ((size_t)2048) /* elements added up at a time */

/* No rank's part is larger than this. */
static size_t part_size(size_t n, size_t world)
{
    return ((n + world - 1) / world + 15) / 16 * 16;
}

void mae_comm_reserve_buckets(MaeComm *comm, MaeArena *arena)
{
    const MaeDtype wire = comm->options.wire;
    const size_t n = comm->options.bucket, world = comm->world;

    for (size_t i = 0; i < MAE_COMM_BUCKETS; i++) {
        MaeBucket *bucket = &comm->bucket[i];

        bucket->parts = (MaeCommParts){
            .count = mae_arena_bytes(arena, world, sizeof(int)),
            .at = mae_arena_bytes(arena, world, sizeof(int)),
            .given = mae_arena_bytes(arena, world, sizeof(int)),
            .taken = mae_arena_bytes(arena, world, sizeof(int)),
            .into = mae_arena_bytes(arena, world, sizeof(int)),
        };
        bucket->received =
            mae_arena_bytes(arena, part_size(n, world) * world, mae_dtype_size(wire));
        bucket->sent =
            wire == MAE_BF16 ? mae_arena_bytes(arena, n, sizeof(uint16_t)) : NULL;
    }
}

static void cut(MaeCommParts *parts, size_t n, size_t rank, size_t world)
{
    const size_t size = part_size(n, world);

    for (size_t r = 0; r < world; r++) {
        const size_t at = r * size < n ? r * size : n;

        parts->at[r] = (int)at;
        parts->count[r] = (int)(n - at < size ? n - at : size);
    }
    for (size_t r = 0; r < world; r++) {
        parts->given[r] = r == rank ? 0 : parts->count[r];
        parts->taken[r] = r == rank ? 0 : parts->count[rank];
        parts->into[r] = (int)r * parts->count[rank];
    }
}

static void to_wire(uint16_t *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = mae_bf16(from[i]);
}

static void from_wire(float *to, const uint16_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = mae_bf16_f32(from[i]);
}

static MaeStatus begin_exchange(MaeComm *comm, MaeBucket *bucket, MaeError *err)
{
    const void *from = bucket->x;

    if (bucket->sent != NULL) {
        to_wire(bucket->sent, bucket->x, bucket->n);
        from = bucket->sent;
    }
    bucket->phase = MAE_BUCKET_EXCHANGED;
    return mae_comm_outcome(
        comm, comm->driver->exchange(comm->state, &bucket->parts, comm->options.wire,
                                     from, bucket->received, &bucket->request, err));
}

/* sum [n] += x [n] of the wire's type; or =, for the first. */
static void add(float *sum, const void *x, size_t n, bool bf16, bool first)
{
    const uint16_t *rounded = x;
    const float *whole = x;

    if (first && bf16)
        from_wire(sum, rounded, n);
    else if (first)
        memcpy(sum, whole, n * sizeof *sum);
    else if (bf16)
        for (size_t i = 0; i < n; i++)
            sum[i] += mae_bf16_f32(rounded[i]);
    else
        for (size_t i = 0; i < n; i++)
            sum[i] += whole[i];
}

/* own [n]: the same piece of this rank, as the others get it. */
static void take_own(const MaeBucket *bucket, float *own, size_t at, size_t n)
{
    if (bucket->sent != NULL)
        from_wire(own, bucket->sent + at, n);
    else
        memcpy(own, bucket->x + at, n * sizeof *own);
}

/* This rank's part is there from everybody else: add it up in the order of ranks, a piece
 * at a time that stays in the cache. */
static void add_parts(const MaeComm *comm, MaeBucket *bucket)
{
    const size_t n = (size_t)bucket->parts.count[comm->rank];
    const bool bf16 = bucket->sent != NULL;
    const size_t size = mae_dtype_size(comm->options.wire);
    const size_t begin = (size_t)bucket->parts.at[comm->rank];
    float own[PIECE];

    for (size_t at = 0; at < n; at += PIECE) {
        const size_t some = n - at < PIECE ? n - at : PIECE;
        float *sum = bucket->x + begin + at;

        take_own(bucket, own, begin + at, some);
        for (size_t r = 0; r < comm->world; r++) {
            const char *other = (const char *)bucket->received + (r * n + at) * size;

            if (r == comm->rank)
                add(sum, own, some, false, r == 0);
            else
                add(sum, other, some, bf16, r == 0);
        }
    }
}

/* Is it sent and received in less than f32? */
static bool is_rounded(const MaeBucket *bucket)
{
    return bucket->sent != NULL && !bucket->whole;
}

static MaeStatus begin_collection(MaeComm *comm, MaeBucket *bucket, MaeError *err)
{
    const size_t at = (size_t)bucket->parts.at[comm->rank];
    const size_t n = (size_t)bucket->parts.count[comm->rank];
    const bool rounded = is_rounded(bucket);
    void *x = bucket->x;

    if (rounded) {
        to_wire(bucket->sent + at, bucket->x + at, n);
        x = bucket->sent;
    }
    bucket->phase = MAE_BUCKET_COLLECTED;
    return mae_comm_outcome(comm, comm->driver->collect(comm->state, &bucket->parts,
                                                        rounded ? MAE_BF16 : MAE_F32, x,
                                                        &bucket->request, err));
}

/* Bring one bucket as far as it goes without waiting. */
static MaeStatus advance(MaeComm *comm, MaeBucket *bucket, MaeError *err)
{
    while (bucket->phase != MAE_BUCKET_DONE) {
        bool done = false;

        MAE_TRY(mae_comm_outcome(
            comm, comm->driver->test(comm->state, &bucket->request, &done, err)));
        if (!done)
            return MAE_OK;
        if (bucket->phase == MAE_BUCKET_EXCHANGED) {
            add_parts(comm, bucket);
            if (!bucket->scatter) {
                MAE_TRY(begin_collection(comm, bucket, err));
                continue;
            }
        } else if (is_rounded(bucket)) {
            from_wire(bucket->x, bucket->sent, bucket->n);
        }
        bucket->phase = MAE_BUCKET_DONE;
    }
    return MAE_OK;
}

static MaeBucket *under_way(MaeComm *comm, size_t i)
{
    return &comm->bucket[(comm->oldest + i) % MAE_COMM_BUCKETS];
}

MaeStatus mae_comm_poll(MaeComm *comm, MaeError *err)
{
    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    MAE_TRY(mae_comm_usable(comm, err));
    for (size_t i = 0; i < comm->under_way; i++) {
        MAE_TRY(advance(comm, under_way(comm, i), err));
        if (under_way(comm, i)->phase == MAE_BUCKET_EXCHANGED)
            break; /* later ones must not be collected before it */
    }
    while (comm->under_way > 0 && under_way(comm, 0)->phase == MAE_BUCKET_DONE) {
        comm->oldest = (comm->oldest + 1) % MAE_COMM_BUCKETS;
        comm->under_way--;
    }
    return MAE_OK;
}

/* Until at most so many buckets are under way. */
static MaeStatus wait_for(MaeComm *comm, size_t most, MaeError *err)
{
    const double start = mae_clock_now();
    double since = start;
    size_t left = comm->under_way;

    while (left > most) {
        MAE_TRY(mae_comm_poll(comm, err));
        if (comm->under_way < left) {
            left = comm->under_way;
            since = mae_clock_now();
        } else {
            MAE_TRY(mae_comm_pause(comm, since, err));
        }
    }
    comm->waited += mae_clock_now() - start;
    return MAE_OK;
}

size_t mae_comm_bucket(const MaeComm *comm)
{
    return comm->options.bucket;
}

size_t mae_comm_room(const MaeComm *comm)
{
    return MAE_COMM_BUCKETS - comm->under_way;
}

/* The next one of the ring, for x [n]. */
static MaeStatus take_bucket(MaeComm *comm, float *x, size_t n, MaeBucket **bucket,
                             MaeError *err)
{
    MAE_TRY(mae_comm_usable(comm, err));
    MAE_TRY(wait_for(comm, MAE_COMM_BUCKETS - 1, err));
    *bucket = under_way(comm, comm->under_way++);
    (*bucket)->x = x;
    (*bucket)->n = n;
    (*bucket)->scatter = (*bucket)->whole = false;
    cut(&(*bucket)->parts, n, comm->rank, comm->world);
    return MAE_OK;
}

MaeStatus mae_comm_post(MaeComm *comm, float *x, size_t n, MaeError *err)
{
    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    while (n > 0) {
        const size_t some = n < comm->options.bucket ? n : comm->options.bucket;
        MaeBucket *bucket;

        MAE_TRY(take_bucket(comm, x, some, &bucket, err));
        MAE_TRY(begin_exchange(comm, bucket, err));
        x += some;
        n -= some;
    }
    return MAE_OK;
}

MaeStatus mae_comm_post_scatter(MaeComm *comm, float *x, size_t n, MaeError *err)
{
    MaeBucket *bucket;

    assert(n <= mae_comm_bucket(comm));
    MAE_TRY(take_bucket(comm, x, n, &bucket, err));
    bucket->scatter = true;
    return begin_exchange(comm, bucket, err);
}

MaeStatus mae_comm_post_collect(MaeComm *comm, float *x, size_t n, MaeError *err)
{
    MaeBucket *bucket;

    assert(n <= mae_comm_bucket(comm));
    MAE_TRY(take_bucket(comm, x, n, &bucket, err));
    bucket->whole = true;
    return begin_collection(comm, bucket, err);
}

void mae_comm_part(const MaeComm *comm, size_t n, size_t *at, size_t *count)
{
    const size_t size = part_size(n, comm->world), begin = comm->rank * size;

    *at = begin < n ? begin : n;
    *count = n - *at < size ? n - *at : size;
}

MaeStatus mae_comm_wait(MaeComm *comm, MaeError *err)
{
    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    MAE_TRY(mae_comm_usable(comm, err));
    return wait_for(comm, 0, err);
}

MaeStatus mae_comm_sum(MaeComm *comm, float *x, size_t n, MaeError *err)
{
    MAE_TRY(mae_comm_post(comm, x, n, err));
    return mae_comm_wait(comm, err);
}
