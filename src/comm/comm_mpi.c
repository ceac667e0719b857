/*
 * MPI 3. Two communicators, because collections must not wait for the turn of exchanges;
 * within each the order is the same on every rank, as MPI wants it.
 */
#include <assert.h>
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/driver.h"

#define ABORT_SECONDS 10 /* that MPI_Abort may take over a network that hangs */
#define TAG 1

typedef struct Mpi {
    MPI_Comm comm, collections;
    pthread_t owner;
    bool mine; /* MPI was initialised here */
} Mpi;

static_assert(sizeof(MPI_Request) <= sizeof(uintptr_t), "a handle fits a MaeCommRequest");

static MaeStatus outcome(int code, const char *what, MaeError *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;

    if (code == MPI_SUCCESS)
        return MAE_OK;
    (void)MPI_Error_string(code, text, &length);
    MAE_FAIL(err, MAE_ERR_COMM, "%s: %s", what, text);
}

static MaeStatus begun(int code, const char *what, const MPI_Request *handle,
                       MaeCommRequest *request, MaeError *err)
{
    MAE_TRY(outcome(code, what, err));
    request->handle = 0;
    memcpy(&request->handle, handle, sizeof *handle);
    return MAE_OK;
}

static Mpi *own(void *state)
{
    Mpi *mpi = state;

    assert(pthread_equal(mpi->owner, pthread_self()));
    return mpi;
}

static MPI_Datatype element(MaeDtype type)
{
    return type == MAE_BF16 ? MPI_UINT16_T : MPI_FLOAT;
}

static MaeStatus initialise(Mpi *mpi, MaeError *err)
{
    int on = 0, over = 0, level = 0;

    (void)MPI_Initialized(&on);
    (void)MPI_Finalized(&over);
    if (over)
        MAE_FAIL(err, MAE_ERR_ARG, "MPI was left and cannot be entered again");
    if (on)
        return MAE_OK;
    MAE_TRY(outcome(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level),
                    "MPI_Init_thread", err));
    mpi->mine = true;
    if (level < MPI_THREAD_FUNNELED)
        MAE_FAIL(err, MAE_ERR_COMM, "this MPI cannot be used by a program with threads");
    return MAE_OK;
}

static MaeStatus join(Mpi *mpi, size_t *rank, size_t *world, MaeError *err)
{
    int r = 0, n = 0;

    MAE_TRY(initialise(mpi, err));
    MAE_TRY(outcome(MPI_Comm_dup(MPI_COMM_WORLD, &mpi->comm), "MPI_Comm_dup", err));
    MAE_TRY(
        outcome(MPI_Comm_dup(MPI_COMM_WORLD, &mpi->collections), "MPI_Comm_dup", err));
    (void)MPI_Comm_set_errhandler(mpi->comm, MPI_ERRORS_RETURN);
    (void)MPI_Comm_set_errhandler(mpi->collections, MPI_ERRORS_RETURN);
    MAE_TRY(outcome(MPI_Comm_rank(mpi->comm, &r), "MPI_Comm_rank", err));
    MAE_TRY(outcome(MPI_Comm_size(mpi->comm, &n), "MPI_Comm_size", err));
    *rank = (size_t)r;
    *world = (size_t)n;
    return MAE_OK;
}

static MaeStatus open_mpi(void **state, size_t *rank, size_t *world, MaeError *err)
{
    Mpi *mpi = calloc(1, sizeof *mpi);
    MaeStatus status;

    if (mpi == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "MPI: out of memory");
    mpi->owner = pthread_self();
    status = join(mpi, rank, world, err);
    if (status != MAE_OK) {
        free(mpi);
        return status;
    }
    *state = mpi;
    return MAE_OK;
}

/* Everything here waits for the others, which a broken one cannot. */
static void close_mpi(void *state, bool broken)
{
    Mpi *mpi = own(state);

    if (!broken) {
        (void)MPI_Comm_free(&mpi->collections);
        (void)MPI_Comm_free(&mpi->comm);
        if (mpi->mine)
            (void)MPI_Finalize();
    }
    free(mpi);
}

static void abort_mpi(void *state, int code)
{
    (void)alarm(ABORT_SECONDS);
    (void)MPI_Abort(own(state)->comm, code);
}

static MaeStatus exchange(void *state, const MaeCommParts *parts, MaeDtype type,
                          const void *from, void *to, MaeCommRequest *request,
                          MaeError *err)
{
    MPI_Request handle;

    return begun(MPI_Ialltoallv(from, parts->given, parts->at, element(type), to,
                                parts->taken, parts->into, element(type),
                                own(state)->comm, &handle),
                 "MPI_Ialltoallv", &handle, request, err);
}

static MaeStatus collect(void *state, const MaeCommParts *parts, MaeDtype type, void *x,
                         MaeCommRequest *request, MaeError *err)
{
    MPI_Request handle;

    return begun(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, x, parts->count,
                                 parts->at, element(type), own(state)->collections,
                                 &handle),
                 "MPI_Iallgatherv", &handle, request, err);
}

static MaeStatus share(void *state, void *all, const void *mine, int bytes,
                       MaeCommRequest *request, MaeError *err)
{
    MPI_Request handle;

    return begun(MPI_Iallgather(mine, bytes, MPI_BYTE, all, bytes, MPI_BYTE,
                                own(state)->comm, &handle),
                 "MPI_Iallgather", &handle, request, err);
}

static MaeStatus broadcast(void *state, void *data, int bytes, int root,
                           MaeCommRequest *request, MaeError *err)
{
    MPI_Request handle;

    return begun(MPI_Ibcast(data, bytes, MPI_BYTE, root, own(state)->comm, &handle),
                 "MPI_Ibcast", &handle, request, err);
}

static MaeStatus send(void *state, void *data, int bytes, int to, MaeCommRequest *request,
                      MaeError *err)
{
    MPI_Request handle;

    return begun(MPI_Isend(data, bytes, MPI_BYTE, to, TAG, own(state)->comm, &handle),
                 "MPI_Isend", &handle, request, err);
}

static MaeStatus receive(void *state, void *data, int bytes, int from,
                         MaeCommRequest *request, MaeError *err)
{
    MPI_Request handle;

    return begun(MPI_Irecv(data, bytes, MPI_BYTE, from, TAG, own(state)->comm, &handle),
                 "MPI_Irecv", &handle, request, err);
}

static MaeStatus test(void *state, MaeCommRequest *request, bool *done, MaeError *err)
{
    MPI_Request handle;
    int flag = 0;

    (void)own(state);
    memcpy(&handle, &request->handle, sizeof handle);
    MAE_TRY(outcome(MPI_Test(&handle, &flag, MPI_STATUS_IGNORE), "MPI_Test", err));
    memcpy(&request->handle, &handle, sizeof handle);
    *done = flag != 0;
    return MAE_OK;
}

const MaeCommDriver mae_comm_mpi = {
    .name = "MPI",
    .open = open_mpi,
    .close = close_mpi,
    .abort = abort_mpi,
    .exchange = exchange,
    .collect = collect,
    .share = share,
    .broadcast = broadcast,
    .send = send,
    .receive = receive,
    .test = test,
};
