#include "comm/comm.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "comm/parts.h"

#define BUCKET ((size_t)1 << 18)
#define PART ((size_t)1 << 12)  /* of a bucket that a rank has at least */
#define PIECE ((size_t)1 << 30) /* bytes that one call of a driver moves */

/* Who says how many ranks there are, the most trustworthy first. */
static const char *const LAUNCHERS[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                        "SLURM_STEP_NUM_TASKS"};

size_t mae_comm_launched(void)
{
    for (size_t i = 0; i < sizeof LAUNCHERS / sizeof *LAUNCHERS; i++) {
        const char *text = getenv(LAUNCHERS[i]);
        const long world = text != NULL ? strtol(text, NULL, 10) : 0;

        if (world > 0)
            return (size_t)world;
    }
    return 1;
}

static const MaeCommDriver *find_driver(void)
{
#ifdef MAE_MPI
    return &mae_comm_mpi;
#else
    return NULL;
#endif
}

static void reserve(MaeComm *comm, MaeArena *arena)
{
    comm->shared = mae_arena_bytes(arena, comm->world, MAE_COMM_DOUBLES * sizeof(double));
    mae_comm_reserve_buckets(comm, arena);
}

/* Small enough to travel early, while a part is still worth a message. */
static size_t choose_bucket(size_t world)
{
    return world * PART > BUCKET ? world * PART : BUCKET;
}

static MaeStatus open_driver(MaeComm *comm, MaeError *err)
{
    const size_t launched = mae_comm_launched();
    const MaeCommDriver *driver = find_driver();
    MaeArena measure = mae_arena_measure();

    if (launched == 1)
        return MAE_OK;
    if (driver == NULL)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "started as %zu ranks, but this build has no MPI: install "
                 "libopenmpi-dev and build again, or start it alone",
                 launched);
    MAE_TRY(driver->open(&comm->state, &comm->rank, &comm->world, err));
    comm->driver = driver;
    if (comm->world == 1)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "started as %zu ranks, but %s finds one alone: start it by the mpirun of "
            "the MPI it was built with, or by srun --mpi=pmix",
            launched, driver->name);
    if (comm->options.bucket == 0)
        comm->options.bucket = choose_bucket(comm->world);
    reserve(comm, &measure);
    MAE_TRY(mae_arena_open(&comm->arena, &measure, "communication", err));
    reserve(comm, &comm->arena);
    MAE_TRY(mae_arena_check(&comm->arena, "communication", err));
    return mae_comm_meet(comm, err);
}

MaeStatus mae_comm_open(MaeComm **comm, const MaeCommOptions *options, MaeError *err)
{
    MaeComm *made = calloc(1, sizeof *made);
    MaeStatus status;

    assert(options->bucket <= PIECE); /* a driver counts in int */
    if (made == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "communication: out of memory");
    made->options = *options;
    made->world = made->local = made->neighbours = 1;
    status = open_driver(made, err);
    if (status != MAE_OK) { /* the others are told by whoever starts them */
        made->broken = true;
        mae_comm_close(made);
        return status;
    }
    *comm = made;
    return MAE_OK;
}

void mae_comm_close(MaeComm *comm)
{
    if (comm == NULL)
        return;
    if (comm->driver != NULL)
        comm->driver->close(comm->state, comm->broken);
    if (!comm->broken) /* else others may still write into it */
        mae_arena_close(&comm->arena);
    free(comm);
}

void mae_comm_abort(MaeComm *comm, int code)
{
    if (comm != NULL && comm->driver != NULL)
        comm->driver->abort(comm->state, code);
}

size_t mae_comm_rank(const MaeComm *comm)
{
    return comm != NULL ? comm->rank : 0;
}

size_t mae_comm_world(const MaeComm *comm)
{
    return comm != NULL ? comm->world : 1;
}

size_t mae_comm_local(const MaeComm *comm)
{
    return comm != NULL ? comm->local : 1;
}

size_t mae_comm_neighbours(const MaeComm *comm)
{
    return comm != NULL ? comm->neighbours : 1;
}

double mae_comm_waited(const MaeComm *comm)
{
    return comm != NULL ? comm->waited : 0.0;
}

bool mae_comm_broken(const MaeComm *comm)
{
    return comm != NULL && comm->broken;
}

MaeStatus mae_comm_outcome(MaeComm *comm, MaeStatus status)
{
    if (status != MAE_OK)
        comm->broken = true;
    return status;
}

MaeStatus mae_comm_usable(const MaeComm *comm, MaeError *err)
{
    if (comm->broken)
        MAE_FAIL(err, MAE_ERR_COMM, "communication between ranks is broken");
    return MAE_OK;
}

/* Whoever waits long leaves the processor to those who compute. */
MaeStatus mae_comm_pause(MaeComm *comm, double since, MaeError *err)
{
    const double waited = mae_clock_now() - since;
    const struct timespec moment = {.tv_nsec = 50000};
    const char *key = comm->options.timeout_key;

    if (comm->options.timeout > 0.0 && waited > comm->options.timeout) {
        comm->broken = true;
        MAE_FAIL(err, MAE_ERR_COMM,
                 "rank %zu of %zu: nothing came from the other ranks for %g s: one of "
                 "them or the network hangs%s%s%s",
                 comm->rank, comm->world, comm->options.timeout, key != NULL ? " (" : "",
                 key != NULL ? key : "", key != NULL ? " says how long to wait)" : "");
    }
    if (waited < 1e-3)
        (void)sched_yield();
    else
        (void)nanosleep(&moment, NULL);
    return MAE_OK;
}

static MaeStatus finish(MaeComm *comm, MaeStatus begun, MaeCommRequest *request,
                        MaeError *err)
{
    const double since = mae_clock_now();
    bool done = false;

    MAE_TRY(mae_comm_outcome(comm, begun));
    for (;;) {
        MAE_TRY(
            mae_comm_outcome(comm, comm->driver->test(comm->state, request, &done, err)));
        if (done)
            break;
        MAE_TRY(mae_comm_pause(comm, since, err));
    }
    comm->waited += mae_clock_now() - since;
    return MAE_OK;
}

MaeStatus mae_comm_share(MaeComm *comm, const void *mine, size_t bytes, MaeError *err)
{
    MaeCommRequest request;

    MAE_TRY(mae_comm_usable(comm, err));
    return finish(
        comm,
        comm->driver->share(comm->state, comm->shared, mine, (int)bytes, &request, err),
        &request, err);
}

static void add_doubles(const MaeComm *comm, double *x, size_t n)
{
    const double *all = (const double *)(const void *)comm->shared;

    memcpy(x, all, n * sizeof *x);
    for (size_t r = 1; r < comm->world; r++)
        for (size_t i = 0; i < n; i++)
            x[i] += all[r * n + i];
}

MaeStatus mae_comm_sum_doubles(MaeComm *comm, double *x, size_t n, MaeError *err)
{
    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    while (n > 0) {
        const size_t some = n < MAE_COMM_DOUBLES ? n : MAE_COMM_DOUBLES;

        MAE_TRY(mae_comm_share(comm, x, some * sizeof *x, err));
        add_doubles(comm, x, some);
        x += some;
        n -= some;
    }
    return MAE_OK;
}

MaeStatus mae_comm_sum_counts(MaeComm *comm, uint64_t *x, size_t n, MaeError *err)
{
    const uint64_t *all;

    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    all = (const uint64_t *)(const void *)comm->shared;
    for (size_t at = 0; at < n; at += MAE_COMM_DOUBLES) {
        const size_t some = n - at < MAE_COMM_DOUBLES ? n - at : MAE_COMM_DOUBLES;

        MAE_TRY(mae_comm_share(comm, x + at, some * sizeof *x, err));
        memset(x + at, 0, some * sizeof *x);
        for (size_t r = 0; r < comm->world; r++)
            for (size_t i = 0; i < some; i++)
                x[at + i] += all[r * some + i];
    }
    return MAE_OK;
}

MaeStatus mae_comm_first(MaeComm *comm, uint64_t key, size_t *rank, MaeError *err)
{
    const uint64_t *all;

    *rank = 0;
    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    all = (const uint64_t *)(const void *)comm->shared;
    MAE_TRY(mae_comm_share(comm, &key, sizeof key, err));
    for (size_t r = 1; r < comm->world; r++)
        *rank = all[r] < all[*rank] ? r : *rank;
    return MAE_OK;
}

MaeStatus mae_comm_barrier(MaeComm *comm, MaeError *err)
{
    const char here = 1;

    return mae_comm_world(comm) == 1 ? MAE_OK
                                     : mae_comm_share(comm, &here, sizeof here, err);
}

MaeStatus mae_comm_move(MaeComm *comm, MaeCommMoveFn fn, void *data, size_t bytes,
                        size_t other, MaeError *err)
{
    unsigned char *at = data;

    MAE_TRY(mae_comm_usable(comm, err));
    while (bytes > 0) {
        const size_t some = bytes < PIECE ? bytes : PIECE;
        MaeCommRequest request;

        MAE_TRY(finish(comm, fn(comm->state, at, (int)some, (int)other, &request, err),
                       &request, err));
        at += some;
        bytes -= some;
    }
    return MAE_OK;
}

MaeStatus mae_comm_broadcast(MaeComm *comm, void *data, size_t bytes, size_t root,
                             MaeError *err)
{
    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    return mae_comm_move(comm, comm->driver->broadcast, data, bytes, root, err);
}

/* An interruption is a wish, all else a failure. */
static int severity(int32_t status)
{
    return status == MAE_OK ? 0 : status == MAE_ERR_INTERRUPTED ? 1 : 2;
}

/* The lowest rank of those with the worst outcome. */
static size_t find_worst(const int32_t *all, size_t world)
{
    size_t worst = 0;

    for (size_t r = 1; r < world; r++)
        if (severity(all[r]) > severity(all[worst]))
            worst = r;
    return worst;
}

MaeStatus mae_comm_agree(MaeComm *comm, MaeStatus status, MaeError *err)
{
    const int32_t mine = (int32_t)status;
    char msg[sizeof((MaeError *)0)->msg] = "";
    MaeStatus outcome;
    size_t worst;

    if (mae_comm_world(comm) == 1 || (status != MAE_OK && comm->broken))
        return status;
    MAE_TRY(mae_comm_share(comm, &mine, sizeof mine, err));
    worst = find_worst((const int32_t *)(const void *)comm->shared, comm->world);
    outcome = (MaeStatus)((const int32_t *)(const void *)comm->shared)[worst];
    if (outcome == MAE_OK)
        return MAE_OK;
    if (worst == comm->rank)
        (void)snprintf(msg, sizeof msg, "%s",
                       err != NULL ? err->msg : mae_status_name(status));
    MAE_TRY(mae_comm_broadcast(comm, msg, sizeof msg, worst, err));
    MAE_FAIL(err, outcome, "rank %zu: %s", worst, msg);
}

uint64_t mae_comm_hash(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

MaeStatus mae_comm_same(MaeComm *comm, const char *what, const char *text, MaeError *err)
{
    const uint64_t mine = mae_comm_hash(MAE_COMM_HASH, text, strlen(text));
    uint64_t first = mine;
    MaeStatus status = MAE_OK;

    MAE_TRY(mae_comm_broadcast(comm, &first, sizeof first, 0, err));
    if (first != mine)
        status = mae_error_set(err, MAE_ERR_ARG, __FILE__, __LINE__,
                               "%s: expected that of rank 0, found another", what);
    return mae_comm_agree(comm, status, err);
}
