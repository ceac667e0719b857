#include "comm/versions.h"

#include <stdio.h>
#ifdef MAE_MPI
#include <mpi.h>
#endif

void mae_comm_versions(char *text, size_t size)
{
#if defined(MAE_MPI) && defined(OMPI_MAJOR_VERSION)
    (void)snprintf(text, size, "Open MPI %d.%d.%d", OMPI_MAJOR_VERSION,
                   OMPI_MINOR_VERSION, OMPI_RELEASE_VERSION);
#elif defined(MAE_MPI)
    (void)snprintf(text, size, "MPI %d.%d", MPI_VERSION, MPI_SUBVERSION);
#else
    (void)snprintf(text, size, "without MPI: one machine");
#endif
}
