/*
 * ranks CASE: what a rank of test_ranks.sh does. Every rank checks what it sees; rank 0
 * prints. The exit code is 0, that of a failed check (9), or 1 after an error.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/comm.h"

#define MOST 20011 /* elements; a prime, so that nothing divides it */
#define FAILED 9

static MaeComm *comm;
static MaeError err;
static size_t rank, world;

static void fail(const char *what)
{
    (void)fprintf(stderr, "rank %zu: %s\n", rank, what);
    mae_comm_abort(comm, FAILED);
    exit(FAILED);
}

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition))                                                                \
            fail(#condition);                                                            \
    } while (0)

static void must(MaeStatus status)
{
    if (status != MAE_OK)
        fail(err.msg);
}

/* Element i of a rank; of changing sign, size and last bits. */
static float value(size_t r, size_t i)
{
    const size_t n = (i * 7919 + r * 104729) % 65521;

    return ((float)n / 65521.0f - 0.5f) * (float)(1 << i % 12);
}

static float on_wire(float x, MaeDtype wire)
{
    return wire == MAE_BF16 ? mae_bf16_f32(mae_bf16(x)) : x;
}

/* What its owner has, bit for bit. */
static float owned(size_t i, MaeDtype wire)
{
    float sum = on_wire(value(0, i), wire);

    for (size_t r = 1; r < world; r++)
        sum += on_wire(value(r, i), wire);
    return sum;
}

/* What a sum has to be, bit for bit. */
static float expected(size_t i, MaeDtype wire)
{
    return on_wire(owned(i, wire), wire);
}

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = value(rank, i);
}

static void expect_sum(const float *x, size_t n, MaeDtype wire)
{
    for (size_t i = 0; i < n; i++) {
        const float want = expected(i, wire);

        CHECK(memcmp(&x[i], &want, sizeof want) == 0);
    }
}

static void check_sums(MaeDtype wire)
{
    static const size_t sizes[] = {1, 2, 3, 5, 999, 1000, 1001, MOST};
    static float x[MOST], y[MOST];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        fill(x, sizes[s]);
        fill(y, sizes[s]);
        must(mae_comm_sum(comm, x, sizes[s], &err));
        expect_sum(x, sizes[s], wire);
        for (size_t at = 0; at < sizes[s]; at += 333) { /* other buckets, other parts */
            must(mae_comm_post(comm, y + at, sizes[s] - at < 333 ? sizes[s] - at : 333,
                               &err));
            if (at % (rank + 2) == 0)
                must(mae_comm_poll(comm, &err));
        }
        must(mae_comm_barrier(comm, &err)); /* others may pass in between */
        must(mae_comm_wait(comm, &err));
        expect_sum(y, sizes[s], wire);
    }
    must(mae_comm_wait(comm, &err));
}

/* Scattered, each has its own part; then collected, everybody has all, not rounded. */
static void check_halves(MaeDtype wire)
{
    static const size_t sizes[] = {1, 17, 500, 1000};
    float x[1000];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s];
        size_t at, count;

        fill(x, n);
        mae_comm_part(comm, n, &at, &count);
        must(mae_comm_post_scatter(comm, x, n, &err));
        CHECK(mae_comm_room(comm) > 0);
        must(mae_comm_wait(comm, &err));
        for (size_t i = 0; i < n; i++)
            CHECK(x[i] == (i >= at && i < at + count ? owned(i, wire) : value(rank, i)));
        must(mae_comm_post_collect(comm, x, n, &err));
        must(mae_comm_wait(comm, &err));
        for (size_t i = 0; i < n; i++)
            CHECK(x[i] == owned(i, wire));
    }
}

static void check_counts(void)
{
    uint64_t x[150];
    size_t first = 99;

    for (size_t i = 0; i < 150; i++)
        x[i] = i + ((uint64_t)rank << 40);
    must(mae_comm_sum_counts(comm, x, 150, &err));
    for (size_t i = 0; i < 150; i++)
        CHECK(x[i] == world * i + ((uint64_t)(world * (world - 1) / 2) << 40));
    must(mae_comm_first(comm, rank == 0 ? 3 : 2, &first, &err));
    CHECK(first == (world > 1 ? 1 : 0));
    CHECK(mae_comm_neighbours(comm) >= 1 && mae_comm_neighbours(comm) <= world);
}

static void check_doubles(void)
{
    double x[150];

    for (size_t i = 0; i < 150; i++)
        x[i] = 1.0 / (double)(rank + i + 1);
    must(mae_comm_sum_doubles(comm, x, 150, &err));
    for (size_t i = 0; i < 150; i++) {
        double sum = 0.0;

        for (size_t r = 0; r < world; r++)
            sum += 1.0 / (double)(r + i + 1);
        CHECK(x[i] == sum);
    }
}

static void check_broadcast(void)
{
    static float x[MOST];

    for (size_t root = 0; root < world; root++) {
        fill(x, MOST);
        must(mae_comm_broadcast(comm, x, sizeof x, root, &err));
        for (size_t i = 0; i < MOST; i++)
            CHECK(x[i] == value(root, i));
        must(mae_comm_broadcast(comm, x, 0, root, &err));
    }
}

/* Ranks hold every world-th row, the later ranks one less; in falling order. */
static void check_gather(size_t row)
{
    const size_t total = 4 * world * 25 + 1;
    float *mine = calloc(101, row * sizeof *mine), *all = NULL;
    uint64_t indices[101];
    size_t count = 0;

    CHECK(mine != NULL);
    for (size_t i = total; i-- > 0;)
        if (i % world == rank) {
            for (size_t k = 0; k < row; k++)
                mine[count * row + k] = value(i, k);
            indices[count++] = i;
        }
    if (rank == 0)
        CHECK((all = calloc(total, row * sizeof *all)) != NULL);
    must(mae_comm_gather(comm, all, total, mine, indices, count, row * sizeof *mine,
                         &err));
    for (size_t i = 0; rank == 0 && i < total * row; i++)
        CHECK(all[i] == value(i / row, i % row));
    indices[0] = rank == world - 1 ? indices[1] : indices[0];
    CHECK(mae_comm_gather(comm, all, total, mine, indices, count, row * sizeof *mine,
                          &err) == MAE_ERR_ARG);
    CHECK(strstr(err.msg, "rank 0: row ") == err.msg);
    must(mae_comm_barrier(comm, &err));
    free(mine);
    free(all);
}

static void expect_agreed(MaeStatus mine, MaeStatus want, const char *msg)
{
    (void)snprintf(err.msg, sizeof err.msg, "mine is %s", mae_status_name(mine));
    CHECK(mae_comm_agree(comm, mine, &err) == want);
    CHECK(want == MAE_OK || strcmp(err.msg, msg) == 0);
    CHECK(want == MAE_OK || err.status == want);
}

static void check_agreement(void)
{
    const size_t last = world - 1;

    expect_agreed(MAE_OK, MAE_OK, "");
    expect_agreed(rank == 1 ? MAE_ERR_IO : MAE_OK, MAE_ERR_IO, "rank 1: mine is io");
    expect_agreed(rank >= 1 ? MAE_ERR_NUMERIC : MAE_OK, MAE_ERR_NUMERIC,
                  "rank 1: mine is numeric");
    expect_agreed(rank == 0 ? MAE_ERR_INTERRUPTED : MAE_OK, MAE_ERR_INTERRUPTED,
                  "rank 0: mine is interrupted");
    expect_agreed(rank == last ? MAE_ERR_FORMAT : MAE_ERR_INTERRUPTED, MAE_ERR_FORMAT,
                  world == 2 ? "rank 1: mine is format" : "rank 3: mine is format");
    CHECK(mae_comm_agree(comm, rank == 1 ? MAE_ERR_IO : MAE_OK, NULL) == MAE_ERR_IO);
    must(mae_comm_same(comm, "the weather", "fine", &err));
    CHECK(mae_comm_same(comm, "the weather", rank == last ? "rain" : "fine", &err) ==
          MAE_ERR_ARG);
    CHECK(strstr(err.msg, "the weather: expected that of rank 0, found another") != NULL);
}

/* Before the last step one rank does not come. */
static MaeStatus hang(const char *how)
{
    static float x[MOST];

    must(mae_comm_sum(comm, x, MOST, &err));
    if (rank == world - 1 && rank > 0) {
        if (strcmp(how, "sleeps") == 0)
            (void)sleep(60);
        else if (strcmp(how, "dies") == 0)
            _exit(FAILED);
        else
            (void)raise(SIGSTOP);
    }
    return mae_comm_sum(comm, x, MOST, &err);
}

int main(int argc, char **argv)
{
    MaeCommOptions options = {.timeout = 10.0, .bucket = 1000};
    const char *what = argc > 1 ? argv[1] : "";
    MaeStatus status;

    if (strcmp(what, "bf16") == 0)
        options.wire = MAE_BF16;
    if (strcmp(what, "f32") != 0 && strcmp(what, "bf16") != 0)
        options.timeout = 2.0;
    must(mae_comm_open(&comm, &options, &err));
    rank = mae_comm_rank(comm);
    world = mae_comm_world(comm);
    CHECK(mae_comm_local(comm) == world); /* tests have one machine */
    CHECK(mae_comm_neighbours(comm) >= 1 && mae_comm_neighbours(comm) <= world);
    if (options.timeout > 2.0) {
        check_sums(options.wire);
        check_halves(options.wire);
        check_counts();
        check_doubles();
        check_broadcast();
        check_gather(3);
        check_gather(20000);
        check_agreement();
        status = MAE_OK;
    } else {
        status = hang(what);
    }
    if (status != MAE_OK) {
        CHECK(mae_comm_barrier(comm, NULL) == MAE_ERR_COMM);
        CHECK(mae_comm_agree(comm, status, &err) == MAE_ERR_COMM);
        (void)fprintf(stderr, "%s: %s\n", mae_status_name(status), err.msg);
        mae_comm_abort(comm, 1);
    }
    if (rank == 0)
        (void)printf("%zu ranks are right\n", world);
    mae_comm_close(comm);
    return 0;
}
