#include "comm/comm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/versions.h"
#include "support/test.h"

static MaeComm *open_alone(void)
{
    const MaeCommOptions options = {.wire = MAE_BF16, .timeout = 1.0, .bucket = 3};
    MaeComm *comm = NULL;
    MaeError err = {0};

    ck_assert_uint_eq(mae_comm_launched(), 1);
    ck_assert_ok(mae_comm_open(&comm, &options, &err));
    return comm;
}

/* Both a comm of one rank and none at all: sums are the values, bit for bit. */
static void expect_trivial(MaeComm *comm)
{
    float *x = mae_test_normal(7, 1, 2), *want = mae_test_normal(7, 1, 2);
    double sums[2] = {0.1, -3.0};
    MaeError err = {0};

    ck_assert_uint_eq(mae_comm_rank(comm), 0);
    ck_assert_uint_eq(mae_comm_world(comm), 1);
    ck_assert_uint_eq(mae_comm_local(comm), 1);
    ck_assert_uint_eq(mae_comm_neighbours(comm), 1);
    ck_assert_ok(mae_comm_sum(comm, x, 7, &err));
    ck_assert_ok(mae_comm_post(comm, x, 7, &err));
    ck_assert_ok(mae_comm_poll(comm, &err));
    ck_assert_ok(mae_comm_wait(comm, &err));
    ck_assert_ok(mae_comm_broadcast(comm, x, 7 * sizeof *x, 0, &err));
    ck_assert_mem_eq(x, want, 7 * sizeof *x);
    ck_assert_ok(mae_comm_sum_doubles(comm, sums, 2, &err));
    ck_assert(sums[0] == 0.1 && sums[1] == -3.0);
    ck_assert_ok(mae_comm_barrier(comm, &err));
    ck_assert_ok(mae_comm_same(comm, "text", "a", &err));
    ck_assert(mae_comm_waited(comm) == 0.0);
    mae_comm_abort(comm, 1);
    free(x);
    free(want);
}

START_TEST(alone_everything_is_trivial)
{
    MaeComm *comm = open_alone();

    expect_trivial(comm);
    expect_trivial(NULL);
    mae_comm_close(comm);
    mae_comm_close(NULL);
}
END_TEST

START_TEST(alone_an_outcome_is_untouched)
{
    MaeComm *comm = open_alone();
    MaeError err = {.status = MAE_ERR_IO, .msg = "disk"};

    ck_assert_ok(mae_comm_agree(comm, MAE_OK, &err));
    ck_assert_fails(mae_comm_agree(comm, MAE_ERR_IO, &err), MAE_ERR_IO, "disk");
    ck_assert_str_eq(err.msg, "disk");
    ck_assert_int_eq(mae_comm_agree(comm, MAE_ERR_IO, NULL), MAE_ERR_IO);
    mae_comm_close(comm);
}
END_TEST

START_TEST(gathers_rows_by_index)
{
    const uint64_t indices[] = {2, 0, 1};
    const char *rows = "aaabbbccc";
    char all[9];
    MaeComm *comm = open_alone();
    MaeError err = {0};

    ck_assert_ok(mae_comm_gather(comm, all, 3, rows, indices, 3, 3, &err));
    ck_assert_mem_eq(all, "bbbcccaaa", 9);
    ck_assert_ok(mae_comm_gather(comm, all, 0, rows, indices, 0, 3, &err));
    mae_comm_close(comm);
}
END_TEST

START_TEST(refuses_rows_that_are_not_complete)
{
    const uint64_t twice[] = {0, 1, 0}, far[] = {0, 3, 1};
    const char *rows = "aaabbbccc";
    char all[9];
    MaeError err = {0};

    ck_assert_fails(mae_comm_gather(NULL, all, 3, rows, twice, 3, 3, &err), MAE_ERR_ARG,
                    "row 0 of rank 0: expected one of 3 rows");
    ck_assert_fails(mae_comm_gather(NULL, all, 3, rows, far, 3, 3, &err), MAE_ERR_ARG,
                    "row 3 of rank 0");
    ck_assert_fails(mae_comm_gather(NULL, all, 3, rows, twice, 2, 3, &err), MAE_ERR_ARG,
                    "1 of 3 rows are missing, the first is row 2");
}
END_TEST

/* A build without MPI, started as several, must not run several times the same. */
START_TEST(counts_launched_ranks)
{
    char text[256] = "";
    MaeComm *comm = NULL;
    MaeError err = {0};

    ck_assert_int_eq(setenv("PMI_SIZE", "3", 1), 0);
    ck_assert_uint_eq(mae_comm_launched(), 3);
    ck_assert_int_eq(setenv("OMPI_COMM_WORLD_SIZE", "2", 1), 0);
    ck_assert_uint_eq(mae_comm_launched(), 2);
    mae_comm_versions(text, sizeof text);
    if (strstr(text, "without MPI") != NULL)
        ck_assert_fails(mae_comm_open(&comm, &(MaeCommOptions){0}, &err), MAE_ERR_ARG,
                        "started as 2 ranks, but this build has no MPI");
    ck_assert_int_eq(setenv("OMPI_COMM_WORLD_SIZE", "x", 1), 0);
    ck_assert_int_eq(setenv("PMI_SIZE", "-4", 1), 0);
    ck_assert_uint_eq(mae_comm_launched(), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("comm_comm");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, alone_everything_is_trivial);
    tcase_add_test(tc, alone_an_outcome_is_untouched);
    tcase_add_test(tc, gathers_rows_by_index);
    tcase_add_test(tc, refuses_rows_that_are_not_complete);
    tcase_add_test(tc, counts_launched_ranks);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
