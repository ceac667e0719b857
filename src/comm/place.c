/* Where the ranks are. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "comm/parts.h"

/* The same for ranks that compete for processors. */
static uint64_t place(void)
{
    char host[256] = "";
    cpu_set_t set;
    uint64_t hash;

    (void)gethostname(host, sizeof host - 1);
    hash = mae_comm_hash(MAE_COMM_HASH, host, strlen(host));
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        hash = mae_comm_hash(hash, &set, sizeof set);
    return hash;
}

MaeStatus mae_comm_meet(MaeComm *comm, MaeError *err)
{
    const uint64_t mine = place();
    const uint64_t *all = (const uint64_t *)(const void *)comm->shared;

    MAE_TRY(mae_comm_share(comm, &mine, sizeof mine, err));
    comm->neighbours = 0;
    for (size_t r = 0; r < comm->world; r++)
        comm->neighbours += all[r] == mine ? 1 : 0;
    return MAE_OK;
}
