/* Where the ranks are. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "comm/parts.h"

/** The same for ranks that share the machine, and those that compete for processors. */
typedef struct Place {
    uint64_t host, processors;
} Place;

static Place find_place(void)
{
    char host[256] = "";
    cpu_set_t set;
    Place place;

    (void)gethostname(host, sizeof host - 1);
    place.host = mae_comm_hash(MAE_COMM_HASH, host, strlen(host));
    place.processors = place.host;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        place.processors = mae_comm_hash(place.host, &set, sizeof set);
    return place;
}

MaeStatus mae_comm_meet(MaeComm *comm, MaeError *err)
{
    const Place mine = find_place();
    const Place *all = (const Place *)(const void *)comm->shared;

    MAE_TRY(mae_comm_share(comm, &mine, sizeof mine, err));
    comm->local = comm->neighbours = 0;
    for (size_t r = 0; r < comm->world; r++) {
        comm->local += all[r].host == mine.host;
        comm->neighbours += all[r].processors == mine.processors;
    }
    return MAE_OK;
}

size_t mae_comm_threads(const MaeComm *comm, size_t asked)
{
    const size_t ranks = mae_comm_neighbours(comm), all = mae_pool_processors();

    if (asked > 0 || ranks == 1)
        return asked;
    return ranks < all ? all / ranks : 1;
}
