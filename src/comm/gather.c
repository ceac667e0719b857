#include <stdlib.h>
#include <string.h>

#include "comm/parts.h"

#define BLOCK ((size_t)1 << 20) /* bytes of rows that travel together, or one row */

/** What rank 0 gathers into; and what every rank is asked for. */
typedef struct Gathering {
    unsigned char *all; /* [total][row_bytes] */
    bool *seen;         /* [total] */
    size_t total, row_bytes;
    size_t block;        /* rows */
    uint64_t *indices;   /* [block] of another rank */
    unsigned char *rows; /* [block][row_bytes] */
    MaeStatus status;    /* the first misplaced row */
    MaeError *err;       /* its message */
} Gathering;

static void place(Gathering *g, const unsigned char *rows, const uint64_t *indices,
                  size_t count, size_t rank)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t at = indices[i];

        if (at < g->total && !g->seen[at]) {
            memcpy(g->all + at * g->row_bytes, rows + i * g->row_bytes, g->row_bytes);
            g->seen[at] = true;
        } else if (g->status == MAE_OK) {
            g->status =
                mae_error_set(g->err, MAE_ERR_ARG, __FILE__, __LINE__,
                              "row %llu of rank %zu: expected one of %zu rows that no "
                              "rank gave before",
                              (unsigned long long)at, rank, g->total);
        }
    }
}

static MaeStatus open_gathering(Gathering *g, MaeError *err)
{
    g->seen = calloc(g->total, sizeof *g->seen);
    g->indices = calloc(g->block, sizeof *g->indices);
    g->rows = calloc(g->block, g->row_bytes);
    if ((g->seen == NULL && g->total > 0) || g->indices == NULL || g->rows == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for gathering %zu rows", g->total);
    return MAE_OK;
}

static void close_gathering(Gathering *g)
{
    free(g->seen);
    free(g->indices);
    free(g->rows);
}

static MaeStatus send_rows(MaeComm *comm, const Gathering *g, const unsigned char *rows,
                           const uint64_t *indices, uint64_t count, MaeError *err)
{
    const MaeCommMoveFn send = comm->driver->send;

    MAE_TRY(mae_comm_move(comm, send, &count, sizeof count, 0, err));
    while (count > 0) {
        const size_t some = count < g->block ? count : g->block;

        MAE_TRY(mae_comm_move(comm, send, (void *)(uintptr_t)indices,
                              some * sizeof *indices, 0, err));
        MAE_TRY(mae_comm_move(comm, send, (void *)(uintptr_t)rows, some * g->row_bytes, 0,
                              err));
        indices += some;
        rows += some * g->row_bytes;
        count -= some;
    }
    return MAE_OK;
}

static MaeStatus receive_rows(MaeComm *comm, Gathering *g, size_t rank, MaeError *err)
{
    const MaeCommMoveFn receive = comm->driver->receive;
    uint64_t count = 0;

    MAE_TRY(mae_comm_move(comm, receive, &count, sizeof count, rank, err));
    while (count > 0) {
        const size_t some = count < g->block ? count : g->block;

        MAE_TRY(mae_comm_move(comm, receive, g->indices, some * sizeof *g->indices, rank,
                              err));
        MAE_TRY(mae_comm_move(comm, receive, g->rows, some * g->row_bytes, rank, err));
        place(g, g->rows, g->indices, some, rank);
        count -= some;
    }
    return MAE_OK;
}

/* Rank 0 takes from the others, one after another. */
static MaeStatus receive_all(MaeComm *comm, Gathering *g, MaeError *err)
{
    for (size_t r = 1; r < mae_comm_world(comm); r++)
        MAE_TRY(receive_rows(comm, g, r, err));
    return MAE_OK;
}

static MaeStatus check_complete(const Gathering *g, MaeError *err)
{
    size_t missing = 0, first = g->total;

    for (size_t i = g->total; i-- > 0;)
        if (!g->seen[i]) {
            missing++;
            first = i;
        }
    if (missing > 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%zu of %zu rows are missing, the first is row %zu",
                 missing, g->total, first);
    return MAE_OK;
}

MaeStatus mae_comm_gather(MaeComm *comm, void *all, size_t total, const void *rows,
                          const uint64_t *indices, size_t count, size_t row_bytes,
                          MaeError *err)
{
    Gathering g = {.all = all,
                   .total = total,
                   .row_bytes = row_bytes,
                   .block = BLOCK / row_bytes + 1,
                   .err = err};
    const bool root = mae_comm_rank(comm) == 0;
    MaeStatus status = mae_comm_agree(comm, root ? open_gathering(&g, err) : MAE_OK, err);

    if (status != MAE_OK) {
        close_gathering(&g);
        return status;
    }
    if (root) {
        place(&g, rows, indices, count, 0);
        status = receive_all(comm, &g, err);
    } else {
        status = send_rows(comm, &g, rows, indices, count, err);
    }
    if (status == MAE_ERR_COMM) /* the buffers may still be written, so are left */
        return status;          /* NOLINT(clang-analyzer-unix.Malloc) */
    if (status == MAE_OK && root)
        status = g.status != MAE_OK ? g.status : check_complete(&g, err);
    close_gathering(&g);
    return mae_comm_agree(comm, status, err);
}
