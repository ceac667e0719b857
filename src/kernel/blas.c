#include "kernel/blas.h"

#include <cblas.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/pages.h"

/* What openblas_get_parallel() returns for a build over OpenMP. */
#define PARALLEL_OPENMP 2

/* A buffer and what surrounds it. */
#define BUFFER ((size_t)130 << 20)

/* In no header, but every OpenBLAS exports them. */
void *blas_memory_alloc(int unused);
void blas_memory_free(void *buffer);

MaeStatus mae_blas_tame(MaeError *err)
{
    if (openblas_get_parallel() == PARALLEL_OPENMP)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "OpenBLAS: expected the pthread or serial variant, found the OpenMP "
                 "variant, which can hang; install libopenblas0-pthread or select it "
                 "with update-alternatives");
    openblas_set_num_threads(1);
    return MAE_OK;
}

MaeStatus mae_blas_reserve(size_t threads, MaeError *err)
{
    static atomic_size_t reserved; /* OpenBLAS keeps them for the process as well */
    void **taken;
    size_t count = 0;

    if (threads <= atomic_load(&reserved))
        return MAE_OK;
    taken = calloc(threads, sizeof *taken);
    while (taken != NULL && count < threads && mae_pages_fit(BUFFER) &&
           (taken[count] = blas_memory_alloc(0)) != NULL)
        count++;
    for (size_t i = 0; i < count; i++)
        blas_memory_free(taken[i]);
    free(taken);
    if (count < threads)
        MAE_FAIL(err, MAE_ERR_NOMEM,
                 "OpenBLAS: out of memory for %zu buffers of 128 MiB, one a thread",
                 threads);
    atomic_store(&reserved, threads);
    return MAE_OK;
}
